"""The table of how answers are compared: each line as pairs that must be found and pairs that must stay quiet.

What it says of FastAPI and Django is in ``test_frameworks``, on both of them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from pydantic import ValidationError

from cutover.checks.base import Result
from cutover.checks.diff import Diff
from cutover.plan.thresholds import Verdict
from tests.support.pairs import Pair
from tests.support.pairs_of_bodies import BODIES
from tests.support.pairs_of_heads import HEADS
from tests.support.rawserver import groups

Compare = Callable[..., Awaitable[Result]]

# The lines of the table, in its order and its words; then what the rules below it add for single answers.
LINES = (
    "status", "trailing slash", "Location", "null, missing, empty", "date and time", "numbers",
    "key order, spacing, escapes", "duplicate keys, NaN", "envelope", "error bodies", "headers", "Set-Cookie",
    "Content-Type", "security headers, CORS", "gzip, HTTP version", "order of lists", "ignore",
)  # fmt: skip
TABLE = {**HEADS, **BODIES}
ROWS = [(line, aspect, pairs) for line, aspects in TABLE.items() for aspect, pairs in aspects.items()]


@pytest.mark.parametrize(
    "pair",
    [pytest.param(pair, id=f"{line}: {aspect}: {pair.name}") for line, aspect, pairs in ROWS for pair in pairs],
)
async def test_the_table_holds(pair: Pair, compare: Compare) -> None:
    result = await compare(pair.old, pair.new, **_expecting_errors(pair))
    found = {level: [(kind, path) for kind, path, _ in groups(result, level)] for level in ("fail", "warn", "note")}
    assert sorted(found["fail"]) == sorted(pair.fails), result.details["groups"]
    assert sorted(found["warn"]) == sorted(pair.warns), result.details["groups"]
    assert sorted(found["note"]) == sorted(pair.notes), result.details["groups"]
    assert result.verdict is (Verdict.FAIL if pair.fails else Verdict.PASS)


def _expecting_errors(pair: Pair) -> dict[str, Any]:
    """The settings, with old's status among them where it is an error: errors that nobody expects are no comparison."""
    status = int(pair.old.split(b" ")[1]) if isinstance(pair.old, bytes) else 200
    if status < 400:
        return pair.settings
    asked = [Diff.model_validate({"requests": [one]}).listed[0] for one in pair.settings.get("requests", ["GET /a"])]
    requests = [{**one.model_dump(by_alias=True, exclude_unset=True), "status": status} for one in asked]
    return {**pair.settings, "requests": requests}


def test_the_table_has_every_line() -> None:
    assert sorted(TABLE) == sorted(LINES)


@pytest.mark.parametrize(("line", "aspect", "pairs"), ROWS, ids=[f"{line}: {aspect}" for line, aspect, _ in ROWS])
def test_every_line_has_what_must_be_found_and_what_must_stay_quiet(line: str, aspect: str, pairs: list[Pair]) -> None:
    assert any(pair.found for pair in pairs), (line, aspect)
    assert any(not pair.fails and not pair.warns for pair in pairs), (line, aspect)


@pytest.mark.parametrize("status_map", [{200: 404}, {201: 500}, {422: 200}, {500: 204}])
def test_success_can_not_be_mapped_to_an_error_nor_an_error_to_success(status_map: dict[int, int]) -> None:
    for settings in ({"status_map": status_map}, {"requests": [{"path": "/a", "status_map": status_map}]}):
        with pytest.raises(ValidationError, match="can't be mapped"):
            Diff.model_validate({"requests": ["GET /a"], **settings})
