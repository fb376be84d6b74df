"""FastAPI's document against that of Django's REST framework: the same API, and a migration with mistakes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cutover.openapi.changes import Change, compare
from cutover.openapi.document import Document
from cutover.openapi.levels import Level
from tests.openapi.apps import fastapi_app

SPECTACULAR = Path(__file__).parent / "apps" / "spectacular_app.py"
START_TIMEOUT_S = 60


def generated(*arguments: str) -> Document:
    run = subprocess.run(
        [sys.executable, str(SPECTACULAR), *arguments],
        capture_output=True, check=True, text=True, timeout=START_TIMEOUT_S,
    )  # fmt: skip
    return Document.parse(json.loads(run.stdout), "spectacular")


@pytest.fixture(scope="module")
def spectacular() -> Document:
    return generated()


@pytest.fixture(scope="module")
def fastapi() -> Document:
    return Document.parse(fastapi_app.document(), "fastapi")


def told(changes: list[Change], *levels: Level) -> list[str]:
    return [
        f"{change.operation} {change.where} {change.id}".replace("  ", " ")
        for change in changes
        if change.level in levels
    ]


def test_the_same_api_differs_only_where_the_frameworks_really_do(fastapi: Document, spectacular: Document) -> None:
    """DRF refuses empty texts and odd decimals, which FastAPI was not told to, and does not promise ``next``."""
    changes = compare(fastapi, spectacular)
    assert told(changes, Level.BREAKING) == [
        "GET /api/v1/studies/ 200 $.next response-property-became-optional",
        "GET /api/v1/studies/ 200 $.previous response-property-became-optional",
        "POST /api/v1/studies/ request $.price request-format-changed",
    ]
    assert told(changes, Level.WARNING) == [
        "POST /api/v1/studies/ request $.patient request-limit-added",
        "POST /api/v1/studies/ request $.price request-pattern-changed",
        "POST /api/v1/studies/ request $.note request-limit-added",
    ]
    assert {change.id for change in changes if change.level is Level.INFO} == {
        "other-status-removed", "response-narrowed", "response-pattern-changed",
    }  # fmt: skip


def test_the_way_back_breaks_nobody(fastapi: Document, spectacular: Document) -> None:
    changes = compare(spectacular, fastapi)
    assert told(changes, Level.BREAKING) == []
    assert {change.id for change in changes if change.level is Level.WARNING} == {"response-format-removed"}


def test_the_mistakes_of_a_migration_are_found(fastapi: Document, spectacular: Document) -> None:
    same = set(compare(fastapi, spectacular))
    changes = [change for change in compare(fastapi, generated("broken")) if change not in same]
    assert told(changes, Level.BREAKING) == [
        "DELETE /api/v1/studies/{study_id}/ operation-removed",
        "GET /api/v1/studies/ 200 $.results[].price response-property-removed",
        "POST /api/v1/studies/ request $.urgent request-property-became-required",
        "POST /api/v1/studies/ request $.modality request-enum-narrowed",
        "POST /api/v1/studies/ 201 $.price response-property-removed",
        "GET /api/v1/studies/{study_id}/ 200 $.price response-property-removed",
    ]
    assert told(changes, Level.WARNING) == ["POST /api/v1/studies/ request $.price request-property-removed"]
