"""Follows the proxy's log: reads what is new, and keeps what the newest stretch of time needs."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from cutover.plan.units import format_duration
from cutover.traffic.counting import Batch, Counting
from cutover.traffic.lines import cut_newest
from cutover.traffic.seen import Seen, Tries
from cutover.traffic.silence import EVERYWHERE, GRACE_S, TIMES_USUAL, Heard, Pace, Stretch, usual_time
from cutover.traffic.times import Times
from cutover.traffic.tries import NEW, OLD

CATCH_UP_LIMIT_S = 3.0
"""How long one evaluation reads. Whatever is left then is said, and read by the next."""

BACKLOG_BYTES = 64 * 1024 * 1024
"""A second's work. Of a log that is further behind, only what the longest window needs is read, and that is said."""

FINENESS = 20
"""What a window holds is off by a 20th of its length at most: the older, the coarser it is kept."""

FINENESS_BEFORE = 2
"""Likewise, of what lies before the longest window."""

NEWEST_S = 10.0
"""The newest of the log is kept in the finest slices, for those who ask what is going on right now."""

NEWEST_SLICE_S = 0.5

CLOCK_S = 1.0
"""What lines may be out of their order, and clocks that are slewed go apart between two looks."""

STALE_S = 60.0
"""A log whose last line is older by more than clocks differ was written that long ago."""


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

    def merge(self, later: _Slice) -> None:
        self.seen.merge(later.seen)
        self.begin, self.end = min(self.begin, later.begin), max(self.end, later.end)


class Observer:
    """What the proxy saw at the present ``weight``. One for all gates; each line is read once.

    ``window`` is the longest stretch of time that will be asked for, in seconds. ``same_clock``: the proxy's is this
    machine's.
    """

    def __init__(
        self, source: Source, cursor: Any, counting: Counting, *, weight: int, window: float, same_clock: bool = False
    ) -> None:
        self.weight = weight
        self._same_clock = same_clock
        self._source = source
        self._cursor = cursor
        self._counting = counting
        self._window = window
        self._slices: list[_Slice] = []
        self._since = time.monotonic()
        self._any_read = False
        self._ahead: float | None = None
        self._answered_until: float | None = None
        self._waited_in_vain = False
        self._longest_pause = 0.0
        self._read_up_to: float | None = None
        self._behind = 0
        self._passed_over = False
        self._notes: Counter[str] = Counter()
        self._reading = asyncio.Lock()

    async def look(self, window: float, least: int = 0) -> Seen:
        """Read what is new, and return what was seen within the newest ``window`` seconds.

        And of the time before, where new had fewer than ``least`` requests in them: as much as it takes, or all since
        the shift. Raises ``CutoverError`` where the log can't be read.
        """
        async with self._reading:
            await self._catch_up()
            slices = self._reaching(window, least)
            seen = await asyncio.to_thread(Seen.merged, [one.seen for one in slices])
        seen.seconds = self._spanned(slices, window)
        seen.behind = self._behind
        seen.quiet = time.monotonic() - max((one.end for one in slices if one.seen.requests(NEW)), default=self._since)
        seen.notes = [f"{note} ({count} times)" if count > 1 else note for note, count in self._notes.items()]
        return seen

    def recent(self, seconds: float) -> Seen:
        """What was read of the newest ``seconds``."""
        slices = self._reaching(seconds)
        seen = Seen.merged(one.seen for one in slices)
        seen.seconds = self._spanned(slices, seconds)
        return seen

    def newest(self, window: float) -> list[Tries]:
        """What was read of the newest ``NEWEST_S``, within ``window``, in parts of ``NEWEST_SLICE_S``, latest first."""
        return [one.seen.tries() for one in reversed(self._reaching(min(NEWEST_S, window)))]

    def heard(self, seen: Seen, window: float) -> Heard:
        """Since when new answers nothing. ``seen``: what that window holds."""
        stretches = {EVERYWHERE: self._stretch(None, usual_time(seen, self.weight))}
        if len(seen.split_routes) > 1:
            # What is not told apart from others has no name.
            for route in sorted(filter(None, seen.split_routes)):
                stretches[route] = self._stretch(route, usual_time(seen, self.weight, route))
        return Heard(stretches, self._pace(window))

    def _stretch(self, route: str | None, usual: float) -> Stretch:
        first = len(self._slices)
        while first and not self._slices[first - 1].seen.heard(NEW, route):
            first -= 1
        since, now = self._slices[first:], time.monotonic()
        begin = next((one.begin for one in since if one.seen.heard(OLD, route) or one.seen.in_vain(NEW, route)), now)
        before = [one.seen for one in since if one.end <= now - max(GRACE_S, TIMES_USUAL * usual)]
        in_vain = sum(one.seen.in_vain(NEW, route) for one in since)
        return Stretch(
            now - begin,
            sum(one.seen.heard(OLD, route) for one in since),
            sum(seen.heard(OLD, route) for seen in before),
            frozenset(bucket for seen in before for bucket in seen.buckets) if route is None else frozenset(),
            in_vain,
            _median_wait(since, route) if in_vain else 0.0,
            usual,
        )

    def _pace(self, window: float) -> Pace:
        answering = [one for one in self._reaching(window) if one.seen.heard(NEW)]
        if not answering:
            return Pace()
        now = time.monotonic()
        answers = sum(one.seen.heard(NEW) for one in answering)
        return Pace(answers, now - answering[0].begin, self._longest_pause, now - answering[-1].end)

    @property
    def age(self) -> float:
        """Seconds since the shift."""
        return time.monotonic() - self._since

    def _reaching(self, window: float, least: int = 0) -> list[_Slice]:
        """The newest slices, back to where the window begins, and farther where new has too few requests in it."""
        after, requests, first = time.monotonic() - window, 0, len(self._slices)
        while first and (self._slices[first - 1].end > after or requests < least):
            first -= 1
            requests += self._slices[first].seen.requests(NEW)
        return self._slices[first:]

    def _spanned(self, slices: Sequence[_Slice], window: float) -> float:
        """Seconds: slices are not divided, and may begin before the window does."""
        now = time.monotonic()
        return max(min(window, self.age), now - min((one.begin for one in slices), default=now))

    async def _catch_up(self) -> None:
        deadline = time.monotonic() + CATCH_UP_LIMIT_S
        batches: list[Batch] = []
        read_up_to = self._read_up_to
        try:
            while True:
                began = time.monotonic()
                chunk = await self._source.read(self._cursor)
                if chunk.behind > BACKLOG_BYTES and not self._passed_over and await self._pass_over():
                    batches.clear()
                    continue
                counted = await asyncio.to_thread(self._count, chunk) if chunk.data else []
                # From here to the end nothing is awaited: what was read is counted, and once.
                self._cursor, self._behind = chunk.cursor, chunk.behind
                read_up_to = None if chunk.behind else began
                if chunk.note:
                    self._notes[chunk.note] += 1
                for batch in counted:
                    self._take(batches, batch)
                self._passed_over = self._passed_over and chunk.behind > 0
                if (not chunk.behind and not chunk.note) or time.monotonic() > deadline:
                    return
        finally:
            self._keep(batches)
            self._read_up_to = read_up_to

    async def _pass_over(self) -> bool:
        """Go on where the longest window begins. What was counted long before is forgotten: it is no longer all."""
        begin = await self._source.newest(self._cursor, self._window)
        self._passed_over = True
        if begin is None:
            return False
        self._cursor = begin
        self._slices.clear()
        self._answered_until = None
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

    def _take(self, batches: list[Batch], batch: Batch) -> None:
        """A long backlog is not kept whole: what is beside each other in the finest slice of time becomes one.

        What says no time belongs to what is beside it.
        """
        last = batches[-1] if batches else None
        if last is not None and not (last.end and batch.end and abs(batch.end - last.begin) > NEWEST_SLICE_S):
            last.seen.merge(batch.seen)
            last.begin, last.end = last.begin or batch.begin, batch.end or last.end
        else:
            batches.append(batch)

    def _keep(self, batches: list[Batch]) -> None:
        """Place them in time by the proxy's own clock: clocks need not agree."""
        now = time.monotonic()
        newest_at = self._placed(batches[0].begin, batches[-1].end, now) if batches else now
        for batch in batches:
            ages = [max(0.0, batches[-1].end - at) for at in (batch.begin, batch.end) if at]
            begin, end = (newest_at - ages[0], newest_at - ages[-1]) if ages else (newest_at, newest_at)
            self._since = min(self._since, begin)
            last = self._slices[-1] if self._slices else _Slice(Seen(), begin, end)
            # What was read later is not taken for earlier, whatever a clock that was set says.
            kept = _Slice(batch.seen, max(begin, last.begin), max(end, last.end))
            self._slices.append(kept)
            self._note_pause(kept)
        self._merge_old(now)

    def _note_pause(self, kept: _Slice) -> None:
        """From one answer of new to the next; one in which clients waited in vain is not what is usual."""
        self._waited_in_vain = self._waited_in_vain or kept.seen.in_vain(NEW) > 0
        if not kept.seen.heard(NEW):
            return
        if self._answered_until is not None and not self._waited_in_vain and not kept.seen.total(NEW).failed:
            self._longest_pause = max(self._longest_pause, kept.begin - self._answered_until)
        self._answered_until, self._waited_in_vain = kept.end, False

    def _placed(self, begin: float, end: float, now: float) -> float:
        """When the last line was written, by this process's clock; ``begin`` and ``end`` are the proxy's.

        It was not after ``now``, and what was read before it says the same: so the least difference of the clocks that
        was seen is the nearest. Unless the proxy's clock was set back: then the first line read would seem to be from
        before the log was last read to its end.
        """
        if not end:
            return now
        if late := self._late(end):
            return now - late
        ahead = now - end if self._ahead is None else min(now - end, self._ahead)
        if self._read_up_to is not None and begin:
            ahead = min(now - end, max(ahead, self._read_up_to - CLOCK_S - begin))
        self._ahead = ahead
        return end + ahead

    def _late(self, end: float) -> float:
        """How long ago the last line was written, in seconds; once the log is followed, just now."""
        if self._any_read or self._behind:
            return 0.0
        self._any_read = True
        late = time.time() - end if end else 0.0
        return late if late > (CLOCK_S if self._same_clock else STALE_S) else 0.0

    def _merge_old(self, now: float) -> None:
        kept: list[_Slice] = []
        for one in self._slices:
            age = now - one.end
            longest = max(NEWEST_SLICE_S, age / (FINENESS if age <= self._window else FINENESS_BEFORE))
            if kept and one.end - kept[-1].begin <= longest:
                kept[-1].merge(one)
            else:
                kept.append(one)
        self._slices = kept


def _median_wait(slices: Sequence[_Slice], route: str | None) -> float:
    """Of the clients who gave up on new where the split had sent them, in seconds."""
    times = Times()
    for one in slices:
        for tally in one.seen.of(NEW, route):
            if tally.in_vain:
                times.merge(tally.times)
    return times.percentile(50) if times.count else 0.0
