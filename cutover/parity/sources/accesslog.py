"""Requests from nginx's access logs: what clients really ask, the most frequent first."""

from __future__ import annotations

import asyncio
from pathlib import Path
from threading import Event

from cutover.parity.endpoints import EndpointOf, endpoint
from cutover.parity.sources.drawn import Drawn, source_mistake
from cutover.parity.sources.logfile import MAX_LINE_BYTES, read_lines
from cutover.parity.sources.logline import parse_line
from cutover.parity.sources.recorded import Recorded

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
    for number, line in enumerate(read_lines(file, stop), 1):
        if line is None:
            leaving_out.add(LONG_LINE, f"{file}:{number}")
            continue
        logged = parse_line(line)
        if logged is None:
            if line.strip():
                leaving_out.add(NO_REQUEST, f"{file}:{number}")
            continue
        found = True
        if logged.own:
            leaving_out.add(OWN)
            continue
        if logged.cut:
            leaving_out.add(NO_QUERY)
        recorded.add(logged.method, logged.target, logged.status)
    if number and not found and not stop.is_set():
        hint = "logs in nginx's combined format, or in JSON with a method and a path, are read"
        raise source_mistake(f"{file} holds no request: none of its {number} lines can be read; {hint}")
