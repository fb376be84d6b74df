"""Documents made in a line, and a server whose answers are bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cutover.openapi.document import Document

MakeDocument = Callable[..., Document]


@pytest.fixture
def document() -> MakeDocument:
    """``document({"/a": {"get": {}}}, version="3.0.3", servers=[...])``."""

    def make(paths: Any, *, version: str = "3.1.0", path: str = "/openapi.json", **more: Any) -> Document:
        data = {"openapi": version, "info": {"title": "t", "version": "1"}, "paths": paths, **more}
        return Document.parse(data, "example", path=path)

    return make
