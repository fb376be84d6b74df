"""A site before which somebody's own nginx stands, and what can go wrong around it."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.support.forks import Forks
from tests.support.nginx import SomebodysNginx
from tests.support.ports import free_port
from tests.support.site import Backend, Site

DISK = "size=640k,nr_inodes=200"
REQUESTS = 12
LIMIT_S = 15.0
# Fails once `go` is there: what a test does in between, the run meets when it has to go back.
FAILING = """\
shift:
  - shift: {to: 50}
  - command: {run: [sh, -c, "touch here; n=0; until [ -e go ] || [ $n -gt 999 ]; do n=$((n+1)); sleep 0.02; done"]}
  - http: {backend: new, path: /health, status: 418}
"""
PHASES = """\
preflight:
  - http: {backend: old, path: /health}
shift:
  - shift: {to: 50}
"""

OLD: set[str | None] = {"old"}
BOTH: set[str | None] = {"old", "new"}
NOBODY: set[str | None] = {None}


@dataclass(frozen=True)
class Comes:
    """What comes of a command."""

    exit_code: int
    served_by: set[str | None]
    says: tuple[str, ...] = ()


@dataclass
class Edge(Site):
    """A site in folders of its own: ``open`` is open to nginx's workers, ``disks`` are mounted small file systems."""

    nginx: SomebodysNginx = field(kw_only=True)
    open: Path = field(kw_only=True)
    by: str = "request"
    disks: list[Path] = field(default_factory=list)

    def plan(self, phases: str = PHASES, **more: str) -> None:
        split = f"{{by: client, dir: {self.switch}}}" if self.by == "client" else "{by: request}"
        self.write_plan(phases, split=split, **more)

    @property
    def conf_d(self) -> Path:
        return self.nginx.config.parent

    @property
    def switch(self) -> Path:
        return self.open / "switch"

    @property
    def file(self) -> Path:
        return Path(self.config)

    def disk(self, folder: Path) -> Path:
        """Make a folder a small file system of its own."""
        mount(folder, 0o700 if folder == self.state else 0o755)
        self.disks.append(folder)
        return folder

    def read_only(self, folder: Path) -> None:
        subprocess.run(["mount", "-o", "remount,ro", folder], check=True)

    def writable(self, folder: Path) -> None:
        subprocess.run(["mount", "-o", "remount,rw", folder], check=True)

    def kill_nginx(self) -> None:
        """Its pid file stays behind."""
        master = int(self.nginx.pid_file.read_text())
        workers = Path(f"/proc/{master}/task/{master}/children").read_text().split()
        for pid in (master, *map(int, workers)):
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not Path(f"/proc/{master}").exists() or self.answer() is None)

    def reload(self) -> None:
        """As an administrator does it: workers from before are gone when it returns."""
        master = int(self.nginx.pid_file.read_text())
        children = Path(f"/proc/{master}/task/{master}/children")
        before = set(children.read_text().split())
        os.kill(master, signal.SIGHUP)
        wait_until(lambda: not before & set(children.read_text().split()))

    def answer(self, agent: str = "one") -> str | None:
        """Who serves a client; None where nobody does."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/whoami", headers={"User-Agent": agent})
            answer = connection.getresponse()
            body = answer.read().decode()
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()
        return next((side for side in ("old", "new") if f'"{side}"' in body), str(answer.status))

    def served_by(self) -> set[str | None]:
        """Everybody who serves some of many clients."""
        return {self.answer(f"agent {number}") for number in range(REQUESTS)}

    def run_until_it_waits(self) -> subprocess.Popen[str]:
        """Begin a run of ``FAILING``, up to where it waits to fail."""
        process = self.start("run")
        wait_until(lambda: (self.folder / "here").exists() or process.poll() is not None)
        return process

    def let_it_fail(self, process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
        (self.folder / "go").touch()
        out, err = process.communicate(timeout=60)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def stop(self) -> None:
        super().stop()
        asyncio.run(self.nginx.stop())
        for disk in reversed(self.disks):
            subprocess.run(["umount", "-l", disk], check=True)
        shutil.rmtree(self.open, ignore_errors=True)


@contextmanager
def edge_site(folder: Path, binary: str, forks: Forks, by: str = "request") -> Iterator[Edge]:
    """``folder`` is for the plan and the state."""
    open_folder = Path(tempfile.mkdtemp(prefix="cutover-edge-"))
    open_folder.chmod(0o755)
    old, new = Backend("old"), Backend("new")
    nginx = SomebodysNginx(open_folder / "edge", binary)
    control = f"local: {{binary: {binary}, pid_file: {nginx.pid_file}, conf: {nginx.conf}}}"
    config = str(nginx.config.with_name("site.conf"))
    made = Edge(
        folder, old, new, free_port(),
        control=control, config=config, forks=forks, nginx=nginx, open=open_folder, by=by,
    )  # fmt: skip
    try:
        yield made
    finally:
        made.stop()
        made.old.stop()
        made.new.stop()


def mount(folder: Path, mode: int) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", DISK, "cutover-test", folder], check=False).returncode:
        pytest.skip("this needs the right to mount file systems")
    folder.chmod(mode)


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of its own, closed to others."""
    mount(folder, 0o700)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def fill(folder: Path) -> Path:
    """Leave no room on a disk; the file that took it all."""
    filler = folder / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    return filler


def wait_until(holds: Any) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.005)


def judge(site: Edge, done: subprocess.CompletedProcess[str], expected: Comes | None) -> None:
    assert expected is not None
    said = f"{done.stdout}\n{done.stderr}"
    assert "Traceback" not in said, said
    assert done.returncode == expected.exit_code, said
    for words in expected.says:
        assert words in done.stderr
    assert site.served_by() == expected.served_by, said


def all_is_well_again(site: Edge) -> None:
    """What was left can be rolled back, and another run works."""
    site.cutover("rollback")
    assert site.served_by() == OLD
    site.cutover("run")
    assert site.served_by() == BOTH
