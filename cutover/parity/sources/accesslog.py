"""Requests from nginx's access logs: what clients really ask, the most frequent first."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from threading import Event

from cutover.parity.endpoints import EndpointOf, endpoint
from cutover.parity.sources.drawn import Drawn, source_mistake
from cutover.parity.sources.logfile import MAX_LINE_BYTES, read_lines
from cutover.parity.sources.logline import Logged, parse_line
from cutover.parity.sources.recorded import MAX_TARGET_CHARS, Recorded

MAX_BATCH = 2000
"""Different requests that are counted before they are looked at."""

NO_REQUEST = "no request can be read in the line"
LONG_LINE = f"lines longer than {MAX_LINE_BYTES // 1024} kB"
OWN = "cutover's own requests"
NO_QUERY = "asked without a query: cutover's own log keeps none"


async def draw_access_logs(*files: Path, limit: int | None = None, endpoint_of: EndpointOf = endpoint) -> Drawn:
    """As ``read_access_log``, in a thread that ends soon after the caller was cancelled."""
    stop = Event()
    try:
        return await asyncio.to_thread(read_access_log, *files, limit=limit, endpoint_of=endpoint_of, stop=stop)
    finally:
        stop.set()


def read_access_log(
    *files: Path, limit: int | None = None, endpoint_of: EndpointOf = endpoint, stop: Event | None = None
) -> Drawn:
    """At most ``limit`` requests from all the files together; every endpoint at least once while the limit allows.

    Credentials are left out; only GET and HEAD are asked, without what scanners tried (4xx at endpoints that never
    succeeded) and what failed with 5xx. Counts of what is left out are of lines. Raises ``PydanticCustomError`` for a
    file that can't be read whole or holds no request at all.
    """
    recorded = Recorded(endpoint_of, open_to_all=True)
    for file in files:
        _read_file(file, recorded, stop or Event())
    return recorded.drawn(limit)


def _read_file(file: Path, recorded: Recorded, stop: Event) -> None:
    leaving_out = recorded.leaving_out
    number, found = 0, False
    same: Counter[Logged] = Counter()
    for number, line in enumerate(read_lines(file, stop), 1):
        logged = parse_line(line) if line is not None else None
        if logged is not None:
            found = True
            if len(logged.target) > MAX_TARGET_CHARS:
                # It is not asked: no more of it has to be kept.
                logged = logged._replace(target=logged.target[: MAX_TARGET_CHARS + 1])
            same[logged] += 1
            if len(same) >= MAX_BATCH:
                _take(same, recorded)
        elif line is None:
            leaving_out.add(LONG_LINE, f"{file}:{number}")
        elif line.strip():
            leaving_out.add(NO_REQUEST, f"{file}:{number}")
    _take(same, recorded)
    if number and not found and not stop.is_set():
        hint = "logs in nginx's combined format, or in JSON with a method and a path, are read"
        raise source_mistake(f"{file} holds no request: none of its {number} lines can be read; {hint}")


def _take(same: Counter[Logged], recorded: Recorded) -> None:
    """Many lines say the same, and what is to be done with a request takes longer than counting it."""
    for logged, count in same.items():
        if logged.own:
            recorded.leaving_out.add(OWN, count=count)
            continue
        if logged.cut:
            recorded.leaving_out.add(NO_QUERY, count=count)
        recorded.add(logged.method, logged.target, logged.status, count=count)
    same.clear()
