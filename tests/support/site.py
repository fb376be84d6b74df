"""A site to cut over: two backends, a plan with a managed nginx, and the command line as people run it."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import pytest

from tests.support.forks import Forks

COMMAND_TIMEOUT_S = 60


class Backend:
    """Answers the same JSON as its twin, but for ``/whoami``. ``status`` and ``delay_s`` can be changed at any time.

    So can ``failing``, the paths that answer 500, and of how many requests one loses its connection (``drops_one_of``).
    ``scripts`` are the next statuses of a path; when they have been answered, ``status`` is again.
    """

    def __init__(self, name: str, port: int = 0) -> None:
        self.name = name
        self.running = True
        self.status = 200
        self.delay_s = 0.0
        self.failing: frozenset[str] = frozenset()
        self.drops_one_of = 0
        self.seen: Counter[str] = Counter()
        self.scripts: dict[str, list[int]] = {}
        backend = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                if not backend.running:
                    self.close_connection = True
                    return
                backend.seen[self.path] += 1
                if backend.drops_one_of and backend.seen.total() % backend.drops_one_of == 0:
                    self.close_connection = True
                    return
                time.sleep(backend.delay_s)
                said = {"served_by": backend.name} if self.path == "/whoami" else {"path": self.path, "status": "ok"}
                body = json.dumps(said).encode()
                script = backend.scripts.get(self.path)
                usual = 500 if self.path in backend.failing else backend.status
                self.send_response(script.pop(0) if script else usual)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, request: object, client_address: object) -> None:
                pass

        self._server = Server(("127.0.0.1", port), Handler)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Connections that are kept are served no more."""
        if not self.running:
            return
        self.running = False
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)


@dataclass
class Site:
    """One plan with its backends. ``cutover`` runs a command and returns what came of it."""

    folder: Path
    old: Backend
    new: Backend
    port: int
    environ: dict[str, str] = field(default_factory=dict)
    started: list[subprocess.Popen[str]] = field(default_factory=list)
    control: str = field(default="managed: {}", kw_only=True)
    config: str = field(default="", kw_only=True)
    """The file that cutover owns, where nginx is not managed."""
    forks: Forks | None = field(default=None, kw_only=True)
    """Who runs ``cutover``, where that is not a fresh interpreter each time."""

    @property
    def plan_file(self) -> Path:
        return self.folder / "cutover.yml"

    @property
    def state(self) -> Path:
        return self.folder / "state" / "cutover" / "site"

    def write_plan(self, phases: str, *, split: str = "{by: request}", extra: str = "", proxy: str = "") -> None:
        self.plan_file.write_text(
            textwrap.dedent(f"""\
            version: 1
            name: site
            backends:
              old: {{url: "http://127.0.0.1:{self.old.port}"}}
              new: {{url: "http://127.0.0.1:{self.new.port}"}}
            proxy:
              url: http://127.0.0.1:{self.port}
              control: {{{self.control}}}
              server: {{listen: "127.0.0.1:{self.port}"}}
              split: {split}
            """)
            + (f"  config: {self.config}\n" if self.config else "")
            + textwrap.indent(textwrap.dedent(proxy), "  ")
            + textwrap.dedent(extra)
            + "phases:\n"
            + textwrap.indent(textwrap.dedent(phases), "  ")
        )

    def env(self) -> dict[str, str]:
        env = {k: v for k, v in os.environ.items() if not k.startswith(("CUTOVER_", "XDG_"))}
        return {**env, "XDG_STATE_HOME": str(self.folder / "state"), "NO_COLOR": "1", **self.environ}

    def start(self, *args: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "cutover", *args], cwd=self.folder, env=self.env(), text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self.started.append(process)
        return process

    def stop(self) -> None:
        """End what a test left running: commands first, then the managed nginx."""
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.communicate()
        stop_nginx(self)

    def cutover(self, *args: str, expect: int | None = 0) -> subprocess.CompletedProcess[str]:
        done = self.forks.run(args, self.folder, self.env()) if self.forks else self._run(*args)
        said = f"{done.stdout}\n{done.stderr}"
        if expect is not None:
            assert done.returncode == expect, f"cutover {' '.join(args)} left with {done.returncode}:\n{said}"
        assert "Traceback" not in said, said
        return done

    def _run(self, *args: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*args)
        try:
            out, err = process.communicate(timeout=COMMAND_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            pytest.fail(f"cutover {' '.join(args)} hung:\n{out}\n{err}")
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def status(self) -> dict[str, Any]:
        data: dict[str, Any] = json.loads(self.cutover("status", "--json").stdout)
        return data

    def get(self, path: str = "/whoami") -> tuple[int, dict[str, Any]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read()
            return answer.status, json.loads(body) if body.startswith(b"{") else {}
        finally:
            connection.close()

    def share_of_new(self, requests: int) -> float:
        """Percent of fresh connections that new answered."""
        served = Counter(self.get()[1].get("served_by") for _ in range(requests))
        return 100 * served["new"] / requests

    def share_served(self, requests: int) -> float:
        """Percent of all answers that new gave, over at least so many of somebody's traffic."""
        before = self.old.seen.total(), self.new.seen.total()
        deadline = time.monotonic() + 30
        while (old := self.old.seen.total() - before[0]) + (new := self.new.seen.total() - before[1]) < requests:
            assert time.monotonic() < deadline, "there is no traffic to count"
            time.sleep(0.05)
        return 100 * new / (old + new)

    def wait_for_state(self, *states: str, timeout_s: float = 30) -> dict[str, Any]:
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            status = self.status()
            if status["state"] in states:
                return status
            time.sleep(0.05)
        pytest.fail(f"state never became one of {states}: {self.status()}")


class Traffic:
    """Keep-alive clients that count what fails; as a context, over the lifetime of a block."""

    def __init__(self, port: int, clients: int = 8, paths: Sequence[str] = ("/studies",)) -> None:
        self.port = port
        self.paths = paths
        self.requests = 0
        self.failed: list[str] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._client, daemon=True) for _ in range(clients)]

    def _client(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        while not self._stop.wait(0.002):
            self.requests += 1
            try:
                connection.request("GET", self.paths[self.requests % len(self.paths)])
                answer = connection.getresponse()
                answer.read()
                if answer.status != 200:
                    self.failed.append(f"{time.time():.3f} {answer.status}")
            except (OSError, http.client.HTTPException) as error:
                self.failed.append(f"{time.time():.3f} {error!r}")
                connection.close()
        connection.close()

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=15)


def stop_nginx(site: Site) -> None:
    for pid_file in (site.folder / "state").rglob("nginx.pid"):
        try:
            pid = int(pid_file.read_text())
            os.kill(pid, signal.SIGTERM)
        except (ValueError, ProcessLookupError):
            continue
        deadline = time.monotonic() + 5
        while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
