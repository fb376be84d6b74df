"""What the page on judging says is what the judge does."""

from __future__ import annotations

from pathlib import Path

import pytest

from cutover.checks.traffic import LEAST_CONFIDENCE, MOST_CONFIDENCE, Judge
from cutover.plan.units import parse_percentage
from cutover.traffic.judge import LEAST_EXCESS, LEAST_FAILURES, LEAST_SAMPLES, METRICS
from tests.docs.markdown import ROOT, code, section, table

JUDGING = ROOT / "docs" / "judging.md"
STEPS = ROOT / "docs" / "steps.md"


def test_the_keys_of_the_judge_are_documented_with_their_defaults() -> None:
    rows = {code(row[0])[0]: row for row in table(STEPS, "The judge", "key")}
    assert set(rows) == set(Judge.model_fields)
    for key, (_, default, _) in rows.items():
        assert parse_percentage(code(default)[0]) == getattr(Judge(), key)
    assert code(rows["confidence"][2]) == [f"{LEAST_CONFIDENCE:g}%", f"{MOST_CONFIDENCE:g}%"]


def test_the_metrics_and_their_floors_are_documented() -> None:
    rows = {code(row[0])[0]: row for row in table(JUDGING, "What it says", "metric")}
    assert tuple(rows) == METRICS
    assert f"by {100 * LEAST_EXCESS:g} points at least" in rows["errors"][2]
    assert f"with {LEAST_FAILURES} failed tries" in rows["errors"][2]


@pytest.mark.parametrize("page", [JUDGING, STEPS])
def test_the_least_number_of_requests_is_documented(page: Path) -> None:
    text = section(page, "What it says" if page == JUDGING else "The judge")
    assert f"{LEAST_SAMPLES} requests" in text


def test_the_tables_are_those_of_the_simulation() -> None:
    for heading, first in (("How often it is wrong", "new"), ("How soon it is right", "new")):
        assert table(JUDGING, heading, first)
