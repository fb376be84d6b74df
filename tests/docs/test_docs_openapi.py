"""The table of what breaks a client says what the code does."""

from __future__ import annotations

from cutover.openapi.levels import LEVELS, Level
from tests.docs.markdown import ROOT, code, table

STEPS = ROOT / "docs" / "steps.md"


def test_every_kind_of_change_stands_under_its_level() -> None:
    rows = table(STEPS, "What breaks a client", "matter")
    written = {id_: level for row in rows for level, cell in zip(Level, row[1:], strict=True) for id_ in code(cell)}
    assert written == LEVELS
    assert sum(len(code(cell)) for row in rows for cell in row[1:]) == len(LEVELS)
