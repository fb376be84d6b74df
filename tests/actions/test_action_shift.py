"""The actions that move traffic, watch it, wait, and ask: what they do with the engine, and what is a mistake."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

if TYPE_CHECKING:
    from .conftest import MakeAction, Recording

GATE = {"http": {"backend": "proxy", "path": "/health"}}


async def test_each_weight_is_reached_and_held(action: MakeAction, recording: Recording) -> None:
    shift: Any = action("shift", {"through": [1, 10, 25], "hold": "5m", "gates": [GATE], "every": "10s"})
    said = await shift.run(recording)
    held = ("hold", 300.0, 1, 10.0)
    assert recording.done == [1, held, 10, held, 25, held]
    assert said == "weight 0 → 1 → 10 → 25 %"


async def test_weights_already_passed_are_not_gone_back_to_and_the_present_one_is_held(
    action: MakeAction, recording: Recording
) -> None:
    recording.weight = 10
    shift: Any = action("shift", {"through": [1, 10, 25], "hold": "5m"})
    await shift.run(recording)
    held = ("hold", 300.0, 0, 5.0)
    assert recording.done == [10, held, 25, held]


async def test_nothing_is_done_when_all_weights_are_passed(action: MakeAction, recording: Recording) -> None:
    recording.weight = 50
    shift: Any = action("shift", {"through": [1, 10]})
    assert await shift.run(recording) == "already at 50 %"
    assert recording.done == []


@pytest.mark.parametrize("to", [0, 10, 100])
async def test_a_single_weight_is_gone_to_from_either_side(action: MakeAction, recording: Recording, to: int) -> None:
    recording.weight = 50
    shift: Any = action("shift", {"to": to})
    await shift.run(recording)
    assert recording.weight == to


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(-5, 105), max_size=6))
def test_weights_are_whole_and_rise_within_1_and_100(action: MakeAction, through: list[int]) -> None:
    good = bool(through) and all(1 <= w <= 100 for w in through) and sorted(set(through)) == through
    if good:
        assert action("shift", {"through": through}).least_seconds() == 0
    else:
        with pytest.raises(ValidationError):
            action("shift", {"through": through})


@pytest.mark.parametrize(
    "wrong",
    [{}, {"to": 10, "through": [10]}, {"to": 101}, {"to": -1}, {"to": 1.5}, {"to": True}, {"through": [10, 10]},
     {"to": 10, "hold": 5}, {"to": 10, "every": "0s"}, {"to": 10, "gates": [{"command": {"run": ["true"]}}]}],
)  # fmt: skip
def test_what_is_no_shift_is_a_mistake(action: MakeAction, wrong: object) -> None:
    with pytest.raises(ValidationError):
        action("shift", wrong)


def test_a_shift_says_where_it_goes_and_how_long_it_takes(action: MakeAction) -> None:
    shift = action("shift", {"through": [1, 10, 25], "hold": "5m", "gates": [GATE]})
    assert shift.summary() == "1 → 10 → 25 %, hold 5m each, 1 gate"
    assert shift.least_seconds() == 900
    assert action("shift", {"to": 100, "hold": "10m"}).summary() == "100 %, hold 10m, no gates"
    assert action("shift", {"to": 100}).summary() == "100 %"


async def test_a_lease_is_there_before_any_traffic_goes_to_new(action: MakeAction, recording: Recording) -> None:
    shift: Any = action("shift", {"to": 50, "lease": "2m"})
    await shift.run(recording)
    assert recording.done == [("lease", 120.0), 50, ("hold", 0.0, 0, 5.0)]
    assert shift.summary() == "50 %, lease 2m"
