"""The ``metrics`` check against a real Prometheus, and against servers that are none."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import DEVNULL, Popen
from threading import Thread
from typing import Any
from urllib.request import urlopen

import pytest
from pydantic import ValidationError

from cutover.checks import CHECKS
from cutover.checks.base import Result
from cutover.checks.metrics import Metrics
from cutover.plan.limits import parse_limit
from cutover.plan.thresholds import Verdict
from tests.support.ports import free_port
from tests.support.rawserver import Context, RawServer, json_answer, raw

START_TIMEOUT_S = 60
ERRORS = 'errors{backend="new"}'

SCRAPED = """\
errors{backend="new",route="/a"} 3
errors{backend="new",route="/b"} 7
errors{backend="old",route="/a"} 1
odd{of="nan"} NaN
odd{of="one"} 1
endless +Inf
"""


@dataclass
class Prometheus:
    """A running server that scrapes one target several times a second."""

    url: str
    scraped: Any = field(repr=False)


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    binary = shutil.which("prometheus") or pytest.skip("no prometheus here")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(SCRAPED.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

    target = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=target.serve_forever, daemon=True).start()
    folder, port = tmp_path_factory.mktemp("prometheus"), free_port()
    (folder / "prometheus.yml").write_text(
        "global: {scrape_interval: 200ms, scrape_timeout: 200ms}\n"
        f"scrape_configs: [{{job_name: demo, static_configs: [{{targets: ['127.0.0.1:{target.server_port}']}}]}}]\n"
    )
    process = Popen(
        [binary, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
         f"--web.listen-address=127.0.0.1:{port}"],
        cwd=folder, stdout=DEVNULL, stderr=DEVNULL,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_scraped(process, url)
        yield Prometheus(url, target)
    finally:
        process.terminate()
        process.wait(timeout=START_TIMEOUT_S)
        target.shutdown()
        target.server_close()


def _wait_until_scraped(process: Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        assert process.poll() is None, "prometheus ended"
        try:
            with urlopen(f"{url}/api/v1/query?query=endless", timeout=5) as answer:  # noqa: S310 - our own server
                if b'"value"' in answer.read():
                    return
        except OSError:
            pass
        time.sleep(0.1)
    pytest.fail("prometheus scraped nothing")


async def ask(url: str, query: str, threshold: str, **settings: Any) -> Result:
    check = Metrics.model_validate({"prometheus": url, "query": query, "threshold": threshold, **settings})
    return await check.run(Context("http://127.0.0.1:1", "http://127.0.0.1:1", Path()))


def test_it_is_registered_and_waits_for_traffic() -> None:
    assert CHECKS["metrics"] is Metrics
    assert Metrics.needs_traffic


@pytest.mark.parametrize(
    ("query", "threshold", "verdict", "said"),
    [
        (f"sum({ERRORS})", "<= 10", Verdict.PASS, "10, <= 10"),
        (f"sum({ERRORS})", "< 10", Verdict.FAIL, "10, expected < 10"),
        (f"sum({ERRORS})", "> 1e1", Verdict.FAIL, "10, expected > 1e1"),
        (f"sum({ERRORS}) / 1000", "<= 1%", Verdict.PASS, "0.01, <= 1% (0.01)"),
        (f"sum({ERRORS}) / 1000", "< 5ms", Verdict.FAIL, "0.01, expected < 5ms (0.005)"),
        (ERRORS, "<= 5", Verdict.FAIL, 'route="/b"'),
        (ERRORS, "<= 7", Verdict.PASS, "7 {"),
        (ERRORS, ">= 7", Verdict.FAIL, 'route="/a"'),
        ("scalar(endless)", "<= 5", Verdict.FAIL, "inf, expected <= 5"),
        ("none_of_these", "<= 5", Verdict.UNKNOWN, "no data: no series matches"),
        ('odd{of="nan"}', "<= 5", Verdict.UNKNOWN, "1 of 1 series are NaN"),
        ("odd", "<= 5", Verdict.UNKNOWN, "1 of 2 series are NaN"),
        ("odd", "<= 0", Verdict.FAIL, "expected <= 0"),
        ("endless[1m]", "<= 5", Verdict.UNKNOWN, "the query gives a matrix"),
        ("sum(", "<= 5", Verdict.UNKNOWN, "bad_data: "),
    ],
)
async def test_every_series_is_held_against_the_limit(
    prometheus: Prometheus, query: str, threshold: str, verdict: Verdict, said: str
) -> None:
    result = await ask(prometheus.url, query, threshold)
    assert (result.verdict, said in result.summary) == (verdict, True), result.summary


@pytest.mark.parametrize("limit", ["1.5s", "2500ms", "1m"])
async def test_any_time_limit_is_one_that_prometheus_understands(prometheus: Prometheus, limit: str) -> None:
    assert (await ask(prometheus.url, f"sum({ERRORS})", "<= 10", timeout=limit)).verdict is Verdict.PASS


async def test_infinity_is_no_figure_that_json_lacks(prometheus: Prometheus) -> None:
    result = await ask(prometheus.url, "scalar(endless)", "<= 5")
    assert result.figures == {"series": 1.0}
    assert result.details["series"][0]["value"] == "inf"


async def test_the_figures_and_the_series_are_kept(prometheus: Prometheus) -> None:
    result = await ask(prometheus.url, ERRORS, "<= 5")
    assert result.figures == {"value": 7.0, "series": 2.0}
    assert {one["labels"]["route"]: one["value"] for one in result.details["series"]} == {"/a": 3.0, "/b": 7.0}


@pytest.fixture
async def served() -> AsyncIterator[Any]:
    servers: list[Any] = []

    async def serve(answer: Any) -> RawServer:
        context = RawServer(answer).running()
        servers.append(context)
        server: RawServer = await context.__aenter__()
        return server

    yield serve
    for context in servers:
        await context.__aexit__(None, None, None)


async def hang(_: bytes, __: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (raw(200, body="<html>"), "answered 200, which is no answer of Prometheus"),
        (raw(404, body="no"), "answered 404"),
        (json_answer({"status": "success"}), "no answer of Prometheus"),
        (
            json_answer({"status": "success", "data": {"resultType": "vector", "result": [{}]}}),
            "no answer of Prometheus",
        ),
        (
            json_answer({"status": "error", "errorType": "timeout", "error": "too slow"}, status=503),
            "timeout: too slow",
        ),
        (raw(200, body=b"[" + b"1," * (3 * 1024 * 1024)), "larger than 4 MB"),
        (hang, "no answer within 300ms"),
    ],
)
async def test_what_gives_no_value_is_unknown_and_said(served: Any, answer: Any, said: str) -> None:
    server = await served(answer)
    result = await ask(server.url, "up", "<= 1", timeout="300ms" if answer is hang else "10s")
    assert (result.verdict, said in result.summary) == (Verdict.UNKNOWN, True), result.summary


async def test_a_server_that_is_not_there_is_unknown() -> None:
    result = await ask(f"http://127.0.0.1:{free_port()}", "up", "<= 1")
    assert result.verdict is Verdict.UNKNOWN
    assert "can't be reached: Connection refused" in result.summary


async def test_credentials_are_sent_and_never_shown(served: Any) -> None:
    server = await served(json_answer({"status": "success", "data": {"resultType": "scalar", "result": [0, "1"]}}))
    url = server.url.replace("http://", "http://reader:s3cret-word@") + "/prefix/"
    result = await ask(url, "1", "<= 1", headers={"X-Scope-OrgID": "tenant-7"})
    head = server.asked[0].decode().lower()
    assert result.passed
    assert head.startswith("post /prefix/api/v1/query ")
    assert "authorization: basic " in head
    assert "x-scope-orgid: tenant-7" in head
    assert "s3cret-word" not in str(result.to_json())


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"prometheus": "prometheus:9090"}, "prometheus"),
        ({"query": ""}, "query"),
        ({"threshold": "errors <= 1%"}, "is not a limit; write OP VALUE"),
        ({"threshold": "<= old"}, "is not a limit"),
        ({"threshold": "=< 1"}, "is not a limit"),
        ({"treshold": "< 1"}, "did you mean 'threshold'"),
    ],
)
def test_a_mistake_is_found_when_the_plan_is_checked(settings: dict[str, Any], complaint: str) -> None:
    good = {"prometheus": "http://127.0.0.1:9090", "query": "up", "threshold": "<= 1"}
    with pytest.raises(ValidationError) as mistake:
        Metrics.model_validate({**good, **settings})
    assert complaint in str(mistake.value)


@pytest.mark.parametrize("text", ["<= 0.5", "> -3", "== 1e3", "< 500ms", ">= 99.9%"])
def test_a_limit_is_read_back_from_what_it_says(text: str) -> None:
    limit = parse_limit(text)
    assert parse_limit(str(limit).partition(" (")[0]) == limit
