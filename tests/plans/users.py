"""Users of a site: what they ask reaches the proxy's log, and so the gates on traffic."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import re
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlsplit

CONNECTIONS = 40
PAUSE_S = 0.005
NOBODY_THERE_S = 0.05
STOP_LIMIT_S = 10
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")


@dataclass(frozen=True)
class Visit:
    path: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""


class Users:
    """They ask all ``visits`` in turn, each with the headers of the next of ``people``; as a context, while it lasts.

    They come before there is a proxy, and come again after an answer that they did not get. What they were answered
    says nothing here: that is for the gates to judge.
    """

    def __init__(self, url: str, visits: Sequence[Visit], people: Sequence[Mapping[str, str]] = ({},)) -> None:
        self._url = urlsplit(url)
        # Each visit by each of the people, whatever their numbers are.
        self._requests = itertools.cycle([_request(visit, who) for who in people for visit in visits])
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._all()), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._leaving.set()
        self._thread.join(timeout=STOP_LIMIT_S)

    async def _all(self) -> None:
        async with asyncio.timeout(None) as limit:
            clients = [asyncio.create_task(self._client()) for _ in range(CONNECTIONS)]
            await asyncio.to_thread(self._leaving.wait)
            # They leave with their answers: a connection that is being made can't be given up without a trace.
            limit.reschedule(asyncio.get_running_loop().time() + STOP_LIMIT_S)
            await asyncio.gather(*clients)

    async def _client(self) -> None:
        while not self._leaving.is_set():
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await self._connection()
            await asyncio.sleep(NOBODY_THERE_S)

    async def _connection(self) -> None:
        tls = ssl._create_unverified_context() if self._url.scheme == "https" else None  # noqa: S323 - a test's own
        reader, writer = await asyncio.open_connection(self._url.hostname, self._url.port, ssl=tls)
        try:
            while not self._leaving.is_set():
                writer.write(next(self._requests))
                head = await reader.readuntil(b"\r\n\r\n")
                length = _LENGTH.search(head)
                await reader.readexactly(int(length[1]) if length else 0)
                await asyncio.sleep(PAUSE_S)
        finally:
            writer.transport.abort()


def _request(visit: Visit, who: Mapping[str, str]) -> bytes:
    given = {"Host": "127.0.0.1", "Content-Length": str(len(visit.body)), **visit.headers, **who}
    lines = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    return f"{visit.method} {visit.path} HTTP/1.1\r\n{lines}\r\n{visit.body}".encode()


def people(headers: Callable[[str], Mapping[str, str]], key: Callable[[str], str]) -> list[Mapping[str, str]]:
    """Of a split by client: six who are on new from weight 1 on, and two who are the last on old.

    So a hold is short and new has its 100 requests all the same, where a site has 100 times as many. ``key``: what
    nginx makes a client's bucket of.
    """
    return [headers(name) for bucket, many in ((0, 6), (99, 2)) for name in itertools.islice(_in(bucket, key), many)]


def agents(headers: Mapping[str, str] | None = None) -> list[Mapping[str, str]]:
    """Where address and agent tell clients apart, as they do unless the plan says."""
    return people(lambda name: {"User-Agent": name, **(headers or {})}, lambda name: f"127.0.0.1{name}")


def _in(bucket: int, key: Callable[[str], str]) -> Iterator[str]:
    names = (f"user {number}" for number in itertools.count())
    return (name for name in names if bucket_of(key(name)) == bucket)


def bucket_of(key: str) -> int:
    """As nginx's ``split_clients`` counts: MurmurHash2, in hundredths of its range."""
    data, factor, whole = key.encode(), 0x5BD1E995, 0xFFFFFFFF
    found, end = len(data), len(data) - len(data) % 4
    for place in range(0, end, 4):
        part = int.from_bytes(data[place : place + 4], "little") * factor & whole
        part = (part ^ part >> 24) * factor & whole
        found = found * factor & whole ^ part
    if rest := data[end:]:
        found = (found ^ int.from_bytes(rest, "little")) * factor & whole
    found = (found ^ found >> 13) * factor & whole
    found ^= found >> 15
    return min(found * 100 // whole, 99)
