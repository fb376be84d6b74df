"""A shipped plan, its backends, and its journey through the command line as a team would run it."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from cutover.plan.starters import folder, starters
from tests.plans.apps import Answer, App, Asked
from tests.support.forks import Forks
from tests.support.nginx import SomebodysNginx
from tests.support.ports import free_port
from tests.support.site import Backend, Site

if TYPE_CHECKING:
    import subprocess

    from docker.models.containers import Container

ENGINE_TIMEOUT_S = 30
MAX_APPROVALS = 10
MAX_RESUMES = 5
QUICK = {
    "CLIENTS": "4", "LOAD": "500ms", "GATE_LOAD": "20s", "GATE_REQUESTS": "100", "USER_REQUESTS": "20", "HOLD": "1s",
    "EVERY": "1s", "SOAK": "50ms", "P95": "5s",
}  # fmt: skip
"""Durations and loads for a test on a machine that may be busy: each gate is asked twice at each weight."""

_WAITING = re.compile(r"waiting for approval: (.+)")
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)")


class Journey:
    """One plan on its way, with the variables that a team would set in ``variables``."""

    def __init__(self, site: Site, text: str) -> None:
        self.site = site
        self.text = text
        self.variables = site.environ
        self.variables.update(QUICK)

    @property
    def folder(self) -> Path:
        return self.site.folder

    def cutover(self, *args: str, expect: int | None = 0) -> subprocess.CompletedProcess[str]:
        self.site.plan_file.write_text(self.text)
        return self.site.cutover(*args, expect=expect)

    def run(self, *args: str, expect: int = 0, resumes: int = MAX_RESUMES) -> list[str]:
        """Run to the end, approving whatever is asked; the last command's status is ``expect``. What was approved.

        Where a hold paused for want of users, more of them are waited for, so often.
        """
        return self._go_on(self.cutover("run", *args, expect=None), expect, resumes)

    def resume(self, *, expect: int = 0) -> list[str]:
        return self._go_on(self.cutover("resume", expect=None), expect, MAX_RESUMES)

    def _go_on(self, done: subprocess.CompletedProcess[str], expect: int, resumes: int) -> list[str]:
        approved: list[str] = []
        while done.returncode == 4 and len(approved) < MAX_APPROVALS:
            if asked := _WAITING.findall(done.stderr):
                approved.append(asked[-1])
                self.cutover("approve")
            elif resumes:
                resumes -= 1
            else:
                break
            done = self.cutover("resume", expect=None)
        assert done.returncode == expect, done.stdout + done.stderr
        self.last = done
        return approved

    def shift_by_force(self, weight: int) -> None:
        """Move traffic without all that comes before it."""
        self.cutover("shift", "--weight", str(weight), "--force", "--reason", "only the way back is of interest")

    @property
    def live(self) -> int | None:
        weight: int | None = self.site.status()["weight"]["live"]
        return weight

    def who_serves(self, url: str, apps: dict[str, App], *, headers: dict[str, str] | None = None) -> set[str]:
        """The names of the apps that get requests for ``url``, each request from another client."""
        path = httpx.URL(url).path
        before = {name: app.seen[path] for name, app in apps.items()}
        for number in range(8):
            httpx.get(url, headers={"User-Agent": f"agent {number}", **(headers or {})}, verify=False)  # noqa: S501
        return {name for name, app in apps.items() if app.seen[path] > before[name]}


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of any plan comes from the environment of the tests."""
    for file in folder().glob("*.yml"):
        text = file.read_text()
        for name in {*_VARIABLE.findall(text), *re.findall(r"^  ([A-Z][A-Z0-9_]*):", text, re.MULTILINE)}:
            monkeypatch.delenv(name, raising=False)


@pytest.fixture(params=[name for name in starters() if name != "starter"])
def shipped(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def app() -> Iterator[Callable[[Callable[[Asked], Answer]], App]]:
    """Starts backends that end with the test."""
    made: list[App] = []

    def start(answer: Callable[[Asked], Answer]) -> App:
        made.append(App(answer))
        return made[-1]

    yield start
    for one in made:
        one.stop()


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    """Runs the commands of all these journeys, without starting Python each time."""
    made = Forks()
    yield made
    made.stop()


@pytest.fixture
def journey(tmp_path: Path, forks: Forks) -> Iterator[Callable[[str], Journey]]:
    """Starts the journey of a shipped plan; its commands and its managed nginx end with the test."""
    sites: list[Site] = []
    old, new = Backend("old"), Backend("new")

    def start(name: str) -> Journey:
        site = Site(tmp_path, old, new, free_port(), forks=forks)
        sites.append(site)
        return Journey(site, (folder() / f"{name}.yml").read_text())

    yield start
    for site in sites:
        site.stop()
    old.stop()
    new.stop()


class LocalEdge:
    """Somebody's nginx on this machine, in place of the container that a plan names."""

    def __init__(self, nginx: SomebodysNginx) -> None:
        self._nginx = nginx
        self.conf_d = nginx.folder / "conf.d"
        self.files = nginx.folder

    def adapt(self, journey: Journey, variable: str) -> None:
        control = self._nginx.control["local"]
        local = ", ".join(f'{key}: "{value}"' for key, value in control.items())
        changed = journey.text.replace(f'docker: {{container: "${{{variable}}}"}}', f"local: {{{local}}}")
        assert changed != journey.text
        journey.text = changed.replace("/etc/nginx/conf.d/", f"{self.conf_d}/")

    def reload(self) -> None:
        assert self._nginx.run("-s", "reload").returncode == 0


class ContainerEdge:
    """An nginx in a container, with its ``conf.d`` on this machine."""

    conf_d: Path
    files = Path("/etc/nginx/files")

    def __init__(self, container: Container, conf_d: Path) -> None:
        self._container = container
        self.conf_d = conf_d

    def adapt(self, journey: Journey, variable: str) -> None:
        journey.variables[variable] = str(self._container.name)

    def reload(self) -> None:
        self._container.kill("HUP")


Edge = LocalEdge | ContainerEdge
on_each_edge = pytest.mark.parametrize(
    "edge", ["local", pytest.param("container", marks=pytest.mark.docker)], indirect=True
)


@pytest.fixture
def nginx(tmp_path: Path, new_nginx: str) -> Iterator[Callable[[str], SomebodysNginx]]:
    """Starts plain nginxes in folders of their own; their workers run as who runs the tests."""
    made: list[SomebodysNginx] = []

    def start(name: str, conf: str = "") -> SomebodysNginx:
        one = SomebodysNginx(tmp_path / name, new_nginx, conf)
        if os.geteuid() == 0:
            one.conf.write_text(f"user root;\n{one.conf.read_text()}")
        one.start()
        made.append(one)
        return one

    yield start
    for one in made:
        asyncio.run(one.stop())


@pytest.fixture
def edge(request: pytest.FixtureRequest, tmp_path: Path) -> Edge:
    """The nginx that a plan finds in a container: on this machine, or in one as the parameter ``container`` asks."""
    (tmp_path / "files").mkdir()
    if getattr(request, "param", "local") == "local":
        local = LocalEdge(request.getfixturevalue("nginx")("edge"))
        local.files = tmp_path / "files"
        return local
    container: ContainerEdge = request.getfixturevalue("container_edge")
    return container


@pytest.fixture
def container_edge(tmp_path: Path) -> Iterator[ContainerEdge]:
    import docker  # noqa: PLC0415 - only where containers are asked for
    from docker.errors import DockerException  # noqa: PLC0415

    from cutover.hosts.docker_image import build_image  # noqa: PLC0415
    from cutover.hosts.managed import default_binary  # noqa: PLC0415

    try:
        client = docker.from_env(timeout=ENGINE_TIMEOUT_S)
    except DockerException as error:
        if os.environ.get("CI"):
            pytest.fail(f"CI has to have a Docker engine: {error}")
        pytest.skip(f"no Docker engine: {error}")
    conf_d = tmp_path / "conf.d"
    conf_d.mkdir()
    container = client.containers.run(
        build_image(client, Path(default_binary())), name=f"cutover-plans-{secrets.token_hex(4)}", detach=True,
        network_mode="host", stop_signal="SIGKILL",
        volumes={
            str(conf_d): {"bind": "/etc/nginx/conf.d", "mode": "ro"},
            str(tmp_path / "files"): {"bind": str(ContainerEdge.files), "mode": "ro"},
        },
    )  # fmt: skip
    yield ContainerEdge(container, conf_d)
    container.remove(force=True)
    client.close()
