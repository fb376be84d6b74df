"""Fixtures of the documentation's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.ports import free_port
from tests.support.site import Backend, Site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Two backends, and the command line in a folder without a plan."""
    old, new = Backend("old"), Backend("new")
    made = Site(tmp_path, old, new, free_port())
    try:
        yield made
    finally:
        made.stop()
        old.stop()
        new.stop()
