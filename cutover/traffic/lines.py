"""Lines of the proxy's access log: each is read, or counted as one that nobody can read."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
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
    lines = [(float(found[1]), found.start()) for found in _WRITTEN_AT.finditer(data)]
    if not lines:
        return [data]
    end, pieces, high, last = lines[-1][0], [], len(data), len(lines)
    for part in range(1, parts + 1):
        first = bisect_right(lines, end - part * seconds, hi=last, key=itemgetter(0))
        place = lines[first][1] if first else 0
        if first < last and place < high:
            pieces.append(data[place:high])
            high, last = place, first
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
