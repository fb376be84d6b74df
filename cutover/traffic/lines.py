"""Lines of the proxy's access log: each is read, or counted as one that nobody can read."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any

from cutover.traffic.fixed import read_fixed
from cutover.traffic.groups import Groups, Key, no_groups

TEXTS = (
    "uri",
    "upstream_addr",
    "upstream_status",
    "upstream_response_time",
    "route",
    "side",
    "fallback",
    "override",
    "bucket",
    "revision",
    "probe",
)
# Logs of configurations that were rendered before these fields existed.
LATER_FIELDS = ("revision", "bucket")
EXAMPLE_CHARS = 120
LOOK_BYTES = 64 * 1024
"""Holds a line that says what time it is, unless nearly all are garbage or somebody else's."""

_WRITTEN_AT = re.compile(rb'(?m)^\{"time":"[^"\\\n]*+","msec":(\d+\.\d+),')


@dataclass
class Lines:
    """``count`` of all of them, ``others``: those not as cutover's own format writes them.

    ``unreadable`` lines are no JSON, or JSON of something else; ``example`` is the beginning of one. ``begin`` and
    ``end`` are the proxy's time of the first and the last line, in seconds since 1970; 0.0 where those say none.
    """

    groups: Groups = field(default_factory=no_groups)
    count: int = 0
    others: int = 0
    unreadable: int = 0
    example: str = ""
    begin: float = 0.0
    end: float = 0.0


def parse(data: bytes, prefixes: Sequence[str] = ()) -> Lines:
    """Whole lines, of any content: nothing in them is an error.

    ``prefixes`` of paths are told apart; of those that fit, the first counts.
    """
    data = data if data.endswith(b"\n") else data + b"\n"
    lines = Lines()
    fixed = read_fixed(data, prefixes, lines.groups)
    others = b"".join(other + b"\n" for other in fixed.others).splitlines()
    for other in others:
        _read_any(lines, other, prefixes)
    lines.count, lines.others = fixed.lines + len(others), len(others)
    first, last = data[: data.index(b"\n")], data[data.rfind(b"\n", 0, -1) + 1 :]
    times = [time for line in (first, last) if (time := time_of(line))]
    if times:
        lines.begin, lines.end = times[0], times[-1]
    return lines


def cut_newest(data: bytes, seconds: float, parts: int) -> list[bytes]:
    """Whole lines in order, the newest ``parts`` times ``seconds`` of them apart; what is older stands in one, first.

    By the times in the lines. Lines that say none stay with those before them.
    """
    times = _WRITTEN_AT.findall(data, max(0, len(data) - LOOK_BYTES))
    if not times:
        return [data]
    end = float(times[-1])

    def line_from(place: int) -> re.Match[bytes] | None:
        """The first from there on that says when, unless it is far behind: others may write into the log, too."""
        return _WRITTEN_AT.search(data, place, place + LOOK_BYTES)

    def time_from(place: int) -> float:
        found = line_from(place)
        return float(found[1]) if found else inf

    pieces, high = [], len(data)
    for part in range(1, parts + 1):
        found = line_from(bisect_right(range(high), end - part * seconds, key=time_from))
        if found is not None and found.start() < high:
            pieces.append(data[found.start() : high])
            high = found.start()
        if not high:
            break
    return [*([data[:high]] if high else []), *reversed(pieces)]


def time_of(line: bytes) -> float:
    """The proxy's time of a line, in seconds since 1970; 0.0 where it says none."""
    record = _record(line)
    said = record.get("msec") if record is not None else None
    return float(said) if isinstance(said, int | float) else 0.0


def _read_any(lines: Lines, line: bytes, prefixes: Sequence[str]) -> None:
    record = _record(line)
    if record is None:
        lines.unreadable += 1
        lines.example = lines.example or line[:EXAMPLE_CHARS].decode(errors="replace")
        return
    group = lines.groups[_key(record, prefixes)]
    group.times[record["upstream_response_time"]] += 1
    if record["bucket"]:
        group.buckets[record["bucket"]] += 1


def _key(record: Mapping[str, Any], prefixes: Sequence[str]) -> Key:
    return Key(
        addresses=record["upstream_addr"],
        statuses=record["upstream_status"],
        status=record["status"],
        side=record["side"],
        fallback=record["fallback"],
        route=record["route"],
        override=record["override"],
        revision=record["revision"],
        probe=record["probe"],
        prefix=next((prefix for prefix in prefixes if record["uri"].startswith(prefix)), ""),
    )


def _record(line: bytes) -> Mapping[str, Any] | None:
    record = _loaded(line)
    if not isinstance(record, dict):
        return None
    for name in LATER_FIELDS:
        record.setdefault(name, "")
    readable = isinstance(record.get("status"), int) and {*map(type, map(record.get, TEXTS))} == {str}
    return record if readable else None


def _loaded(line: bytes) -> object:
    from orjson import loads  # noqa: PLC0415 - start-up time

    try:
        return loads(line)
    except ValueError:
        pass
    try:
        # A path may hold bytes that are no UTF-8; what such requests met counts as well.
        return json.loads(line.decode(errors="replace"))
    except (ValueError, RecursionError):
        return None
