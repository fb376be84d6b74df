"""A time limit for work in a thread, which nobody can end from outside."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

from cutover.openapi.errors import DocumentError

T = TypeVar("T")

_STEPS_PER_LOOK_AT_THE_CLOCK = 256


class Patience:
    """With the document called ``name``, for so many seconds."""

    def __init__(self, limit_s: float, name: str) -> None:
        self._limit_s = limit_s
        self._name = name
        self._deadline = time.monotonic() + limit_s
        self._left = _STEPS_PER_LOOK_AT_THE_CLOCK

    def spend(self) -> None:
        """Count a step; raise ``DocumentError`` when the time is over."""
        self._left -= 1
        if self._left <= 0:
            self._left = _STEPS_PER_LOOK_AT_THE_CLOCK
            if time.monotonic() > self._deadline:
                raise DocumentError(self._name, f"too large: not done with it in {self._limit_s:g}s")

    def stop(self) -> None:
        """Nobody waits any more."""
        self._deadline = 0.0


async def in_thread(work: Callable[[Patience], T], limit_s: float, name: str) -> T:
    """Do the work beside the event loop; if it is no longer wanted, it ends soon."""
    patience = Patience(limit_s, name)
    try:
        return await asyncio.to_thread(work, patience)
    finally:
        patience.stop()
