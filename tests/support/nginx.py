"""Real nginx, real backends: a bench to try a proxy on, and clients that count what fails."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from cutover.paths import StateFolder
from cutover.proxy import NginxProxy, ProxySpec, open_proxy
from cutover.proxy.base import Intent
from tests.support.ports import free_port

LIMIT_S = 15.0


class Backend:
    """A tiny HTTP/1.1 server that answers its name.

    ``how``: ``ok``, ``reset`` (closes hard once it has the request), ``hang``, ``upgrade`` (101, then echoes).
    ``seen`` counts requests by method, ``heads`` keeps the last request head.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.how = "ok"
        self.status = 200
        self.delay_s = 0.0
        self.seen: Counter[str] = Counter()
        self.head = ""
        self.body = b""
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self._server = await asyncio.start_server(self._accept, host, port)
        self.port: int = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def server(self) -> str:
        return f"127.0.0.1:{self.port}"

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await _read_head(reader):
                self.head = head
                self.seen[head.split()[0]] += 1
                self.body = await reader.readexactly(_content_length(head))
                if not await self._answer(head, reader, writer):
                    return
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _answer(self, head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if self.how == "reset":
            writer.transport.abort()
            return False
        if self.how == "hang":
            await asyncio.sleep(LIMIT_S)
            return False
        if self.how == "upgrade":
            writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
            while data := await reader.read(1024):
                writer.write(data)
            return False
        await asyncio.sleep(self.delay_s)
        body = b"" if head.startswith("HEAD") else self.name.encode()
        writer.write(b"HTTP/1.1 %d OK\r\nContent-Length: %d\r\n\r\n%s" % (self.status, len(self.name), body))
        await writer.drain()
        return True


async def _read_head(reader: asyncio.StreamReader) -> str:
    try:
        return (await reader.readuntil(b"\r\n\r\n")).decode()
    except asyncio.IncompleteReadError:
        return ""


def _content_length(head: str) -> int:
    lengths = [line.split(":")[1] for line in head.splitlines() if line.lower().startswith("content-length:")]
    return int(lengths[0]) if lengths else 0


@dataclass(frozen=True)
class Answer:
    status: int
    head: str
    body: str


async def fetch(
    port: int, path: str = "/", method: str = "GET", headers: dict[str, str] | None = None, body: bytes = b""
) -> Answer:
    """One request on a fresh connection."""
    async with asyncio.timeout(LIMIT_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            given = {"Host": "api.example", "Connection": "close", "Content-Length": str(len(body)), **(headers or {})}
            lines = "".join(f"{name}: {value}\r\n" for name, value in given.items())
            writer.write(f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode() + body)
            raw = await reader.read()
        finally:
            writer.close()
    head, _, rest = raw.partition(b"\r\n\r\n")
    return Answer(int(head.split()[1]), head.decode(), rest.decode())


class Clients:
    """Keep-alive clients that never rest. ``failed`` lists requests that were sent and not answered with 200."""

    def __init__(self, port: int, count: int = 20, path: str = "/") -> None:
        self.port = port
        self.path = path
        self.answered: Counter[str] = Counter()
        self.failed: list[str] = []
        self._count = count
        self._stop = asyncio.Event()

    @property
    def requests(self) -> int:
        return self.answered.total()

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._client(number)) for number in range(self._count)]
        await self.more(self._count)
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._stop.set()
        async with asyncio.timeout(LIMIT_S):
            await asyncio.gather(*self._tasks)

    async def more(self, requests: int) -> None:
        """Wait until so many further requests are answered."""
        wanted = self.requests + requests
        async with asyncio.timeout(LIMIT_S):
            while self.requests < wanted:
                await asyncio.sleep(0.002)

    async def _client(self, number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        request = f"GET {self.path} HTTP/1.1\r\nHost: api.example\r\nUser-Agent: client {number}\r\n\r\n".encode()
        while not self._stop.is_set():
            if reader.at_eof():
                writer.close()
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            try:
                writer.write(request)
                head = await _read_head(reader)
                body = (await reader.readexactly(_content_length(head))).decode()
                if not head.startswith("HTTP/1.1 200 "):
                    self.failed.append(head.partition("\r\n")[0] or "closed without an answer")
                self.answered[body] += 1
                if "connection: close" in head.lower():
                    reader.feed_eof()
            except (ConnectionError, asyncio.IncompleteReadError) as error:
                self.failed.append(repr(error))
                writer.close()
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            await asyncio.sleep(0.001)
        writer.close()


@dataclass
class Bench:
    """Backends and proxies that end with the test. ``intents`` is what the guard was told."""

    folder: Path
    open_folder: Path
    binary: str
    old: Backend
    new: Backend
    port: int = field(default_factory=free_port)
    intents: list[Intent] = field(default_factory=list)
    _endings: list[Callable[[], Awaitable[None]]] = field(default_factory=list)

    @classmethod
    @asynccontextmanager
    async def started(cls, folder: Path, binary: str) -> AsyncIterator[Bench]:
        with tempfile.TemporaryDirectory(prefix="cutover-test-") as open_folder:
            Path(open_folder).chmod(0o755)
            made = cls(folder, Path(open_folder), binary, await _started("old"), await _started("new"))
            try:
                yield made
            finally:
                for end in reversed(made._endings):
                    await end()
                await made.old.stop()
                await made.new.stop()

    @asynccontextmanager
    async def guard(self, intent: Intent) -> AsyncIterator[None]:
        self.intents.append(intent)
        yield

    async def backend(self, name: str) -> Backend:
        made = await _started(name)
        self._endings.append(made.stop)
        return made

    def spec(self, **proxy: Any) -> ProxySpec:
        """A spec with a managed nginx; ``proxy`` are keys as under ``proxy:`` in a plan, and ``old``, ``new``..."""
        outer = {key: proxy.pop(key) for key in ("name", "old", "new", "fallback") if key in proxy}
        split = {"by": "request", **proxy.pop("split", {})}
        if split["by"] == "client":
            # pytest's own folder is closed to the workers of a root's nginx.
            split.setdefault("dir", str(self.open_folder / "switch"))
        settings: dict[str, Any] = {
            "url": f"http://127.0.0.1:{self.port}",
            "control": {"managed": {"binary": self.binary}},
            "server": {"listen": f"127.0.0.1:{self.port}"},
            "split": split,
            **proxy,
        }
        return ProxySpec.model_validate(
            {
                "name": "medical-api",
                "old": [self.old.server],
                "new": [self.new.server],
                **outer,
                "proxy": {key: value for key, value in settings.items() if value is not None},
            }
        )

    @property
    def state(self) -> StateFolder:
        return StateFolder(self.folder / "state")

    def proxy(self, spec: ProxySpec | None = None, templates: Path | None = None) -> NginxProxy:
        """A proxy whose nginx, if it is managed, is stopped at the end."""
        self.folder.chmod(0o755)
        proxy = open_proxy(spec or self.spec(), self.state, templates)
        if proxy.managed:
            self._endings.append(proxy.host.stop)
        return proxy

    async def ready(self, spec: ProxySpec | None = None) -> NginxProxy:
        proxy = self.proxy(spec)
        await proxy.ensure(self.guard)
        return proxy

    async def share(self, requests: int, path: str = "/", **headers: str) -> Counter[str]:
        """Who answered so many requests, each on a fresh connection with a user agent of its own."""
        answers: Counter[str] = Counter()
        for number in range(requests):
            answers[(await fetch(self.port, path, headers={"User-Agent": f"agent {number}", **headers})).body] += 1
        return answers

    def somebodys_nginx(self, *, conf: str = "", start: bool = True) -> SomebodysNginx:
        """An nginx that is not cutover's, with a ``conf.d``."""
        made = SomebodysNginx(self.folder / "edge", self.binary, conf)
        if start:
            made.start()
        self._endings.append(made.stop)
        return made


async def _started(name: str) -> Backend:
    backend = Backend(name)
    await backend.start()
    return backend


class SomebodysNginx:
    """A plain nginx in a folder, as an administrator would have it."""

    def __init__(self, folder: Path, binary: str, conf: str = "") -> None:
        self.folder = folder
        self.binary = binary
        (folder / "conf.d").mkdir(parents=True)
        folder.chmod(0o755)
        self.conf = folder / "nginx.conf"
        self.pid_file = folder / "nginx.pid"
        temps = "".join(
            f"{kind}_temp_path {folder}/temp-{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        self.conf.write_text(
            f"worker_processes 2;\npid {self.pid_file};\nerror_log {folder}/error.log notice;\n"
            f"events {{ worker_connections 1024; }}\n"
            f"http {{\n{temps}access_log off;\n{conf}\ninclude conf.d/*.conf;\n}}\n"
        )

    @property
    def control(self) -> dict[str, Any]:
        return {"local": {"binary": self.binary, "pid_file": str(self.pid_file), "conf": str(self.conf)}}

    @property
    def config(self) -> Path:
        """Where cutover's file goes."""
        return self.folder / "conf.d" / "medical-api.conf"

    @property
    def log(self) -> str:
        return (self.folder / "error.log").read_text()

    def run(self, *options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.binary, "-p", str(self.folder), "-c", str(self.conf), *options],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, timeout=LIMIT_S, check=False,
        )  # fmt: skip

    def start(self) -> None:
        with (self.folder / "start.log").open("w") as log:
            subprocess.run(
                [self.binary, "-p", str(self.folder), "-c", str(self.conf)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=LIMIT_S, check=True,
            )  # fmt: skip
        _wait_until(lambda: _title(self._pid()).startswith(b"nginx: master process"))

    def _pid(self) -> str:
        return self.pid_file.read_text().strip() if self.pid_file.exists() else ""

    async def stop(self) -> None:
        if pid := self._pid():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGTERM)
                await asyncio.to_thread(_wait_until, lambda: not _title(pid))


def kill_master(pid_file: Path) -> frozenset[int]:
    """As the OOM killer does it: the master alone. Its workers, which serve on; not those that are leaving."""
    master = pid_file.read_text().strip()
    children = Path(f"/proc/{master}/task/{master}/children").read_text().split()
    os.kill(int(master), signal.SIGKILL)
    _wait_until(lambda: not _title(master))
    titles = {int(child): _title(child) for child in children}
    return frozenset(child for child, title in titles.items() if title and b"shutting down" not in title)


def living(workers: frozenset[int]) -> frozenset[int]:
    """Those that have not ended."""
    return frozenset(worker for worker in workers if _title(str(worker)))


def kill_all(workers: frozenset[int]) -> None:
    for worker in living(workers):
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)


def _title(pid: str) -> bytes:
    """Empty for a process that ended, reaped or not."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.005)
