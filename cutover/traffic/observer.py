"""Follows the proxy's log: reads what is new, and keeps what the newest stretch of time needs."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Any, Protocol

from cutover.plan.units import format_duration
from cutover.traffic.counting import Batch, Counting
from cutover.traffic.lines import cut_newest
from cutover.traffic.seen import Seen, Tries

CATCH_UP_LIMIT_S = 3.0
"""How long one evaluation reads. Whatever is left then is said, and read by the next."""

BACKLOG_BYTES = 64 * 1024 * 1024
"""A second's work. Of a log that is further behind, only what the longest window needs is read, and that is said."""

SLICES = 60
"""How finely the longest window is divided; what a window holds is off by one slice at most."""

LEAST_SLICE_S = 1.0

NEWEST_S = 10.0
"""The newest of the log is kept in finer slices, for those who ask what is going on right now."""

NEWEST_SLICE_S = 0.5


@dataclass(frozen=True)
class Chunk:
    """Whole lines of a log, the place behind them, and how many bytes of the log follow there."""

    data: bytes
    cursor: Any
    behind: int = 0
    note: str = ""


class Source(Protocol):
    """The proxy's log, wherever it lives. ``cursor`` is the source's own."""

    async def read(self, cursor: Any) -> Chunk:
        """Raise ``CutoverError`` where the log can't be read."""
        ...

    async def newest(self, cursor: Any, seconds: float) -> Any:
        """Where the newest ``seconds`` of the log begin; None where that is not far behind the cursor."""
        ...


@dataclass
class _Slice:
    """``begin`` and ``end`` are in seconds of this process's monotonic clock."""

    seen: Seen
    begin: float
    end: float


class Observer:
    """What the proxy saw at the present ``weight``. One for all gates; each line is read once.

    ``window`` is the longest stretch of time that will be asked for, in seconds.
    """

    def __init__(self, source: Source, cursor: Any, counting: Counting, *, weight: int, window: float) -> None:
        self.weight = weight
        self._source = source
        self._cursor = cursor
        self._counting = counting
        self._window = window
        self._slice_s = max(LEAST_SLICE_S, window / SLICES)
        self._newest: deque[_Slice] = deque()
        self._slices: deque[_Slice] = deque()
        self._before = Seen()
        self._since = time.monotonic()
        self._behind = 0
        self._passed_over = False
        self._notes: Counter[str] = Counter()
        self._reading = asyncio.Lock()

    async def look(self, window: float) -> Seen:
        """Read what is new, and return what was seen within the newest ``window`` seconds.

        Raises ``CutoverError`` where the log can't be read.
        """
        async with self._reading:
            await self._catch_up()
        after = time.monotonic() - window
        return self._seen((one.seen for one in self._all_slices if one.end > after), window)

    def all_seen(self) -> Seen:
        """All that was read since the shift."""
        return self._seen((self._before, *(one.seen for one in self._all_slices)), math.inf)

    def recent(self, seconds: float) -> Seen:
        """What was read of the newest ``seconds``, or of a little more: slices are not divided."""
        now = time.monotonic()
        newest = [one for one in self._all_slices if one.end > now - seconds]
        seen = Seen.merged(one.seen for one in newest)
        seen.seconds = max(min(seconds, self.age), now - min((one.begin for one in newest), default=now))
        return seen

    def newest(self, window: float) -> list[Tries]:
        """What was read of the newest ``NEWEST_S``, within ``window``, in parts of ``NEWEST_SLICE_S``, latest first."""
        after = time.monotonic() - min(NEWEST_S, window)
        return [one.seen.tries() for one in reversed(self._newest) if one.end > after]

    @property
    def _all_slices(self) -> Iterable[_Slice]:
        return chain(self._slices, self._newest)

    @property
    def age(self) -> float:
        """Seconds since the shift."""
        return time.monotonic() - self._since

    def _seen(self, parts: Iterable[Seen], window: float) -> Seen:
        seen = Seen.merged(parts)
        seen.seconds = min(window, self.age)
        seen.behind = self._behind
        seen.notes = [f"{note} ({count} times)" if count > 1 else note for note, count in self._notes.items()]
        return seen

    async def _catch_up(self) -> None:
        deadline = time.monotonic() + CATCH_UP_LIMIT_S
        batches: list[Batch] = []
        try:
            while True:
                chunk = await self._source.read(self._cursor)
                if chunk.behind > BACKLOG_BYTES and not self._passed_over and await self._pass_over():
                    batches.clear()
                    continue
                counted = await asyncio.to_thread(self._count, chunk) if chunk.data else []
                # From here to the end nothing is awaited: what was read is counted, and once.
                self._cursor, self._behind = chunk.cursor, chunk.behind
                if chunk.note:
                    self._notes[chunk.note] += 1
                for batch in counted:
                    self._take(batches, batch, together_s=self._slice_s if chunk.behind else 0.0)
                self._passed_over = self._passed_over and chunk.behind > 0
                if (not chunk.behind and not chunk.note) or time.monotonic() > deadline:
                    return
        finally:
            self._keep(batches)

    async def _pass_over(self) -> bool:
        """Go on where the longest window begins. What was counted long before is forgotten: it is no longer all."""
        begin = await self._source.newest(self._cursor, self._window)
        self._passed_over = True
        if begin is None:
            return False
        self._cursor = begin
        self._newest.clear()
        self._slices.clear()
        self._before = Seen()
        self._since = time.monotonic()
        self._notes[
            f"what the log says of the time before the newest {format_duration(self._window)} was not read"
        ] += 1
        return True

    def _count(self, chunk: Chunk) -> list[Batch]:
        """The end of the log in parts: what happened in the last moment must not be lost in what was before it."""
        parts = int(NEWEST_S / NEWEST_SLICE_S)
        pieces = [chunk.data] if chunk.behind else cut_newest(chunk.data, NEWEST_SLICE_S, parts)
        return [self._counting.count(piece) for piece in pieces]

    def _take(self, batches: list[Batch], batch: Batch, together_s: float) -> None:
        """A long backlog is not kept whole: parts of it that lie closer together than ``together_s`` become one.

        What says no time belongs to what is beside it.
        """
        last = batches[-1] if batches else None
        if last is not None and (not (last.end and batch.end) or abs(batch.end - last.end) < together_s):
            last.seen.merge(batch.seen)
            last.begin, last.end = last.begin or batch.begin, batch.end or last.end
        else:
            batches.append(batch)
        while batches[0].end < batch.end - self._window:
            gone = batches.pop(0)
            self._before.merge(gone.seen)
            batches[0].begin = gone.begin

    def _keep(self, batches: list[Batch]) -> None:
        """Place them in time by the proxy's own clock, the newest line being now: clocks need not agree."""
        now = time.monotonic()
        for batch in batches:
            ages = [max(0.0, batches[-1].end - at) for at in (batch.begin, batch.end) if at]
            begin, end = (now - ages[0], now - ages[-1]) if ages else (now, now)
            self._since = min(self._since, begin)
            _place(self._newest, _Slice(batch.seen, begin, end), NEWEST_SLICE_S)
        while self._newest and self._newest[0].end < now - NEWEST_S:
            _place(self._slices, self._newest.popleft(), self._slice_s)
        while self._slices and self._slices[0].end < now - self._window:
            self._before.merge(self._slices.popleft().seen)


def _place(slices: deque[_Slice], one: _Slice, seconds: float) -> None:
    """At the end, or into the last where that is of the same ``seconds``."""
    last = slices[-1] if slices else None
    if last is not None and int(one.end / seconds) <= int(last.end / seconds):
        last.seen.merge(one.seen)
        last.begin, last.end = min(last.begin, one.begin), max(last.end, one.end)
    else:
        slices.append(one)
