"""From lines of the access log to counts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cutover.traffic.groups import Group, Key
from cutover.traffic.lines import EXAMPLE_CHARS, parse
from cutover.traffic.seen import Seen, Tally
from cutover.traffic.times import Times
from cutover.traffic.tries import NEW, SERVER_ERROR, UNKNOWN, Backends, Reading, Said, read, split

MAX_ROUTES = 200
"""Routes that are told apart; all others are counted together."""

MAX_ELSEWHERE = 20
_TIME = re.compile(r"(?:0|[1-9]\d{0,8})\.\d{3}")


@dataclass
class Batch:
    """A part of the log, counted; ``begin`` and ``end`` are the proxy's times of its first and last line."""

    seen: Seen
    begin: float
    end: float


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
        lines = parse(data, self._routes)
        seen = Seen(lines=lines.count, unreadable=lines.unreadable, example=lines.example)
        for key, group in lines.groups.items():
            self._add(seen, key, group)
        return Batch(seen, lines.begin, lines.end)

    def _add(self, seen: Seen, key: Key, group: Group) -> None:
        count = group.times.total()
        if key.probe:
            seen.probes += count
        elif key.override:
            seen.picked += count
        elif self._revision and key.revision and key.revision != self._revision:
            seen.earlier += count
        else:
            said = Said(key.addresses, key.statuses, key.status, key.side, key.fallback, key.route)
            try:
                reading = read(said, self._backends)
            except ValueError:
                seen.unreadable += count
                seen.example = seen.example or str(said)[:EXAMPLE_CHARS]
            else:
                _count(seen, key.prefix or self._label(key.route), reading, group)

    def _label(self, route: str) -> str:
        if route not in self._labels:
            if len(self._labels) >= MAX_ROUTES:
                return ""
            self._labels.add(route)
        return route


def _count(seen: Seen, route: str, reading: Reading, group: Group) -> None:
    if not reading.tries:
        return
    count = group.times.total()
    for one in reading.tries:
        tally = seen.tally(route, one.backend)
        tally.tries += count
        tally.failed += count if one.failed else 0
        if one.backend == UNKNOWN and len(seen.elsewhere) < MAX_ELSEWHERE:
            seen.elsewhere[one.address] += count
    _count_times([seen.tally(route, one.backend).times if one.timed else None for one in reading.tries], group.times)
    for backend in {one.backend for one in reading.tries}:
        seen.tally(route, backend).requests += count
    first: Tally = seen.tally(route, reading.tries[0].backend)
    first.hidden += count if reading.hidden else 0
    first.client_errors += count if reading.status >= SERVER_ERROR else 0
    first.gave_up += count if reading.gave_up else 0
    if reading.drawn:
        first.drawn += count
        first.in_vain += count if reading.gave_up else 0
        first.heard += count if _is_heard(reading) else 0
        for bucket, requests in group.buckets.items():
            seen.buckets[bucket] += requests


def _is_heard(reading: Reading) -> bool:
    """What takes time to fail or to end, as an upgraded connection, was no answer of old while new gave none."""
    first = reading.tries[0]
    return not reading.gave_up and (first.backend == NEW or (first.timed and not first.failed))


def _count_times(tries: Sequence[Times | None], told: Mapping[str, int]) -> None:
    """``told``: times as they stand in lines, one for each try, and in how many lines."""
    single = {float(text): count for text, count in told.items() if _TIME.fullmatch(text)}
    if tries[0] is not None:
        tries[0].add_all(single)
    if len(single) == len(told):
        return
    for text, count in told.items():
        if _TIME.fullmatch(text):
            continue
        for times, took in zip(tries, split(text), strict=False):
            if times is not None and _TIME.fullmatch(took):
                times.add(float(took), count)
