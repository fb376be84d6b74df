"""The action ``approve``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

if TYPE_CHECKING:
    from .conftest import MakeAction, Recording


@pytest.mark.parametrize("written", ["All well?", {"message": "All well?"}])
async def test_asks_what_is_written_in_either_form(action: MakeAction, recording: Recording, written: object) -> None:
    approve: Any = action("approve", written)
    assert await approve.run(recording) == "approved: All well?"
    assert recording.done == [("approve", "All well?")]


@pytest.mark.parametrize("written", ["", None, 5, {}])
def test_a_question_needs_words(action: MakeAction, written: object) -> None:
    with pytest.raises(ValidationError):
        action("approve", written)
