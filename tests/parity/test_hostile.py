"""Answers that no backend should give: none crashes, hangs or passes."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import socket
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import psutil
import pytest

from cutover.checks.base import Result
from cutover.parity import work
from cutover.plan.thresholds import Verdict
from tests.support.rawserver import RawServer, Respond, groups, json_answer, raw

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


async def cut_head(_: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/js")
    writer.close()


async def no_answer(_: bytes, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def no_status(_: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 fine\r\nContent-Length: 0\r\n\r\n")


async def two_lengths(_: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{} ")


async def bad_chunks(_: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(raw(200, JSON, "Transfer-Encoding: chunked", body="zz\r\n{}\r\n0\r\n\r\n", length=False))


async def flood(_: bytes, writer: asyncio.StreamWriter) -> None:
    """Headers without an end."""
    writer.write(b"HTTP/1.1 200 OK\r\n")
    with contextlib.suppress(ConnectionError):
        while True:
            writer.write(b"X-More: and more\r\n" * 1000)
            await writer.drain()


async def endless_header(_: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
    with contextlib.suppress(ConnectionError):
        while True:
            writer.write(b"x" * 10_000)
            await writer.drain()


async def no_http(_: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(b"SSH-2.0-OpenSSH_9.6\r\n")
    writer.close()


def closed_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


@pytest.mark.parametrize(
    "answer",
    [cut, cut_chunks, bad_chunks, cut_head, no_answer, no_http, no_status, two_lengths, flood, endless_header],
    ids=lambda a: a.__name__,
)
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


async def test_others_of_the_same_run_go_on(compare: Compare) -> None:
    """One of everything that breaks, and between them what is fine and what differs."""
    broken = {
        b"/0": cut, b"/1": cut_chunks, b"/2": no_http, b"/3": no_status, b"/4": no_answer, b"/5": flood,
        b"/6": silent, b"/7": dripping, b"/8": endless, b"/9": endless_header,
    }  # fmt: skip

    async def new(head: bytes, writer: asyncio.StreamWriter) -> None:
        path = head.split(b" ")[1]
        if path in broken:
            await broken[path](head, writer)
        else:
            writer.write(FINE if path == b"/fine" else json_answer({"a": 2}))

    requests = ["GET /differs", *(f"GET /{n}" for n in range(10)), "GET /fine"]
    result = await compare(FINE, new, requests=requests, timeout="1s", max_body="1mb")
    assert result.verdict is Verdict.FAIL
    assert result.details["compared"] == 11
    assert result.details["differing"] == 10
    assert result.details["unknown"]["count"] == 1
    assert ("value", "$.a", 1) in groups(result)


async def test_a_kept_connection_that_was_given_up_is_no_difference(compare: Compare) -> None:
    """The server reads the second request of each connection, and closes."""

    class Short(RawServer):
        async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                self.asked.append(await reader.readuntil(b"\r\n\r\n"))
                writer.write(FINE)
                await reader.readuntil(b"\r\n\r\n")
            writer.close()

    new = Short()
    requests = [f"GET /{n}" for n in range(8)]
    result = await compare(FINE, new, requests=requests, concurrency=2)
    assert result.verdict is Verdict.PASS, result.summary
    assert groups(result, "fail", "warn", "note") == []
    assert len(new.asked) == 8


async def test_what_writes_is_not_sent_again_by_itself(compare: Compare) -> None:
    for method in ("PUT", "DELETE", "POST"):
        new = RawServer(no_answer)
        request = {"method": method, "path": "/tasks/1", "unsafe": True}
        assert (await compare(FINE, new, requests=[request])).verdict is Verdict.FAIL
        assert len(new.asked) == 1


async def test_an_answer_that_comes_only_the_second_time_is_found(compare: Compare) -> None:
    """On a connection of its own: nobody but new gave it up."""
    result = await compare(FINE, RawServer(no_answer, FINE))
    assert result.verdict is Verdict.FAIL
    assert "not every time" in result.summary


async def test_informational_answers_are_passed_over(compare: Compare) -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"
    assert (await compare(FINE, early + FINE)).verdict is Verdict.PASS
    assert (await compare(FINE, b"HTTP/1.1 100 Continue\r\n\r\n" + json_answer({"a": 2}))).verdict is Verdict.FAIL


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


MB = 1024 * 1024
BIG_MB = 200
BLOCK = (b'"' + b"x" * 1021 + b'",') * 1024


def big(end: bytes) -> Respond:
    """A list of 200 MB, whose last item is ``end``; nobody here keeps it."""

    async def respond(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(raw(200, JSON, f"Content-Length: {BIG_MB * MB + len(end) + 2}", length=False) + b"[")
        with contextlib.suppress(ConnectionError):
            for _block in range(BIG_MB):
                writer.write(BLOCK)
                await writer.drain()
            writer.write(end + b"]")

    return respond


def bomb(end: bytes) -> bytes:
    """The same, zipped: less than a megabyte."""
    zipping = zlib.compressobj(9, wbits=16 + zlib.MAX_WBITS)
    body = zipping.compress(b"[") + b"".join(zipping.compress(BLOCK) for _ in range(BIG_MB))
    return raw(200, JSON, "Content-Encoding: gzip", body=body + zipping.compress(end + b"]") + zipping.flush())


@asynccontextmanager
async def at_most(memory_mb: int, seconds: float) -> AsyncIterator[None]:
    """Of this process and those it starts, beyond what they take now."""
    me, most = psutil.Process(), 0

    def taken() -> int:
        total = 0
        for process in (me, *me.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                total += process.memory_info().rss
        return total

    async def watch() -> None:
        nonlocal most
        while True:
            most = max(most, taken())
            await asyncio.sleep(0.02)

    before = taken()
    watching = asyncio.ensure_future(watch())
    try:
        async with asyncio.timeout(seconds):
            yield
    finally:
        watching.cancel()
    assert (most - before) / MB < memory_mb


@pytest.mark.parametrize("answer", [big(b"1"), bomb(b"1")], ids=["plain", "gzip"])
async def test_200_mb_are_too_large_and_take_no_more_than_the_limit(answer: bytes | Respond, compare: Compare) -> None:
    async def new(head: bytes, writer: asyncio.StreamWriter) -> None:
        if b"/big" not in head:
            writer.write(FINE)
        elif isinstance(answer, bytes):
            writer.write(answer)
        else:
            await answer(head, writer)

    async with at_most(memory_mb=60, seconds=20):
        result = await compare(FINE, new, requests=["GET /big", "GET /a"], max_body="10mb")
    assert result.verdict is Verdict.UNKNOWN
    assert "larger than 10485760 bytes" in result.details["unknown"]["first"][0]
    assert result.details["compared"] == 1


@pytest.mark.parametrize("make", [big, bomb], ids=["plain", "gzip"])
async def test_200_mb_within_the_limit_are_compared(
    make: Callable[[bytes], object], compare: Compare, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Held, handed on, parsed: less than six times what both say. What writes is asked for once, which is enough."""
    monkeypatch.setattr(work, "COMPARE_TIMEOUT_S", 80.0)
    request = {"method": "POST", "path": "/a", "unsafe": True}
    async with at_most(memory_mb=12 * BIG_MB, seconds=100):
        result = await compare(make(b"1"), make(b"2"), requests=[request], max_body="256mb", timeout="60s")
    assert result.verdict is Verdict.FAIL, result.summary
    assert groups(result) == [("value", "$[]", 1)]


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


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1e999999", "1e999998"),
        ("1e-999999", "1e-999998"),
        ("1" * 5000, "1" * 4999 + "2"),
        ("1e-999999", "0"),
        ("1" + "0" * 4400, "1e4401"),
    ],
)
async def test_huge_numbers_are_told_apart(one: str, other: str, compare: Compare) -> None:
    result = await compare(json_answer(f'{{"n": {one}}}'), json_answer(f'{{"n": {other}}}'))
    assert groups(result) == [("value", "$.n", 1)]
    assert len(str(result.details)) < 5000


async def test_huge_numbers_in_two_spellings_are_equal(compare: Compare) -> None:
    for one, other in (("1e999999", "10.0E+999998"), ("1" + "0" * 4400, "1e4400"), ("0e999999999", "0")):
        result = await compare(json_answer(f'{{"n": {one}}}'), json_answer(f'{{"n": {other}}}'))
        assert result.verdict is Verdict.PASS, (one[:9], result.summary)


BROKEN_JSON = {
    "broken UTF-8": b'{"a": "\xff\xfe"}',
    "half of a UTF-8 letter": b'{"a": "\xc3"}',
    "UTF-8 of a surrogate": b'{"a": "\xed\xa0\x80"}',
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "Latin-1": '{"a": "é"}'.encode("latin-1"),
    "a byte order mark": b'\xef\xbb\xbf{"a": 1}',
    "a duplicate member": b'{"a": 1, "a": 1}',
    "a duplicate member in another spelling": b'{"a": 1, "\\u0061": 1}',
    "cut in a string": b'{"a": "1',
    "cut in an escape": b'{"a": "\\u00',
    "cut in a number": b'{"a": 1.',
    "two documents": b'{"a": 1}{"a": 1}',
    "a comma too many": b'{"a": 1,}',
    "single quotes": b"{'a': 1}",
    "NaN": b'{"a": NaN}',
    "a zero byte": b'{"a": "\x00"}',
    "nothing but space": b"  ",
}


@pytest.mark.parametrize("body", BROKEN_JSON.values(), ids=BROKEN_JSON)
async def test_what_is_no_json_fails_even_where_everything_is_ignored(body: bytes, compare: Compare) -> None:
    for settings in ({}, {"ignore": ["$.a", "$[*]"]}, {"null_equals_missing": ["$.a"]}):
        result = await compare(FINE, json_answer(body), **settings)
        assert groups(result) == [("body", "$", 1)], settings
        assert (await compare(json_answer(body), FINE, **settings)).verdict is Verdict.FAIL


async def test_another_charset_fails(compare: Compare) -> None:
    latin = raw(200, f"{JSON}; charset=iso-8859-1", body='{"a": "é"}'.encode("latin-1"))
    result = await compare(json_answer({"a": "é"}), latin)
    assert sorted(groups(result)) == [("body", "$", 1), ("header", "Content-Type", 1)]


async def test_names_as_long_as_a_body_make_short_paths(compare: Compare) -> None:
    name = "n" * 100_000
    old, new = ({name: {f"{name}{n}": value for n in range(20)}} for value in (1, 2))
    result = await compare(json_answer(old), json_answer(new))
    assert result.verdict is Verdict.FAIL
    assert sum(count for _, _, count in groups(result)) == 20
    assert len(str(result.details)) < 100_000


async def test_halves_of_surrogate_pairs_are_compared_and_can_be_written(compare: Compare) -> None:
    """Valid as JSON's escapes, and nothing that UTF-8 could hold."""
    old, new = '{"\\ud800": "\\udc00", "b": 1}', '{"\\ud800": "\\udc01", "b": 2}'
    result = await compare(json_answer(old), json_answer(new))
    assert groups(result) == [("value", "$.b", 1), ("value", '$["\\ud800"]', 1)]
    assert str(result.details).encode()
    assert (await compare(json_answer(old), json_answer(old + " "))).verdict is Verdict.PASS


@pytest.mark.parametrize(
    "body",
    [b"{}", gzip.compress(b"{}")[:-4],
     gzip.compress(b"{}")[:12], gzip.compress(b"{}") + b"more", b"\x1f\x8b" + b"x" * 50,
     gzip.compress(b'{"a": 1}')[:-8] + bytes(8)],
    ids=["none", "cut at its end", "cut", "goes on", "rubbish", "a wrong checksum"],
)  # fmt: skip
async def test_wrong_gzip_fails(body: bytes, compare: Compare) -> None:
    answer = raw(200, JSON, "Content-Encoding: gzip", body=body)
    assert groups(await compare(FINE, answer)) == [("body", "$", 1)]
    assert (await compare(answer, FINE)).verdict is Verdict.UNKNOWN


async def test_a_thousand_headers_and_long_ones_are_compared(compare: Compare) -> None:
    many = [f"X-{n}: {'v' * 40}" for n in range(900)]
    assert (await compare(json_answer("{}", *many), json_answer("{}", *many[1:]))).verdict is Verdict.FAIL
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
