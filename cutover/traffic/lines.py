"""Lines of the proxy's access log, taken together where they say the same of a request."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

# What of a line is looked at; "uri" last, and only where it matters: it makes most lines differ from each other.
FIELDS = (
    "upstream_addr",
    "upstream_status",
    "status",
    "side",
    "fallback",
    "route",
    "probe",
    "override",
    "revision",
    "upstream_response_time",
    "bucket",
    "uri",
)
TEXTS = frozenset(FIELDS) - {"status"}
# Logs of configurations that were rendered before these fields existed.
LATER_FIELDS = {"revision": "", "bucket": ""}
EXAMPLE_CHARS = 120

Line = tuple[Any, ...]


@dataclass
class Lines:
    """``same``: how many lines say the same in ``FIELDS`` (without ``uri`` unless asked for).

    ``unreadable`` lines are no JSON, or JSON of something else; ``example`` is the beginning of one. ``begin`` and
    ``end`` are the proxy's time of the first and the last line, in seconds since 1970; 0.0 where those say none.
    """

    same: Counter[Line] = field(default_factory=Counter)
    unreadable: int = 0
    example: str = ""
    begin: float = 0.0
    end: float = 0.0


def parse(data: bytes, *, with_uri: bool) -> Lines:
    """Whole lines, of any content: nothing in them is an error."""
    from orjson import loads  # noqa: PLC0415 - start-up time

    wanted = FIELDS if with_uri else FIELDS[:-1]
    raw = data.splitlines()
    try:
        lines = Lines(Counter(map(itemgetter(*wanted), map(loads, raw))))
    except (ValueError, LookupError, TypeError):
        lines = _one_by_one(raw, wanted)
    times = [time for line in (raw[:1] + raw[-1:]) if (time := _time(line))]
    if times:
        lines.begin, lines.end = times[0], times[-1]
    return lines


def _one_by_one(raw: Iterable[bytes], wanted: tuple[str, ...]) -> Lines:
    """For data that holds lines nobody can read: those are counted, and all others too."""
    lines = Lines()
    for line in raw:
        record = _record(line)
        if record is None:
            lines.unreadable += 1
            lines.example = lines.example or line[:EXAMPLE_CHARS].decode(errors="replace")
        else:
            lines.same[tuple(record[name] for name in wanted)] += 1
    return lines


def _record(line: bytes) -> Mapping[str, Any] | None:
    try:
        # A path may hold bytes that are no UTF-8; what such requests met counts as well.
        record = json.loads(line.decode(errors="replace"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict):
        return None
    record = {**LATER_FIELDS, **record}
    texts = all(isinstance(record.get(name), str) for name in TEXTS)
    return record if texts and isinstance(record.get("status"), int) else None


def _time(line: bytes) -> float:
    record = _record(line)
    said = record.get("msec") if record is not None else None
    return float(said) if isinstance(said, int | float) else 0.0
