"""Fixtures of the end-to-end tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.forks import Forks
from tests.support.ports import free_port
from tests.support.site import Backend, Site


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    made = Forks()
    yield made
    made.stop()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    old, new = Backend("old"), Backend("new")
    made = Site(tmp_path, old, new, free_port())
    try:
        yield made
    finally:
        made.stop()
        old.stop()
        new.stop()


@pytest.fixture
def quick(site: Site, forks: Forks) -> Site:
    """The site, whose commands are forks of a process that has imported everything."""
    site.forks = forks
    return site
