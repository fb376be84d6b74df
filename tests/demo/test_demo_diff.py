"""What ``diff`` says of each of the demo's faults: which endpoint, which place, which kind, and nothing beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cutover.checks.diff import Diff
from cutover.demo.backends import Backends
from cutover.demo.faults import FAULTS
from cutover.plan.thresholds import Verdict

SEARCH, STUDY = "GET /api/v1/studies/search", "GET /api/v1/studies/{id}"
OPTIONS, ME, TASKS = "GET /api/v1/studies/filters/options", "GET /api/v1/auth/me", "GET /api/v1/tasks"

FOUND = {
    "missing-endpoint": {(OPTIONS, "status", "status")},
    "null-as-empty": {
        (SEARCH, "$.items[].radiologist", "type"),
        (SEARCH, "$.items[].completed_at", "type"),
        (SEARCH, "$.items[].body_part", "type"),
        (STUDY, "$.completed_at", "type"),
        (STUDY, "$.radiologist", "type"),
    },
    "date-format": {
        (SEARCH, "$.items[].scheduled_at", "value"),
        (SEARCH, "$.items[].completed_at", "value"),
        (OPTIONS, "$.scheduled.first", "value"),
        (OPTIONS, "$.scheduled.last", "value"),
        (STUDY, "$.scheduled_at", "value"),
    },
    "token": {
        (ME, "status", "status"),
        (TASKS, "status", "status"),
        ("POST /api/v1/auth/login", "$.access_token", "value"),
    },
    "pagination": {(SEARCH, "$.items[]", "missing"), (SEARCH, "$.items[]", "added")},
}


def test_every_fault_that_diff_is_to_find_stands_here() -> None:
    assert set(FOUND) == {fault.name for fault in FAULTS.values() if fault.gate == "diff"}


@pytest.mark.parametrize("fault", [None, *FOUND])
async def test_a_fault_is_found_where_it_is_and_nowhere_else(
    fault: str | None, tmp_path: Path, demo_plan: Any, check_context: Any
) -> None:
    async with Backends(tmp_path, fault) as backends:
        plan = demo_plan(backends)
        (diff,) = [step.settings for step in plan.phases["validate"] if isinstance(step.settings, Diff)]
        result = await diff.run(check_context(plan))
    found = {(group["endpoint"], group["path"], group["kind"]) for group in result.details["groups"]}
    assert found == (FOUND[fault] if fault else set())
    assert result.verdict is (Verdict.FAIL if fault else Verdict.PASS)
