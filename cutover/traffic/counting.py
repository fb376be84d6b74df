"""From lines of the access log to counts."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from cutover.traffic.lines import EXAMPLE_CHARS, Line, parse
from cutover.traffic.seen import Seen, Tally
from cutover.traffic.tries import SERVER_ERROR, UNKNOWN, Backends, Reading, Said, read, split

MAX_ROUTES = 200
"""Routes that are told apart; all others are counted together."""

MAX_ELSEWHERE = 20
_TIME = re.compile(r"\d{1,9}\.\d{3}")
# Places in a line.
_STATUS, _ROUTE, _SAID, _PROBE, _PICKED, _REVISION, _ALL_SAID, _TIMES, _BUCKET, _URI = 2, 5, 6, 6, 7, 8, 9, 9, 10, 11


@dataclass
class Batch:
    """A part of the log, counted; ``begin`` and ``end`` are the proxy's times of its first and last line."""

    seen: Seen
    begin: float
    end: float


@dataclass
class _Group:
    """Lines of one route that differ in their times and clients alone; counts by what they say there."""

    times: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    buckets: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))

    @property
    def lines(self) -> int:
        return sum(self.times.values())


class Counting:
    """``routes``: path prefixes that are to be told apart, the longest that matches wins; what matches none is counted
    under the plan's route. ``revision``: lines of another configuration are left out; empty takes all.
    """

    def __init__(self, backends: Backends, routes: Iterable[str] = (), revision: str = "") -> None:
        self._backends = backends
        self._routes = sorted(set(routes), key=len, reverse=True)
        self._revision = revision
        self._labels: set[str] = set()

    def count(self, data: bytes) -> Batch:
        """Whole lines. Takes no note of what was counted before."""
        lines = parse(data, with_uri=bool(self._routes))
        seen = Seen(lines=lines.same.total() + lines.unreadable, unreadable=lines.unreadable, example=lines.example)
        for (said, route), group in self._groups(lines.same, seen).items():
            self._add(seen, said, route, group)
        return Batch(seen, lines.begin, lines.end)

    def _groups(self, lines: Mapping[Line, int], seen: Seen) -> dict[tuple[Line, str], _Group]:
        groups: defaultdict[tuple[Line, str], _Group] = defaultdict(_Group)
        for line, count in lines.items():
            if type(line[_TIMES]) is not str or type(line[-1]) is not str:
                _unreadable(seen, line, count)
                continue
            group = groups[line[:_ALL_SAID], self._route(line)]
            group.times[line[_TIMES]] += count
            if line[_BUCKET]:
                group.buckets[line[_BUCKET]] += count
        return groups

    def _route(self, line: Line) -> str:
        for route in self._routes:
            if line[_URI].startswith(route):
                return route
        return ""

    def _add(self, seen: Seen, said: Line, route: str, group: _Group) -> None:
        count = group.lines
        if said[_PROBE]:
            seen.probes += count
        elif said[_PICKED]:
            seen.picked += count
        elif self._revision and said[_REVISION] and said[_REVISION] != self._revision:
            seen.earlier += count
        else:
            try:
                _require_types(said)
                reading = read(Said(*said[:_SAID]), self._backends)
            except (ValueError, TypeError):
                _unreadable(seen, said, count)
            else:
                _count(seen, route or self._label(said[_ROUTE]), reading, group)

    def _label(self, route: str) -> str:
        if route not in self._labels:
            if len(self._labels) >= MAX_ROUTES:
                return ""
            self._labels.add(route)
        return route


def _require_types(said: Line) -> None:
    """Raise ``TypeError`` for a line of the right names with something else under them."""
    texts = (*said[:_STATUS], *said[_STATUS + 1 : _SAID])
    if not isinstance(said[_STATUS], int) or not all(isinstance(text, str) for text in texts):
        raise TypeError("not a line of the access log")


def _unreadable(seen: Seen, line: Line, count: int) -> None:
    seen.unreadable += count
    seen.example = seen.example or str(line)[:EXAMPLE_CHARS]


def _count(seen: Seen, route: str, reading: Reading, group: _Group) -> None:
    if not reading.tries:
        return
    count = group.lines
    for one in reading.tries:
        tally = seen.tally(route, one.backend)
        tally.tries += count
        tally.failed += count if one.failed else 0
        if one.backend == UNKNOWN and len(seen.elsewhere) < MAX_ELSEWHERE:
            seen.elsewhere[one.address] += count
    for text, times in group.times.items():
        for one, took in zip(reading.tries, split(text), strict=False):
            if one.timed and _TIME.fullmatch(took):
                seen.tally(route, one.backend).times.add(float(took), times)
    for backend in {one.backend for one in reading.tries}:
        seen.tally(route, backend).requests += count
    first: Tally = seen.tally(route, reading.tries[0].backend)
    first.hidden += count if reading.hidden else 0
    first.client_errors += count if reading.status >= SERVER_ERROR else 0
    first.gave_up += count if reading.gave_up else 0
    if reading.drawn:
        first.drawn += count
        for bucket, requests in group.buckets.items():
            seen.buckets[bucket] += requests
