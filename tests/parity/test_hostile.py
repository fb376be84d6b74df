"""Answers that no backend should give: none crashes, hangs or passes."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import socket
from collections.abc import Awaitable, Callable

import pytest

from cutover.checks.base import Result
from cutover.plan.thresholds import Verdict
from tests.support.rawserver import RawServer, groups, json_answer, raw

Compare = Callable[..., Awaitable[Result]]
FINE = json_answer({"a": 1})
JSON = "Content-Type: application/json"


async def cut(_: bytes, writer: asyncio.StreamWriter) -> None:
    """Less than Content-Length promised, then the end."""
    writer.write(raw(200, JSON, "Content-Length: 100", body='{"a": 1}', length=False))
    writer.close()


async def cut_chunks(_: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(raw(200, JSON, "Transfer-Encoding: chunked", body='8\r\n{"a": 1}\r\n', length=False))
    writer.close()


async def endless(_: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(raw(200, JSON, length=False))
    with contextlib.suppress(ConnectionError):
        while True:
            writer.write(b"[1, 2, 3, 4, 5, 6, 7, 8]" * 1000)
            await writer.drain()


async def silent(_: bytes, writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def dripping(_: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(raw(200, JSON, length=False))
    with contextlib.suppress(ConnectionError):
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.02)


async def no_http(_: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(b"SSH-2.0-OpenSSH_9.6\r\n")
    writer.close()


def closed_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


@pytest.mark.parametrize("answer", [cut, cut_chunks, no_http], ids=lambda a: a.__name__)
async def test_a_broken_answer_of_new_fails_and_one_of_old_is_unknown(answer: object, compare: Compare) -> None:
    assert (await compare(FINE, answer)).verdict is Verdict.FAIL
    assert (await compare(answer, FINE)).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("answer", [silent, dripping], ids=lambda a: a.__name__)
async def test_a_side_that_never_ends_is_given_up_after_the_timeout(answer: object, compare: Compare) -> None:
    result = await compare(FINE, answer, timeout="200ms")
    assert result.verdict is Verdict.FAIL
    assert groups(result) == [("connection", "status", 1)]
    assert "no whole answer within 0.2s" in result.summary
    assert (await compare(answer, FINE, timeout="200ms")).verdict is Verdict.UNKNOWN


async def test_a_body_that_never_ends_is_unknown_and_others_go_on(compare: Compare) -> None:
    async def endless_once(head: bytes, writer: asyncio.StreamWriter) -> None:
        if b"/endless" in head:
            await endless(head, writer)
        else:
            writer.write(FINE)

    requests = ["GET /endless", "GET /a", "GET /b"]
    result = await compare(FINE, endless_once, requests=requests, max_body="1mb")
    assert result.verdict is Verdict.UNKNOWN
    assert result.details["compared"] == 2
    assert "larger than 1048576 bytes" in result.details["unknown"]["first"][0]


async def test_a_gzip_bomb_is_too_large(compare: Compare) -> None:
    bomb = raw(200, JSON, "Content-Encoding: gzip", body=gzip.compress(b" " * 50_000_000))
    result = await compare(FINE, bomb, max_body="1mb")
    assert result.verdict is Verdict.UNKNOWN
    assert "larger" in result.summary


async def test_an_unreachable_new_fails_and_an_unreachable_old_is_unknown(compare: Compare) -> None:
    result = await compare(FINE, closed_port())
    assert result.verdict is Verdict.FAIL
    assert groups(result) == [("connection", "status", 1)]
    result = await compare(closed_port(), FINE)
    assert result.verdict is Verdict.UNKNOWN
    assert result.details["compared"] == 0


@pytest.mark.parametrize("depth", [300, 100_000])
async def test_deep_nesting_is_unknown(depth: int, compare: Compare) -> None:
    old, new = "[" * depth + "1" + "]" * depth, "[" * depth + "2" + "]" * depth
    result = await compare(json_answer(old), json_answer(new))
    assert result.verdict is Verdict.UNKNOWN
    assert "nested" in result.summary


async def test_deep_nesting_in_new_alone_is_unknown(compare: Compare) -> None:
    assert (await compare(FINE, json_answer("[" * 5000 + "]" * 5000))).verdict is not Verdict.PASS


@pytest.mark.parametrize("number", ["1e999999999", "-1e-999999999", "1" * 100_000, "1e9999999999999999999999"])
async def test_huge_numbers_do_not_pass_for_others(number: str, compare: Compare) -> None:
    result = await compare(json_answer(f'{{"n": {number}}}'), json_answer('{"n": 1}'), tolerance={"$.n": 1.0})
    assert result.verdict is not Verdict.PASS


async def test_a_thousand_headers_and_long_ones_are_compared(compare: Compare) -> None:
    many = [f"X-{n}: {'v' * 40}" for n in range(100)]
    assert (await compare(json_answer("{}", *many), json_answer("{}", *many))).verdict is Verdict.PASS
    long = f"X-Long: {'v' * 20_000}"
    assert (await compare(json_answer("{}", long), json_answer("{}", long[:-1] + "w"))).verdict is Verdict.FAIL


async def test_cancelling_stops_at_once(compare: Compare) -> None:
    started = asyncio.Event()

    async def stuck(_: bytes, writer: asyncio.StreamWriter) -> None:
        started.set()
        await asyncio.Event().wait()

    task = asyncio.ensure_future(compare(stuck, stuck, timeout="30s"))
    async with asyncio.timeout(10):
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_cookies_are_not_kept_and_redirects_are_not_followed(compare: Compare) -> None:
    old, new = (RawServer(raw(302, "Location: /login", "Set-Cookie: sid=1")) for _ in range(2))
    result = await compare(old, new, requests=["GET /a", "GET /b", "GET /c"], concurrency=1)
    assert result.verdict is Verdict.PASS
    assert len(old.asked) == len(new.asked) == 3
    assert not any(b"cookie" in head.lower() for head in old.asked + new.asked)


async def test_both_sides_get_the_same_host_and_accept_and_their_own_credentials(compare: Compare) -> None:
    old, new = RawServer(FINE), RawServer(FINE)
    await compare(old, new, headers={"X-Tenant": "a"})
    ours, theirs = (set(server.asked[0].lower().split(b"\r\n")) for server in (old, new))
    assert {b"host: api.example:8080", b"accept-encoding: gzip", b"x-cutover-probe: 1", b"x-tenant: a"} <= ours
    assert ours ^ theirs == {b"authorization: bearer old-side", b"authorization: bearer new-side"}
