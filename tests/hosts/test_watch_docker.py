"""A watch of an nginx in a container: the container restarts, the Docker engine restarts, and both at once."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.site import Backend, Site

if TYPE_CHECKING:
    from docker.models.containers import Container

pytestmark = pytest.mark.docker

LIMIT_S = 40.0
PHASES = """\
shift:
  - shift: {to: 50}
soak:
  - watch:
      for: 8s
      every: 200ms
      gates: [{http: {backend: proxy, path: /health}}, {http: {backend: new, path: /health}}]
"""
Run = Callable[..., "Container"]


class Engine:
    """The Docker engine as cutover reaches it: it can go away with all its connections, and come back."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._real = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")
        self._open: list[socket.socket] = []
        self._listener: socket.socket | None = None
        self.start()

    def start(self) -> None:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self.path))
        listener.listen()
        self._listener = listener
        threading.Thread(target=self._serve, args=(listener,), daemon=True).start()

    def stop(self) -> None:
        self.path.unlink(missing_ok=True)
        for end in (*self._open, *([self._listener] if self._listener else [])):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._open.clear()
        self._listener = None

    def _serve(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._real)
            self._open += [client, server]
            for one, other in ((client, server), (server, client)):
                threading.Thread(target=_pump, args=(one, other), daemon=True).start()


def _pump(one: socket.socket, other: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := one.recv(65536):
            other.sendall(data)
        other.shutdown(socket.SHUT_WR)


@pytest.fixture
def engine_of_cutover(tmp_path: Path) -> Iterator[Engine]:
    made = Engine(tmp_path / "docker.sock")
    yield made
    made.stop()


@pytest.fixture
def placed(run: Run) -> Container:
    return run()


@pytest.fixture
def site(placed: Container, tmp_path: Path, free_port: int, engine_of_cutover: Engine) -> Iterator[Site]:
    old, new = Backend("old"), Backend("new")
    made = Site(
        tmp_path, old, new, free_port,
        control=f"docker: {{container: {placed.name}}}", config="/etc/nginx/conf.d/site.conf",
    )  # fmt: skip
    made.environ["DOCKER_HOST"] = f"unix://{engine_of_cutover.path}"
    made.write_plan(PHASES)
    yield made
    made.stop()
    old.stop()
    new.stop()


def until(process: subprocess.Popen[str], kind: str, **least: float) -> dict[str, Any]:
    assert process.stdout is not None
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline and (line := process.stdout.readline()):
        event: dict[str, Any] = json.loads(line)
        if event["event"] == kind and all(event[name] >= value for name, value in least.items()):
            return event
    pytest.fail(f"no {kind}: {process.communicate()}")


def ends_well(site: Site, process: subprocess.Popen[str]) -> None:
    _, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0, err
    assert site.status()["state"] == "done"
    assert site.status()["weight"] == {"intended": 50, "live": 50}


def test_a_restart_of_the_container_ends_no_watch(site: Site, placed: Container) -> None:
    process = site.start("run", "--json")
    until(process, "GateEvaluated", held=1)
    placed.restart(timeout=1)
    ends_well(site, process)


def test_an_engine_that_is_away_for_a_while_ends_no_watch(site: Site, engine_of_cutover: Engine) -> None:
    process = site.start("run", "--json")
    until(process, "GateEvaluated", held=1)
    engine_of_cutover.stop()
    assert "can't be reached" in until(process, "ProxyLost")["reason"]
    time.sleep(2)
    engine_of_cutover.start()
    assert until(process, "ProxyFound")["seconds"] >= 2
    ends_well(site, process)


def test_an_engine_that_takes_its_containers_along_ends_no_watch(
    site: Site, placed: Container, engine_of_cutover: Engine
) -> None:
    process = site.start("run", "--json")
    until(process, "GateEvaluated", held=1)
    engine_of_cutover.stop()
    placed.stop(timeout=1)
    until(process, "ProxyLost")
    time.sleep(1)
    engine_of_cutover.start()
    placed.start()
    until(process, "ProxyFound")
    ends_well(site, process)
