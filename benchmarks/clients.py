"""Keep-alive clients in a process of their own, which count what they lose.

    python benchmarks/clients.py PORT CLIENTS PAUSE_S

Each sends a request, reads the answer, rests for a moment and goes on, on one connection as long as the server keeps
it. One that was closed before the next request, or announced to close, is replaced and nothing is lost. Lost is what
was sent and not answered whole with 200. Ends with its standard input, and prints what it saw.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from typing import IO, Self

TIMEOUT_S = 15.0
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: (\d+)")
_CLOSE = re.compile(rb"(?i)\r\nconnection: close")


@dataclass(frozen=True)
class Seen:
    """Answers by their body, lost requests by what happened to them."""

    answered: dict[str, int]
    lost: dict[str, int]

    @property
    def requests(self) -> int:
        return sum(self.answered.values()) + self.losses

    @property
    def losses(self) -> int:
        return sum(self.lost.values())


class Clients:
    """The process, as a context; ``seen`` is there at its end."""

    seen: Seen

    def __init__(self, port: int, clients: int, pause_s: float) -> None:
        self._command = [sys.executable, __file__, str(port), str(clients), str(pause_s)]

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self._out.readline() != "ready\n":
            self._process.kill()
            raise RuntimeError("the clients get no answers")
        return self

    def __exit__(self, *exc: object) -> None:
        try:
            out, _ = self._process.communicate(timeout=TIMEOUT_S)
        finally:
            self._process.kill()
        self.seen = Seen(**json.loads(out))

    @property
    def _out(self) -> IO[str]:
        assert self._process.stdout is not None
        return self._process.stdout


class _Client:
    def __init__(self, port: int, number: int, answered: Counter[str], lost: Counter[str]) -> None:
        self.port = port
        self.request = f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: client {number}\r\n\r\n".encode()
        self.answered = answered
        self.lost = lost

    async def run(self, pause_s: float, stop: asyncio.Event) -> None:
        reader, writer = await self._connect()
        while not stop.is_set():
            kept = not reader.at_eof()
            if kept:
                try:
                    async with asyncio.timeout(TIMEOUT_S):
                        kept = await self._ask(reader, writer)
                except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
                    self.lost[type(error).__name__] += 1
                    kept = False
                await asyncio.sleep(pause_s)
            if not kept:
                writer.close()
                reader, writer = await self._connect()
        writer.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while True:
            try:
                return await asyncio.open_connection("127.0.0.1", self.port)
            except OSError as error:
                self.lost[type(error).__name__] += 1
                await asyncio.sleep(0.01)

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection is kept."""
        writer.write(self.request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        body = await reader.readexactly(int(length.group(1)) if length else 0)
        if head.startswith(b"HTTP/1.1 200 "):
            self.answered[body.decode().strip()] += 1
        else:
            self.lost[head.partition(b"\r\n")[0].decode()] += 1
        return not _CLOSE.search(head)


async def serve(port: int, clients: int, pause_s: float) -> None:
    answered, lost, stop = Counter[str](), Counter[str](), asyncio.Event()
    tasks = [asyncio.create_task(_Client(port, number, answered, lost).run(pause_s, stop)) for number in range(clients)]
    async with asyncio.timeout(TIMEOUT_S):
        while answered.total() < clients:  # noqa: ASYNC110 - how many have answered is no event
            await asyncio.sleep(0.005)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    stop.set()
    await asyncio.gather(*tasks)
    print(json.dumps({"answered": answered, "lost": lost}))


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
