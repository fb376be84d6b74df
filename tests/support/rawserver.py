"""Two raw servers and the ``diff`` check between them: answers are bytes, so that nothing is made right on the way."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from cutover.checks.base import Result, Target
from cutover.traffic.observer import Observer

Respond = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]
PUBLIC_URL = "http://api.example:8080"


def raw(status: int = 200, *headers: str, body: bytes | str = b"", length: bool = True) -> bytes:
    """An HTTP/1.1 answer as it goes over the wire."""
    content = body if isinstance(body, bytes) else body.encode()
    lines = [f"HTTP/1.1 {status} X", *headers]
    if length:
        lines.append(f"Content-Length: {len(content)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + content


def json_answer(value: Any, *headers: str, status: int = 200) -> bytes:
    """``value`` is JSON text where it is a string, else something to dump."""
    text = value if isinstance(value, str | bytes) else json.dumps(value)
    return raw(status, "Content-Type: application/json", *headers, body=text)


class RawServer:
    """Answers with ``answers`` in turn, the last one for ever; ``asked`` are the heads of requests."""

    def __init__(self, *answers: bytes | Respond) -> None:
        self.answers = list(answers)
        self.asked: list[bytes] = []
        self.tasks: set[asyncio.Task[None]] = set()
        self.url = ""

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if (task := asyncio.current_task()) is not None:
            self.tasks.add(task)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                await self._read_body(head, reader)
                self.asked.append(head)
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                if isinstance(answer, bytes):
                    writer.write(answer)
                    await writer.drain()
                else:
                    await answer(head, writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            return
        finally:
            writer.close()

    @staticmethod
    async def _read_body(head: bytes, reader: asyncio.StreamReader) -> None:
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                await reader.readexactly(int(line.split(b":")[1]))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[RawServer]:
        server = await asyncio.start_server(self, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()[:2]
        self.url = f"http://{host}:{port}"
        try:
            yield self
        finally:
            server.close()
            for task in self.tasks:
                task.cancel()
            await asyncio.gather(*self.tasks, return_exceptions=True)


class _Proxy:
    url = PUBLIC_URL


class _Plan:
    proxy = _Proxy()


class Context:
    """What a check is given, as far as ``diff`` looks at it."""

    def __init__(self, old: str, new: str, artifacts: Path) -> None:
        self.targets = {
            "old": Target("old", old, {"Authorization": "Bearer old-side"}),
            "new": Target("new", new, {"Authorization": "Bearer new-side"}),
        }
        self.plan: Any = _Plan()
        self.artifacts = artifacts
        self.said: list[str] = []
        self.progress = self.said.append

    def target(self, name: str) -> Target:
        return self.targets[name]

    async def log_trouble(self) -> str | None:
        return None

    @property
    def traffic(self) -> Observer:
        raise AssertionError("nothing here asks for traffic")


def groups(result: Result, *levels: str) -> list[tuple[str, str, int]]:
    """Kind, path and count of what was found; failures unless other levels are named."""
    wanted = levels or ("fail",)
    return [(g["kind"], g["path"], g["count"]) for g in result.details["groups"] if g["level"] in wanted]
