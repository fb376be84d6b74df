"""A plan between two ports, whoever listens there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.forks import Forks
from tests.support.ports import free_port
from tests.support.site import Site

Between = Callable[[int, int], Site]


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    made = Forks()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def between(tmp_path_factory: pytest.TempPathFactory, forks: Forks) -> Iterator[Between]:
    sites: dict[tuple[int, int], Site] = {}

    def make(old: int, new: int) -> Site:
        if (old, new) not in sites:
            one, other = _listening(old), _listening(new)
            sites[old, new] = Site(tmp_path_factory.mktemp("site"), one, other, free_port(), forks=forks)
        return sites[old, new]

    yield make
    for site in sites.values():
        site.stop()


def _listening(port: int) -> Any:
    """As much of a backend as a plan is made from."""
    return SimpleNamespace(port=port)
