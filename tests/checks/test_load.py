"""The check ``load``: it counts every answer for what it is, and measures the backend."""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
import ssl
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from pydantic import ValidationError

from cutover.checks.load import Load
from cutover.load.order import Order, Prepared
from cutover.plan.thresholds import Verdict

if TYPE_CHECKING:
    from .conftest import MakeContext, Nginx, Serving

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def load(**settings: Any) -> Load:
    return Load.model_validate({"backend": "new", "concurrency": 4, "count": 40, "timeout": "2s", **settings})


def seen(result: Any, backend: str = "new") -> dict[str, Any]:
    found: dict[str, Any] = result.details["backends"][backend]
    return found


def workers() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "cutover.load.worker" in " ".join(child.cmdline())]


async def test_as_many_requests_arrive_as_were_asked_for_on_as_many_connections(
    serving: Serving, context: MakeContext
) -> None:
    result = await load(count=41).run(context(new=await serving.answer(OK)))
    assert result.verdict is Verdict.PASS, result.summary
    assert len(serving.requests) == result.figures["requests"] == 41
    assert serving.connections == seen(result)["connects"] == 4


async def test_every_request_carries_the_probe_header_the_backends_and_its_own(
    serving: Serving, context: MakeContext
) -> None:
    ctx = context(new=await serving.answer(OK), headers={"Authorization": "Bearer token"})
    requests = ["GET /a?x=1", {"path": "/b", "headers": {"X-Own": "1"}}]
    await load(requests=requests).run(ctx)
    assert all(b"X-Cutover-Probe: 1\r\n" in r and b"Authorization: Bearer token\r\n" in r for r in serving.requests)
    lines = Counter(request.split(b" HTTP")[0] for request in serving.requests)
    assert lines == {b"GET /a?x=1": 20, b"GET /b": 20}
    assert sum(b"X-Own: 1\r\n" in request for request in serving.requests) == 20


async def test_bodies_are_sent_whole(serving: Serving, context: MakeContext) -> None:
    requests = [{"method": "POST", "path": "/", "json": {"a": "ü"}, "unsafe": True}]
    result = await load(requests=requests).run(context(new=await serving.answer(OK)))
    assert result.passed
    assert all(request.endswith('{"a": "ü"}'.encode()) for request in serving.requests)


@pytest.mark.parametrize(
    ("raw", "close"),
    [
        (OK, True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\n\r\nuntil it closes", True),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil it closes", True),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", False),
        (b"HTTP/1.1 204 No Content\r\n\r\n", False),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK, False),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5000\r\n\r\n", False),
        (b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n" + b"x" * 3_000_000, False),
    ],
    ids=["server-closes", "chunked", "http1.0", "until-close", "connection-close", "204", "1xx", "304", "302", "3-mb"],
)
async def test_every_way_to_answer_is_understood(
    serving: Serving, context: MakeContext, raw: bytes, *, close: bool
) -> None:
    result = await load(count=12).run(context(new=await serving.answer(raw, close=close)))
    if raw == OK:
        # It closed connections that it had promised to keep: a client may have lost a request to that.
        assert seen(result)["errors"].keys() <= {"closed", "reset"}
        return
    assert result.verdict is Verdict.PASS, result.summary
    assert seen(result)["errors"] == {}
    assert len(serving.requests) == 12


async def test_answers_to_head_have_no_body(serving: Serving, context: MakeContext) -> None:
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"
    result = await load(requests=["HEAD /"]).run(context(new=await serving.answer(raw)))
    assert result.passed, result.summary
    assert serving.connections == 4


@pytest.mark.parametrize(
    ("status", "kind"), [("500 No", "5xx"), ("503 No", "5xx"), ("404 No", "4xx"), ("429 No", "4xx")]
)
async def test_bad_statuses_are_errors_and_told(serving: Serving, context: MakeContext, status: str, kind: str) -> None:
    bad = f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode()
    result = await load(requests=["GET /x"]).run(context(new=await serving.answer(OK, OK, OK, bad)))
    assert result.verdict is Verdict.FAIL
    assert result.figures["errors"] == 25
    assert seen(result)["errors"] == {kind: 10}
    assert f"30x 200, 10x {status[:3]}" in result.summary
    assert f"GET /x: {status[:3]} (10 times)" in result.summary
    assert "fail: errors == 0%" in result.summary


async def test_an_expected_status_is_no_error(serving: Serving, context: MakeContext) -> None:
    port = await serving.answer(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n")
    result = await load(requests=[{"path": "/x", "status": [404, 410]}]).run(context(new=port))
    assert result.passed
    assert "40x 404" in result.summary
    result = await load(requests=[{"path": "/x", "status": 200}]).run(context(new=port))
    assert result.figures["errors"] == 100


@pytest.mark.parametrize(
    ("raw", "kind", "words"),
    [
        (b"SSH-2.0-OpenSSH_9\r\n", "protocol", "not an HTTP/1 answer"),
        (bytes(range(256)), "protocol", "not an HTTP/1 answer"),
        (OK + OK, "protocol", "more than one answer"),
        (OK + b"HTTP/1.1 200", "protocol", "more than one answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nContent-Length: 8\r\n\r\nabcdefgh", "protocol", "not an HTTP"),
        (b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", "protocol", "not an HTTP"),
        (b"", "closed", "closed before an answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", "closed", "closed in the middle"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhal", "closed", "closed in the middle"),
        (b"HTTP/1.1 200 OK\r\nContent-Le", "closed", "closed in the middle"),
    ],
    ids=[
        "ssh",
        "bytes",
        "two",
        "one-and-a-bit",
        "two-lengths",
        "upgrade",
        "nothing",
        "half",
        "half-chunk",
        "half-head",
    ],
)
async def test_what_is_no_whole_answer_is_an_error(
    serving: Serving, context: MakeContext, raw: bytes, kind: str, words: str
) -> None:
    result = await load(count=8).run(context(new=await serving.answer(raw, close=True)))
    assert result.verdict is Verdict.FAIL
    assert seen(result)["errors"] == {kind: 8}
    assert words in result.summary


async def test_resets_are_errors(serving: Serving, context: MakeContext) -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n")
        await writer.drain()
        writer.transport.get_extra_info("socket").setsockopt(1, 13, b"\1\0\0\0\0\0\0\0")
        writer.transport.abort()

    result = await load(count=8).run(context(new=await serving.start(reset)))
    assert seen(result)["errors"] == {"reset": 8}


@pytest.mark.parametrize(
    ("limit", "status", "silent"),
    [("errors == 0%", 200, True), ("p50 <= 1ms", 200, False), ("errors == 0%", 500, False)],
)
async def test_only_connections_that_broke_without_an_answer_excuse_a_proxy(
    serving: Serving,
    context: MakeContext,
    limit: str,
    status: int,
    silent: bool,  # noqa: FBT001
) -> None:
    """As while it restarts in the middle of a load: what it did answer has to be right, and quick."""
    answered = 0

    async def some(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal answered
        while answered < 12:
            await reader.readuntil(b"\r\n\r\n")
            answered += 1
            said = status if answered == 3 else 200
            await asyncio.sleep(0.02)
            writer.write(b"HTTP/1.1 %d x\r\nContent-Length: 2\r\n\r\nok" % said)

    result = await load(count=16, thresholds=[limit]).run(context(new=await serving.start(some)))
    assert result.verdict is Verdict.FAIL, result.summary
    assert result.silent is silent
    assert {"closed", "reset"} & seen(result)["errors"].keys()


async def test_silence_is_a_time_out_and_shows_in_the_percentiles(serving: Serving, context: MakeContext) -> None:
    port = await serving.answer(OK, delay=30)
    limits = {"thresholds": ["errors == 0%", "p95 <= 100ms"], "timeout": "300ms", "for": "500ms"}
    result = await load(count=None, concurrency=20, **limits).run(context(new=port))
    assert result.verdict is Verdict.FAIL
    assert seen(result)["errors"].keys() == {"timeout"}
    assert result.figures["errors"] == 100
    assert result.figures["p95"] >= 0.3


@pytest.mark.parametrize("pace", [{"concurrency": 20}, {"rate": "40/s", "concurrency": 60}])
async def test_a_backend_that_accepts_nobody_is_as_slow_as_the_time_out(
    context: MakeContext, pace: dict[str, Any]
) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, ExitStack() as filling:
        for _ in range(4):
            waiting = filling.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        limits = {"thresholds": ["p95 <= 100ms"], "timeout": "300ms", "for": "500ms", **pace}
        settings = Load.model_validate({"backend": "new", **limits})
        result = await settings.run(context(new=full.getsockname()[1]))
    assert result.verdict is Verdict.FAIL, result.summary
    assert seen(result)["errors"].keys() == {"timeout"}
    assert result.figures["p50"] >= 0.3


async def test_a_backend_that_is_down_fails_without_a_storm(context: MakeContext, closed_port: int) -> None:
    settings = Load.model_validate({"backend": "new", "for": "500ms"})
    result = await settings.run(context(new=closed_port))
    assert result.verdict is Verdict.FAIL
    assert "Connection refused" in result.summary
    assert result.figures["requests"] < 10 * 12


async def test_a_name_that_does_not_resolve_is_unknown(context: MakeContext) -> None:
    result = await load().run(context(new="http://nowhere.invalid:80"))
    assert result.verdict is Verdict.UNKNOWN
    assert "nowhere.invalid does not resolve" in result.summary


async def test_times_are_the_backends(serving: Serving, context: MakeContext) -> None:
    port = await serving.answer(OK, delay=0.1)
    result = await load(count=40, thresholds=["p95 <= 5s", "rps <= 40"]).run(context(new=port))
    assert result.verdict is Verdict.PASS, result.summary
    assert 0.1 <= result.figures["p50"] < 0.2
    assert seen(result)["at_least"]["p50"] > 0.05


async def test_it_lasts_as_long_as_it_should_and_tells_how_it_goes(serving: Serving, context: MakeContext) -> None:
    ctx = context(new=await serving.answer(OK, delay=0.01))
    settings = Load.model_validate({"backend": "new", "for": "1s", "warm_up": "500ms", "concurrency": 2})
    started = time.monotonic()
    result = await settings.run(ctx)
    assert result.passed, result.summary
    assert time.monotonic() - started >= 1.5
    assert 0.9 <= seen(result)["seconds"] <= 1.5
    assert ctx.told[0] == "warming up"
    assert "requests/s, 0 errors, p95" in ctx.told[-1]
    assert result.figures["requests"] < len(serving.requests)


async def test_new_and_old_take_turns_when_compared(serving: Serving, context: MakeContext) -> None:
    order: list[str] = []

    def answering(name: str, delay: float) -> Any:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                order.append(name)
                await asyncio.sleep(delay)
                writer.write(OK)

        return handle

    new, old = await serving.start(answering("new", 0.1)), await serving.start(answering("old", 0.02))
    ctx = context(new=new, old=old)
    result = await load(count=16, thresholds=["p50 <= 2x old", "errors <= old + 1%"]).run(ctx)
    assert result.verdict is Verdict.FAIL, result.summary
    assert "fail: p50 <= 2x old" in result.summary
    turns = [name for name, _ in itertools.groupby(order)]
    assert turns == ["new", "old", "new", "old", "new"]
    assert Counter(order) == {"new": 16, "old": 16}


async def test_requests_come_from_the_plan_or_are_the_root(serving: Serving, context: MakeContext) -> None:
    port = await serving.answer(OK)
    await load(count=2).run(context(new=port))
    assert all(request.startswith(b"GET / HTTP/1.1") for request in serving.requests)
    serving.requests.clear()
    asked = ["GET /a", "GET /a", {"path": "/b", "headers": {"X-Own": "1"}}, {"path": "/c", "method": "PUT"}]
    ctx = context(new=port, phases={"validate": [{"diff": {"requests": asked, "headers": {"X-All": "2"}}}]})
    await load(count=40).run(ctx)
    lines = Counter(request.split(b" HTTP")[0] for request in serving.requests)
    assert lines == {b"GET /a": 20, b"GET /b": 20}
    assert all(b"X-All: 2" in request for request in serving.requests)
    assert sum(b"X-Own: 1" in request for request in serving.requests) == 20


async def test_a_count_that_was_not_reached_in_time_is_unknown(serving: Serving, context: MakeContext) -> None:
    port = await serving.answer(OK, delay=0.05)
    result = await load(count=1000, **{"for": "200ms"}).run(context(new=port))
    assert result.verdict is Verdict.UNKNOWN
    assert "of 1,000 requests to new within the time" in result.summary


async def test_https_is_loaded_too(
    serving: Serving, context: MakeContext, tls: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = await serving.answer(OK, tls=tls)
    untrusted = await load().run(context(new=f"https://127.0.0.1:{port}"))
    assert "TLS: CERTIFICATE_VERIFY_FAILED" in untrusted.summary
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    trusted = await load().run(context(new=f"https://127.0.0.1:{port}"))
    assert trusted.verdict is Verdict.PASS, trusted.summary


async def test_cancelling_ends_it_at_once_and_leaves_no_worker(serving: Serving, context: MakeContext) -> None:
    port = await serving.answer(OK, delay=0.01)
    task = asyncio.create_task(Load.model_validate({"backend": "new", "for": "60s"}).run(context(new=port)))
    await asyncio.wait_for(serving.asked.wait(), timeout=5)
    assert workers()
    started = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - started < 1
    assert not workers()


async def test_a_worker_that_dies_makes_it_unknown(serving: Serving, context: MakeContext) -> None:
    port = await serving.answer(OK, delay=0.01)
    task = asyncio.create_task(Load.model_validate({"backend": "new", "for": "60s"}).run(context(new=port)))
    await asyncio.wait_for(serving.asked.wait(), timeout=5)
    for worker in workers():
        worker.kill()
    result = await asyncio.wait_for(task, timeout=5)
    assert result.verdict is Verdict.UNKNOWN
    assert "a load worker ended with status -9" in result.summary


async def test_a_worker_does_not_outlive_whoever_gave_the_order(serving: Serving) -> None:
    port = await serving.answer(OK, delay=0.01)
    request = Prepared("GET /", "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    order = Order("127.0.0.1", port, tls=False, requests=(request,), concurrency=1, seconds=60.0, count=None,
                  warm_up=0.0, timeout=1.0)  # fmt: skip
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "cutover.load.worker", stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    assert worker.stdin is not None
    worker.stdin.write(json.dumps(order.to_json()).encode() + b"\n")
    await asyncio.wait_for(serving.asked.wait(), timeout=5)
    worker.stdin.close()
    assert await asyncio.wait_for(worker.wait(), timeout=5) == 1


async def test_a_real_nginx_saw_what_was_counted(nginx: Nginx, context: MakeContext) -> None:
    settings = Load.model_validate({"backend": "new", "concurrency": 100, "for": "1s"})
    result = await settings.run(context(new=nginx.port))
    assert result.verdict is Verdict.PASS, result.summary
    lines = Counter(nginx.log.read_text().splitlines())
    assert lines == {"1 200": result.figures["requests"]}
    assert result.details["bottleneck"] is ("the load generator was the limit" in result.summary)


def test_what_could_measure_nothing_is_a_mistake() -> None:
    for settings, words in (
        ({"for": "0s"}, "no time at all"),
        ({"backend": "old", "thresholds": ["p95 <= 2x old"]}, "old with itself"),
        ({"thresholds": ["share == 10%"]}, "does not measure 'share'"),
        ({"requests": ["DELETE /"]}, "unsafe: true"),
        ({"requests": []}, "at least 1"),
        ({"concurrency": 0}, "greater than or equal to 1"),
    ):
        with pytest.raises(ValidationError, match=words):
            Load.model_validate({"backend": "new", **settings})


def test_says_what_it_will_do_and_for_how_long() -> None:
    plain = Load.model_validate({"backend": "new", "concurrency": 100, "for": "30s", "thresholds": ["p95 <= 500ms"]})
    assert plain.summary() == "new under 100 clients at once, 30s: p95 <= 500ms"
    assert plain.least_seconds() == 30
    both = Load.model_validate({"backend": "new", "for": "30s", "warm_up": "5s", "thresholds": ["p95 <= 2x old"]})
    assert both.least_seconds() == 70
    assert both.default_timeout() > both.least_seconds()
