"""The action ``watch``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

if TYPE_CHECKING:
    from .conftest import MakeAction, Recording

GATE = {"tcp": {"backend": "new"}}


async def test_holds_the_weight_while_gates_watch(action: MakeAction, recording: Recording) -> None:
    recording.weight = 100
    watch: Any = action("watch", {"for": "24h", "gates": [GATE, GATE]})
    assert await watch.run(recording) == "2 gates held for 1d"
    assert recording.done == [("hold", 86400.0, 2, 5.0)]
    assert recording.weight == 100


@pytest.mark.parametrize("wrong", [{"for": "1h"}, {"for": "1h", "gates": []}, {"gates": [GATE]},
                                   {"for": "1h", "gates": [GATE], "every": "0s"},
                                   {"for": "1h", "gates": [{"wait": "5m"}]}])  # fmt: skip
def test_watching_needs_a_time_and_gates(action: MakeAction, wrong: object) -> None:
    with pytest.raises(ValidationError):
        action("watch", wrong)


def test_says_what_is_watched(action: MakeAction) -> None:
    watch = action("watch", {"for": "1h30m", "gates": [GATE], "every": "10s"})
    assert watch.summary() == "1 gate for 1h30m, every 10s"
    assert watch.least_seconds() == 5400
