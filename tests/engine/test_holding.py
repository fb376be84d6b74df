"""The time of a hold, and what counts against it."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from functools import reduce
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutover.engine import events as e
from cutover.engine.failures import StepFailedError
from cutover.engine.fold import VERSION, apply
from cutover.engine.gates import all_of
from cutover.engine.holding import LATE_S, Clock
from cutover.engine.state import RunState, dump, load
from cutover.engine.tally import Tally
from cutover.journal.base import Recorded
from cutover.plan.step import Gate
from cutover.plan.thresholds import Verdict

PASS, FAIL, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN
LONG_S = 3600.0
SOON_S = 20.0
VERDICTS = st.lists(st.sampled_from([PASS, FAIL, UNKNOWN]), max_size=30)
LIMITS = st.none() | st.integers(1, 5)


def gate(**keys: object) -> Gate:
    return Gate("http", None, **keys)  # type: ignore[arg-type]


@given(gaps=st.lists(st.floats(0, 1e6), max_size=20), interval=st.floats(0.01, 60))
def test_time_in_which_nobody_watched_is_not_counted(gaps: list[float], interval: float) -> None:
    with pytest.MonkeyPatch.context() as patch:
        now = 1000.0
        patch.setattr(time, "monotonic", lambda: now)
        clock = Clock(1e9, 5.0, interval)
        for gap in gaps:
            now += gap
            clock.now()
        counted = clock.now() - 5.0
    assert counted <= sum(gaps) + 1e-3
    assert counted == pytest.approx(sum(min(gap, interval + LATE_S) for gap in gaps), abs=1e-3)


@given(VERDICTS, LIMITS, LIMITS)
def test_a_hold_ends_at_the_failure_that_reaches_a_limit_and_at_none_before(
    verdicts: list[Verdict], failures: int | None, in_a_row: int | None
) -> None:
    one, tally = gate(failures=failures, in_a_row=in_a_row), Tally()
    failed = row = 0
    for verdict in verdicts:
        tally = tally.then(verdict)
        failed += verdict is FAIL
        row = 0 if verdict is PASS else row + (verdict is FAIL)
        alone = failures is None and in_a_row is not None
        most = None if alone else failures or 1
        expected = verdict is FAIL and ((most is not None and failed >= most) or (in_a_row or 99) <= row)
        assert tally.ends(one, verdict, final=False) == expected
        if expected:
            break


def test_unknown_decides_only_at_the_end_and_as_it_says() -> None:
    assert not Tally().ends(gate(), UNKNOWN, final=False)
    assert Tally().ends(gate(), UNKNOWN, final=True)
    assert not Tally().ends(gate(on_fail="continue"), UNKNOWN, final=True)
    assert Tally().ends(gate(on_fail="continue", unknown="pause"), UNKNOWN, final=True)
    assert gate(on_fail="pause").consequence(UNKNOWN) == "pause"
    assert gate(on_fail="pause", unknown="rollback").consequence(UNKNOWN) == "rollback"
    assert gate(on_fail="pause", unknown="rollback").consequence(FAIL) == "pause"


def fold(*events: e.Event, state: RunState | None = None) -> RunState:
    recorded = [Recorded(n, "r", float(n), *e.encode(event)) for n, event in enumerate(events, start=1)]
    return reduce(apply, recorded, state or RunState())


def evaluated(held: float, number: int = 1, **counts: Any) -> e.GateEvaluated:
    return e.GateEvaluated("soak", 0, "a", "pass", "", 50, 0.1, number=number, held=held, **counts)


SHIFTED = e.ShiftVerified(50, "r1", 0)
BEGUN = e.HoldStarted(50, 3600, 2, "soak/0/k")
SEEN = (SHIFTED, BEGUN, evaluated(10, passed=3, failed=1), evaluated(11, 2, passed=4))
KILLED = e.CommandStarted("run", 1)


def test_what_a_killed_process_watched_and_counted_is_in_the_fold() -> None:
    state = fold(*SEEN, KILLED)
    left = state.unfinished_at("soak/0/k", 50)
    assert left is not None
    assert left["held"] == 11
    assert Tally.of(left, 1) == Tally(passed=3, failed=1)
    assert Tally.of(left, 2) == Tally(passed=4)
    assert Tally.of(left, 3) == Tally()
    assert state.hold is None
    assert load(dump(state)) == state
    assert VERSION != "3"


@pytest.mark.parametrize(
    "event",
    [
        e.HoldEnded(50, passed=True), e.HoldEnded(50, passed=False), e.ShiftVerified(25, "r2", 50),
        e.StepFailed("soak", 0, "fail", "", 1.0), e.StepPassed("soak", 0, "k", "", 1.0),
        e.RollbackStarted("why", automatic=True), e.PhaseStarted("other", "h", 1),
    ],
)  # fmt: skip
def test_a_hold_that_ended_or_was_left_is_not_gone_on_with(event: e.Event) -> None:
    assert fold(*SEEN, event).unfinished_at("soak/0/k", 50) is None


def test_a_hold_without_gates_is_watched_too() -> None:
    state = fold(SHIFTED, e.HoldStarted(50, 60, 0, "soak/0/k"), e.HoldWatched(50, 5.0), e.HoldWatched(50, 10.0), KILLED)
    left = state.unfinished_at("soak/0/k", 50)
    assert left is not None
    assert left["held"] == 10.0
    assert fold(e.HoldWatched(50, 99.0), state=state).unfinished == state.unfinished


def test_a_hold_of_another_step_weight_or_of_none_is_not_gone_on_with() -> None:
    state = fold(*SEEN)
    assert state.unfinished_at("soak/0/other", 50) is None
    assert state.unfinished_at("soak/0/k", 25) is None
    assert fold(e.HoldStarted(50, 60, 1), evaluated(10)).unfinished_at("", 50) is None


def test_evaluations_outside_a_hold_change_nothing_of_one_that_is_unfinished() -> None:
    state = fold(*SEEN, KILLED)
    assert fold(evaluated(500, passed=9), state=state).unfinished == state.unfinished


def test_weights_that_held_are_known_until_traffic_goes_below_them() -> None:
    def held(weight: int) -> tuple[e.Event, ...]:
        return (
            e.ShiftVerified(weight, "r", 0),
            e.HoldStarted(weight, 60, 1, "shift/0/k"),
            e.HoldEnded(weight, passed=True),
        )

    state = fold(*held(10), *held(25), *held(50))
    assert state.held_in("shift/0/k") == (10, 25, 50)
    assert state.held_in("shift/1/k") == ()
    assert fold(e.ShiftVerified(25, "r", 50), state=state).held_in("shift/0/k") == (10, 25)
    stepped = fold(e.StepBackDecided("shift", 0, 75, 25, "why", "shift/0/k"), state=state)
    assert stepped.held_in("shift/0/k") == (10,)


def test_counts_are_told_as_they_stand() -> None:
    def told(**counts: Any) -> str:
        return e.GateEvaluated("p", 0, "a", "fail", "", 50, 0.1, **counts).count

    assert told(failed=1, failures=1) == ""
    assert told(failed=2, failures=3) == "2nd of 3 failures"
    assert told(failed=7, in_a_row=1, failures_in_a_row=3) == "1st of 3 failures in a row"
    assert told(failed=11, in_a_row=3, failures=20, failures_in_a_row=4) == "11th of 20 failures, 3rd of 4 in a row"


async def test_what_swallows_one_cancellation_is_ended_all_the_same() -> None:
    began = asyncio.Event()

    async def stubborn() -> None:
        with suppress(asyncio.CancelledError):
            began.set()
            await asyncio.sleep(LONG_S)
        await asyncio.sleep(LONG_S)

    async def failing() -> None:
        await began.wait()
        raise StepFailedError("enough")

    with pytest.raises(StepFailedError):
        async with asyncio.timeout(SOON_S):
            await all_of([asyncio.create_task(stubborn()), asyncio.create_task(failing())])
