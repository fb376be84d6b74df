"""Each fault is found by the gate that is said to find it, and at the weight that is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cutover.actions.shift import Shift
from cutover.demo.backends import Backends
from cutover.demo.faults import FAULTS, known_fault
from cutover.demo.traffic import Traffic
from cutover.errors import UsageError

BEFORE_TRAFFIC = [fault for fault in FAULTS.values() if fault.phase == "validate"]
MANY_REQUESTS = 250


@pytest.mark.parametrize("fault", BEFORE_TRAFFIC, ids=lambda fault: fault.name)
async def test_a_fault_is_found_before_traffic_moves(
    fault: Any, tmp_path: Path, demo_plan: Any, first_failure: Any
) -> None:
    async with Backends(tmp_path, fault.name) as backends:
        plan = demo_plan(backends)
        assert await first_failure(plan, plan.phases["preflight"]) is None
        failure = await first_failure(plan, plan.phases["validate"])
    assert failure is not None
    assert failure[0] == fault.gate, failure[1]
    assert fault.weight == 0


async def test_a_sound_backend_passes_every_check(tmp_path: Path, demo_plan: Any, first_failure: Any) -> None:
    async with Backends(tmp_path) as backends:
        plan = demo_plan(backends)
        assert await first_failure(plan, [*plan.phases["preflight"], *plan.phases["validate"]]) is None


async def test_what_fails_at_half_is_found_at_half_and_not_before(
    tmp_path: Path, demo_plan: Any, first_failure: Any, proxy: Any
) -> None:
    fault = FAULTS["fails-at-half"]
    async with Backends(tmp_path, fault.name) as backends:
        plan = demo_plan(backends)
        assert await first_failure(plan, plan.phases["validate"]) is None
        for weight in (10, fault.weight):
            async with proxy(backends, weight) as url, Traffic(url) as traffic:
                plan = demo_plan(backends, url)
                await traffic.until(MANY_REQUESTS)
                (step,) = plan.phases[fault.phase]
                assert isinstance(step.settings, Shift)
                failure = await first_failure(plan, [gate for gate in step.settings.gates if gate.type == fault.gate])
            assert (failure is not None) == (weight == fault.weight), failure
            assert (traffic.total.failed > 0) == (weight == fault.weight)


async def test_a_fault_that_is_not_known_is_a_mistake_with_a_suggestion(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        Backends(tmp_path, "pagination-off")
    assert caught.value.hint == "did you mean 'pagination'?"
    assert known_fault("token").gate == "diff"


def test_every_scenario_of_the_failure_table_has_a_fault() -> None:
    assert {fault.seed_row for fault in FAULTS.values()} == {
        "Django returns 500 error",
        "Database query slow",
        "404 on some endpoints",
        "Data mismatch",
        "Token validation fails",
        "Pagination broken",
    }
