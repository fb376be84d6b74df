"""Starts the demo's two backends as processes of their own, and ends them whatever happens."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self

from cutover.demo import tokens
from cutover.demo.data import DATABASE_ENV, create_database
from cutover.demo.faults import FAULT_ENV, known_fault
from cutover.errors import CutoverError, UsageError
from cutover.redact import redactor

HOST = "127.0.0.1"
TOKEN_ENV = "CUTOVER_DEMO_TOKEN"  # noqa: S105 - the name of a variable
AUDITOR = "user-63"  # signs in to compare; traffic never does anything as this user
READY_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 2.0
LOG_TAIL_BYTES = 2000
NEEDED = ("fastapi", "django", "rest_framework", "uvicorn")


def require_demo() -> None:
    """Raises ``UsageError`` where the demo's packages are not installed."""
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise UsageError(f"the demo needs {', '.join(missing)}", "pip install 'cutover[demo]'")


def free_port() -> int:
    """A port that nobody has at this moment, for the proxy."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@dataclass
class Backend:
    """A running backend."""

    kind: str
    port: int
    log: Path
    process: asyncio.subprocess.Process

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @classmethod
    async def start(cls, kind: str, log: Path, environment: dict[str, str]) -> Self:
        """Start it with a socket that listens already: no port can be taken in between."""
        with socket.create_server((HOST, 0)) as listener, log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-P", "-m", "cutover.demo.serve", kind, str(listener.fileno()),
                stdin=asyncio.subprocess.PIPE, stdout=output, stderr=output, pass_fds=[listener.fileno()],
                start_new_session=True, env=environment,
            )  # fmt: skip
            return cls(kind, listener.getsockname()[1], log, process)

    async def ready(self) -> None:
        """Return when it answers /health: asked once, as the question waits in the socket until somebody accepts it.

        Raises ``CutoverError`` when it ends or takes too long.
        """
        try:
            async with asyncio.timeout(READY_TIMEOUT_S):
                status = await self._health()
        except TimeoutError:
            raise self._not_ready(f"did not answer /health within {READY_TIMEOUT_S:g}s") from None
        except OSError as error:
            raise self._not_ready(f"closed the connection: {error}") from None
        if b" 200 " not in status:
            raise self._not_ready(f"answered /health with {status.decode(errors='replace').strip() or 'nothing'}")

    async def _health(self) -> bytes:
        reader, writer = await asyncio.open_connection(HOST, self.port)
        try:
            writer.write(b"GET /health HTTP/1.1\r\nHost: demo\r\nConnection: close\r\n\r\n")
            return await reader.readline()
        finally:
            writer.close()

    def _not_ready(self, what: str) -> CutoverError:
        tail = self.log.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace").strip()
        return CutoverError(f"the demo's {self.kind} backend {what}: {tail or 'it logged nothing'}", f"see {self.log}")

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self._signal(signal.SIGKILL)

    async def stop(self) -> None:
        self._signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await self.process.wait()
        except TimeoutError:
            self.kill()
            await self.process.wait()

    def _signal(self, number: signal.Signals) -> None:
        """By its group: ``Process.send_signal`` may take the exit status away from whoever waits for it."""
        if self.process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)


class Backends:
    """Old and new, on one fresh database in ``folder``, where their logs are too.

    ``async with Backends(folder, fault="token") as backends``: both answer inside, both are gone after it.
    ``environment`` is what a plan of the demo needs to be loaded: a token of a user who exists on both sides.
    """

    old: Backend
    new: Backend

    def __init__(self, folder: Path, fault: str | None = None) -> None:
        require_demo()
        self.folder = folder
        self.fault = known_fault(fault) if fault else None
        secret = secrets.token_hex(16)
        token = tokens.issue(AUDITOR, secret)
        redactor.add(secret)
        redactor.add(token)
        self.environment = {TOKEN_ENV: token}
        self._settings = {DATABASE_ENV: str(folder / "demo.db"), tokens.SECRET_ENV: secret}
        self._started: list[Backend] = []

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(create_database, Path(self._settings[DATABASE_ENV]))
        # A backend finds the same packages as this process, but nothing in the folder where it happens to run.
        packages = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        inherited = {name: value for name, value in os.environ.items() if name != FAULT_ENV}
        common = inherited | packages | self._settings
        broken = {FAULT_ENV: self.fault.name} if self.fault else {}
        try:
            self.old = await self._start("fastapi", common)
            self.new = await self._start("django", common | broken)
            await asyncio.gather(self.old.ready(), self.new.ready())
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    async def _start(self, kind: str, environment: dict[str, str]) -> Backend:
        backend = await Backend.start(kind, self.folder / f"{kind}.log", environment)
        self._started.append(backend)
        return backend

    async def stop(self) -> None:
        await asyncio.shield(asyncio.gather(*(backend.stop() for backend in self._started)))
