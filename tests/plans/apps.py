"""Backends for the shipped plans: each answers what a function says, over real HTTP, and fast enough for loads."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")
START_TIMEOUT_S = 10
SWITCHING_PROTOCOLS = 101
USERS_WAIT_S = 0.05
"""What old and new take for a user's request: else most of the time would be what the machine does beside."""
_SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"


@dataclass(frozen=True)
class Asked:
    """A request; ``path`` is without the query, the names of ``headers`` are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def token(self) -> str:
        return self.headers.get("authorization", "").removeprefix("Bearer ")

    @property
    def of_a_user(self) -> bool:
        """And not one of cutover's own."""
        return "x-cutover-probe" not in self.headers

    @property
    def upgrades(self) -> bool:
        return "upgrade" in self.headers.get("connection", "").lower() and "upgrade" in self.headers


Answer = tuple[int, object]
"""A status and what becomes JSON; a text goes out as HTML."""


class App:
    """Counts what it was asked in ``seen``. ``answer`` and ``delays`` (seconds, by path) can be changed at any time.

    So can ``users_wait``, the delays of those requests that are not cutover's own.
    """

    def __init__(self, answer: Callable[[Asked], Answer]) -> None:
        self.answer = answer
        self.delays: dict[str, float] = {}
        self.users_wait: dict[str, float] = {}
        self.seen: Counter[str] = Counter()
        self.last_headers: Mapping[str, str] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = self._in_loop(asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=256))
        self.port: int = self._server.sockets[0].getsockname()[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def server(self) -> str:
        return f"127.0.0.1:{self.port}"

    def stop(self) -> None:
        self._in_loop(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=START_TIMEOUT_S)
        self._loop.close()

    def _in_loop(self, work: Coroutine[object, object, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(START_TIMEOUT_S)

    async def _end(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._exchange(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request; whether another one may follow."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        method, target, _ = first.split(" ")
        asked = Asked(method, target.partition("?")[0], headers, body)
        self.seen[asked.path] += 1
        self.last_headers = headers
        if delay := self.delays.get(asked.path, 0) + self._wait_of(asked):
            await asyncio.sleep(delay)
        status, said = self.answer(asked)
        writer.write(_SWITCH if status == SWITCHING_PROTOCOLS else _answer(status, said))
        await writer.drain()
        return status != SWITCHING_PROTOCOLS and headers.get("connection", "").lower() != "close"

    def _wait_of(self, asked: Asked) -> float:
        return self.users_wait.get(asked.path, USERS_WAIT_S) if asked.of_a_user else 0


def _answer(status: int, said: object) -> bytes:
    html = isinstance(said, str)
    body = str(said).encode() if html else json.dumps(said).encode()
    kind = "text/html" if html else "application/json"
    head = f"HTTP/1.1 {status} Answer\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body
