"""The action ``wait``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

if TYPE_CHECKING:
    from .conftest import MakeAction, Recording


@pytest.mark.parametrize("written", ["5m", {"for": "5m"}])
async def test_waits_as_long_as_written_in_either_form(
    action: MakeAction, recording: Recording, written: object
) -> None:
    wait: Any = action("wait", written)
    assert await wait.run(recording) == "waited 5m"
    assert recording.done == [("wait", 300.0)]
    assert wait.least_seconds() == 300


@pytest.mark.parametrize("written", [5, "5", None, {}, {"for": "5m", "more": 1}])
def test_a_time_without_a_unit_is_a_mistake(action: MakeAction, written: object) -> None:
    with pytest.raises(ValidationError):
        action("wait", written)
