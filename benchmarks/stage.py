"""Where a benchmark plays: two backends, an nginx by hand or a plan with a managed one, and whole commands."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.machine import Nginx, program

LIMIT_S = 15.0
COMMAND_TIMEOUT_S = 60.0
POLL_S = 0.01


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody has at this moment."""
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        port: int = asked.getsockname()[1]
        return port


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder that nginx's workers may enter."""
    with tempfile.TemporaryDirectory(prefix="cutover-bench-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@contextmanager
def serving(command: Sequence[str], port: int) -> Iterator[None]:
    """A server that stays in the foreground; ready when its port answers, gone at the end."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        deadline = time.monotonic() + LIMIT_S
        while not _answers(port):
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                raise RuntimeError(f"{command[0]} did not come up: {process.communicate()[1].decode()}")
            time.sleep(POLL_S)
        yield
    finally:
        process.terminate()
        process.communicate(timeout=LIMIT_S)


@dataclass(frozen=True)
class Backends:
    old: int
    new: int


@contextmanager
def backends(nginx: Nginx, folder: Path) -> Iterator[Backends]:
    """Two ports of one nginx that answer ``old`` and ``new`` at once: what is lost is not lost here."""
    made = Backends(free_port(), free_port())
    servers = "".join(
        f'server {{ listen 127.0.0.1:{port}; location / {{ return 200 "{name}\\n"; }} }}\n'
        for name, port in (("old", made.old), ("new", made.new))
    )
    conf = write_conf(folder / "backends", f"keepalive_requests 1000000000;\n{servers}", workers="1")
    with serving([nginx.binary, "-p", str(conf.parent), "-c", str(conf), "-g", "daemon off;"], made.new):
        yield made


def write_conf(folder: Path, http: str, *, workers: str = "auto") -> Path:
    """A main configuration in a folder of its own that leaves nothing outside of it."""
    folder.mkdir()
    conf = folder / "nginx.conf"
    temps = "".join(
        f"{kind}_temp_path {folder}/temp-{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    conf.write_text(
        f"worker_processes {workers};\nworker_rlimit_nofile 16384;\npid {folder}/nginx.pid;\n"
        f"error_log {folder}/error.log;\nevents {{ worker_connections 4096; }}\n"
        f"http {{\naccess_log off;\n{temps}{http}}}\n"
    )
    return conf


def first_answer(port: int, path: str, wanted: str, asking: threading.Event | None = None) -> float:
    """When a fresh connection got an answer that has ``wanted`` in its head or body, by ``time.perf_counter()``.

    ``asking`` is set once a first answer has come, whatever it was.
    """
    deadline = time.monotonic() + LIMIT_S
    while wanted not in fetch(port, path):
        if asking is not None:
            asking.set()
        assert time.monotonic() < deadline, f"{wanted!r} never answers at {path}"
    return time.perf_counter()


def fetch(port: int, path: str = "/") -> str:
    """An answer, head and body, on a fresh connection."""
    with socket.create_connection(("127.0.0.1", port), LIMIT_S) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while part := connection.recv(4096):
            answer += part
    return answer.decode()


@dataclass
class Site:
    """A plan with a managed nginx, and the command line as people run it."""

    folder: Path
    port: int

    @property
    def env(self) -> dict[str, str]:
        """As a user has it: Python may keep what it compiled, and nothing of ours shows."""
        mine = {k: v for k, v in os.environ.items() if not k.startswith(("CUTOVER_", "XDG_", "PYTHONDONTWRITE"))}
        return {**mine, "XDG_STATE_HOME": str(self.folder / "state"), "NO_COLOR": "1"}

    def cutover(self, *args: str) -> str:
        return self.run(*self.command(*args))

    def command(self, *args: str) -> list[str]:
        script = program("cutover")
        return [*([script] if script else [sys.executable, "-m", "cutover"]), *args]

    def run(self, *command: str) -> str:
        """What it said on standard output."""
        done = subprocess.run(
            command, cwd=self.folder, env=self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=COMMAND_TIMEOUT_S, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{' '.join(command)} left with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        return done.stdout


@contextmanager
def site(folder: Path, nginx: Nginx, backends: Backends, by: str, phases: str) -> Iterator[Site]:
    """A site whose nginx is stopped at the end. ``folder`` is made; ``phases`` is YAML."""
    folder.mkdir()
    made = Site(folder, free_port())
    (folder / "cutover.yml").write_text(plan(made.port, nginx, backends, by, phases, folder / "switch"))
    try:
        yield made
    finally:
        for pid_file in (folder / "state").rglob("nginx.pid"):
            _stop(int(pid_file.read_text()))


def plan(port: int, nginx: Nginx, backends: Backends, by: str, phases: str, switch: Path) -> str:
    split = f'{{by: client, dir: "{switch}"}}' if by == "client" else "{by: request}"
    return (
        "version: 1\nname: bench\nbackends:\n"
        f'  old: {{url: "http://127.0.0.1:{backends.old}"}}\n  new: {{url: "http://127.0.0.1:{backends.new}"}}\n'
        f'proxy:\n  url: "http://127.0.0.1:{port}"\n  control: {{managed: {{binary: "{nginx.binary}"}}}}\n'
        f'  server: {{listen: "127.0.0.1:{port}"}}\n  split: {split}\nphases:\n{phases}'
    )


def _stop(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + LIMIT_S
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(POLL_S)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
