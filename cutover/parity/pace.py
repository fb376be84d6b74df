"""Lets so many requests a second through, evenly."""

from __future__ import annotations

import asyncio


class Pace:
    """``rps`` is how many a second; ``None`` holds nobody up."""

    def __init__(self, rps: float | None) -> None:
        self._gap_s = 1 / rps if rps else 0.0
        self._next = 0.0

    async def next(self) -> None:
        """Wait for one's turn."""
        if not self._gap_s:
            return
        now = asyncio.get_running_loop().time()
        mine = max(now, self._next)
        self._next = mine + self._gap_s
        await asyncio.sleep(mine - now)
