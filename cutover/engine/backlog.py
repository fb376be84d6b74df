"""A log that grew for hours while nobody read it: where the newest stretch of time begins in it."""

from __future__ import annotations

from typing import Protocol

from cutover.hosts.base import LogCursor, LogRead

FINE_ENOUGH_BYTES = 4 * 1024 * 1024
"""What is read too much at most: less than a tenth of a second's work."""

LOOK_BYTES = 128 * 1024
"""Holds a whole line, wherever it begins."""


class Log(Protocol):
    async def end(self) -> LogCursor: ...

    async def read(self, cursor: LogCursor, limit: int) -> LogRead: ...


async def newest(log: Log, cursor: LogCursor, seconds: float) -> LogCursor | None:
    """Where the log's newest ``seconds`` begin, by the times in its lines; None where there is nothing to pass over.

    They are looked for in the present file alone: in one that was rotated, nothing is passed over. Where the proxy's
    clock was set back this finds the right place or an earlier one.
    """
    end = await log.end()
    last = await _time(log, LogCursor(end.file, max(0, end.offset - LOOK_BYTES)), latest=True)
    if not last:
        return None
    wanted = last - seconds
    same = cursor.file == end.file and cursor.offset <= end.offset
    low, high = cursor.offset if same else 0, end.offset
    if not await _is_before(log, LogCursor(end.file, low), wanted):
        return None
    while high - low > FINE_ENOUGH_BYTES:
        middle = (low + high) // 2
        if await _is_before(log, LogCursor(end.file, middle), wanted):
            low = middle
        else:
            high = middle
    return LogCursor(end.file, low) if low > 0 or not same else None


async def _is_before(log: Log, cursor: LogCursor, wanted: float) -> bool:
    time = await _time(log, cursor, latest=False)
    return 0 < time < wanted


async def _time(log: Log, cursor: LogCursor, *, latest: bool) -> float:
    """The first or last that a line there says, in seconds since 1970; 0.0 where none does."""
    from cutover.traffic.lines import time_of  # noqa: PLC0415 - start-up time

    lines = (await log.read(cursor, LOOK_BYTES)).data.splitlines()
    return next((time for line in (reversed(lines) if latest else lines) if (time := time_of(line))), 0.0)
