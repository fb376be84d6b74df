"""Traffic counts every request, whose answer it was, and each that is lost."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from cutover.demo.backends import Backends
from cutover.demo.traffic import Traffic

TIMEOUT_S = 10.0


async def test_the_share_of_new_is_the_weight_of_the_proxy(tmp_path: Path, proxy: Any) -> None:
    async with Backends(tmp_path) as backends, proxy(backends, 25) as url:
        async with Traffic(url) as traffic:
            await traffic.until(100)
            traffic.mark("weight 25")
            await traffic.until(500)
        before, marked = traffic.table()
        assert (before.mark, marked.mark) == ("start", "weight 25")
        assert marked.requests >= 350
        assert marked.share == pytest.approx(25, abs=3)
        assert traffic.total.failed == 0, traffic.failures
        assert traffic.total.requests == before.requests + marked.requests
        assert traffic.total.requests == sum(second.requests for second in traffic.per_second())


async def test_the_rate_is_bounded(tmp_path: Path) -> None:
    async with Backends(tmp_path) as backends, Traffic(backends.old.url, clients=10, rate=100) as traffic:
        await traffic.until(80)
    (segment,) = traffic.table()
    assert segment.requests / segment.seconds <= 120


async def test_a_backend_that_dies_is_counted_with_time_and_reason(tmp_path: Path) -> None:
    async with Backends(tmp_path) as backends, Traffic(backends.old.url) as traffic:
        await traffic.until(100)
        traffic.mark("killed")
        killed_at = traffic.seconds()
        backends.old.kill()
        await traffic.until_failed(40)
    assert set(traffic.total.reasons) <= {"connection refused", "connection reset", "answer cut off"}
    assert traffic.total.reasons["connection refused"] > 0
    assert traffic.total.failed == len(traffic.failures) == sum(second.failed for second in traffic.per_second())
    assert all(failure.at >= killed_at for failure in traffic.failures)
    assert {failure.mark for failure in traffic.failures} <= {"start", "killed"}


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", "connection reset"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", "answer cut off"),
        (b"HTTP/1.1 503 Gone\r\nContent-Length: 0\r\n\r\n", "status 503 instead of 200"),
        (b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", "status 401 instead of 200"),
    ],
)
async def test_a_request_is_lost_for_a_reason(answer: bytes, reason: str) -> None:
    asked: list[bytes] = []
    async with await _server(asked, [answer]) as server, Traffic(_url(server), clients=1, rate=100) as traffic:
        await traffic.until_failed(1)
    assert traffic.failures[0].reason == reason
    assert traffic.failures[0].request == "POST /api/v1/auth/login"
    assert traffic.total.share is None


async def test_a_get_on_a_connection_that_is_lost_is_not_sent_again() -> None:
    login = b'{"access_token": "x"}'
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(login)
    asked: list[bytes] = []
    answers = [head + login, b""]
    async with await _server(asked, answers) as server, Traffic(_url(server), clients=1, rate=50) as traffic:
        await traffic.until_failed(5)
    assert traffic.total.requests == len(asked)
    assert traffic.total.reasons["connection reset"] == len(asked) - 1
    assert sum(line.startswith(b"GET") for line in asked) > 0


async def _server(asked: list[bytes], answers: list[bytes]) -> asyncio.Server:
    """Gives these answers in turn, the last one for ever; closes where an answer is not a whole one."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), TIMEOUT_S):
                length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
                await reader.readexactly(int(length[0].partition(b":")[2]) if length else 0)
                answer = answers[min(len(asked), len(answers) - 1)]
                asked.append(head)
                writer.write(answer)
                if not answer or b"Length: 9" in answer:
                    return
        except asyncio.IncompleteReadError:
            return
        finally:
            writer.close()

    return await asyncio.start_server(serve, "127.0.0.1", 0)


def _url(server: asyncio.Server) -> str:
    return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
