"""Reading and counting the access log, against a bare loop of orjson.loads over the same lines.

    python benchmarks/bench_traffic.py [--seconds 4] [--lines 10000000] [--backlog 1024]

The reference parses lines that stand in memory, and does nothing with them. Ours reads the file as a gate does: from
the cursor on, chunk by chunk, to counts by backend and route. Then memory over many lines, and what a gate does with a
backlog (in MB) that grew while nobody read.
"""

from __future__ import annotations

import asyncio
import math
import random
import re
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from orjson import loads

from benchmarks.figures import Budget, Cell, Report, Table, main, say
from benchmarks.stage import scratch
from benchmarks.timing import by_turns
from cutover.engine.backlog import newest
from cutover.engine.observing import CHUNK_BYTES
from cutover.hosts.base import LogCursor, LogRead
from cutover.hosts.logs import LocalLogs, end, read_on
from cutover.traffic.counting import Counting
from cutover.traffic.observer import Chunk, Observer
from cutover.traffic.tries import Backends

RATE_BUDGET = 2.0
MEMORY_BUDGET = 1.1
OLD, NEW = "10.0.0.1:8000", "10.0.0.2:8000"
BACKENDS = Backends({OLD: "old", NEW: "new"})
ROUTES = ["/api/v1/search", "/api/v1/studies", "/api/v1/patients", "/health"]
BACKLOG_COLUMNS = ["it spans", "MB", "evaluations", "seconds", "counted, MB", "it says"]
LINES = 60_000
WINDOW_S = 300.0
# So that what a window keeps is thrown away and made anew several times while the lines are read.
SHORT_WINDOW_S = 4.0
PER_SECOND = 10_000
REVISION = "0123456789abcdef"


@dataclass(frozen=True)
class Kind:
    """What lines are like. ``escaped``: so many of a hundred have a path with a quote in it."""

    name: str
    by_client: bool
    routes: bool
    escaped: int = 0


KINDS = (
    Kind("by request", by_client=False, routes=False),
    Kind("by request, limits on 4 routes", by_client=False, routes=True),
    Kind("by client, limits on 4 routes", by_client=True, routes=True),
    Kind("by client, 1 % of paths with a quote", by_client=True, routes=True, escaped=1),
)


def line(kind: Kind, at: float, number: random.Random) -> bytes:
    side = "new" if number.random() < 0.1 else "old"
    status = 200 if number.random() < 0.99 else number.choice((404, 499, 502))
    took = number.lognormvariate(-4, 0.8)
    path = f"{number.choice(ROUTES)}/{number.randrange(5000)}"
    quote = '\\"' if number.random() * 100 < kind.escaped else ""
    bucket = number.randrange(100) if kind.by_client else ""
    return (
        f'{{"time":"2026-01-31T10:00:00+00:00","msec":{at:.3f},"method":"GET","uri":"{path}{quote}",'
        f'"request_time":{took + 0.001:.3f},"upstream_response_time":"{took:.3f}","status":{status},'
        f'"upstream_addr":"{NEW if side == "new" else OLD}","upstream_status":"{"-" if status == 499 else status}",'
        f'"route":"/api/","side":"{side}","fallback":"","override":"","bucket":"{bucket}","revision":"{REVISION}",'
        f'"probe":""}}\n'
    ).encode()


def lines(kind: Kind, count: int) -> list[bytes]:
    number = random.Random(count)  # noqa: S311 - lines to read, no secrets
    began = int(time.time())
    return [line(kind, began + at / PER_SECOND, number) for at in range(count)]


def measure(seconds: float, lines: int, backlog: int) -> Report:
    # First, as long as the process has never needed more.
    memory, growth = memory_rows(lines)
    rates, worst = rate_rows(seconds)
    return Report(
        [
            Table("Lines a second, medians", ["lines", "rounds", "orjson alone", "read and counted", "ratio"], rates),
            Table(f"Memory over {lines:,} lines, window {SHORT_WINDOW_S:g}s", ["lines", "seconds", "MB"], memory),
            Table("A backlog, until a gate has all it needs", BACKLOG_COLUMNS, backlog_rows(backlog)),
        ],
        [
            Budget("time for reading and counting, against orjson.loads alone, the slowest kind", RATE_BUDGET, worst),
            Budget("memory at the end, against after the first tenth", MEMORY_BUDGET, growth),
        ],
    )


def rate_rows(seconds: float) -> tuple[list[list[Cell]], float]:
    rows: list[list[Cell]] = []
    worst = 0.0
    with scratch() as folder:
        for kind in KINDS:
            say(kind.name)
            raw = lines(kind, LINES)
            log = folder / "access.log"
            log.write_bytes(b"".join(raw))
            series = by_turns({"orjson": partial(parse, raw), "ours": partial(count, kind, log)}, seconds)
            worst = max(worst, series.ratio("ours", "orjson"))
            reference, ours = LINES / series.median("orjson"), LINES / series.median("ours")
            rows.append([kind.name, series.rounds, round(reference), round(ours), series.ratio("orjson", "ours")])
    return rows, worst


def parse(raw: list[bytes]) -> None:
    for one in raw:
        loads(one)


def count(kind: Kind, log: Path) -> float:
    """Seconds until all of it is counted."""
    observer = observer_of(LogFile(log), kind)
    began = time.perf_counter()
    seen = asyncio.run(observer.look(WINDOW_S))
    took = time.perf_counter() - began
    assert (seen.lines, seen.unreadable, seen.behind) == (LINES, 0, 0), seen
    return took


def observer_of(source: LogFile | Endless, kind: Kind, window: float = WINDOW_S) -> Observer:
    counting = Counting(BACKENDS, ROUTES if kind.routes else (), REVISION)
    return Observer(source, LogCursor(), counting, weight=10, window=window)


@dataclass
class LogFile:
    """A log of this machine, as ``ProxyLog`` reads it."""

    path: Path
    read_bytes: int = 0

    async def read(self, cursor: LogCursor) -> Chunk:
        read = await asyncio.to_thread(read_on, LocalLogs(), str(self.path), cursor, CHUNK_BYTES)
        self.read_bytes += len(read.data)
        return Chunk(read.data, read.cursor, read.behind, read.note)

    async def newest(self, cursor: LogCursor, seconds: float) -> LogCursor | None:
        return await newest(OnDisk(str(self.path)), cursor, seconds)


@dataclass(frozen=True)
class OnDisk:
    path: str

    async def end(self) -> LogCursor:
        return await asyncio.to_thread(end, LocalLogs(), self.path)

    async def read(self, cursor: LogCursor, limit: int) -> LogRead:
        return await asyncio.to_thread(read_on, LocalLogs(), self.path, cursor, limit)


class Endless:
    """A log that has another second's lines whenever it is read, until there were so many seconds."""

    def __init__(self, seconds: int) -> None:
        self._began = int(time.time())
        self._block = re.sub(rb'"msec":\d+\.', b'"msec":%d.' % self._began, b"".join(lines(KINDS[2], PER_SECOND)))
        self._seconds = seconds

    async def read(self, cursor: LogCursor) -> Chunk:
        if cursor.offset >= self._seconds:
            return Chunk(b"", cursor)
        data = self._block.replace(b'"msec":%d.' % self._began, b'"msec":%d.' % (self._began + cursor.offset))
        return Chunk(data, LogCursor(1, cursor.offset + 1))

    async def newest(self, _cursor: LogCursor, _seconds: float) -> LogCursor | None:
        return None


def memory_rows(count: int) -> tuple[list[list[Cell]], float]:
    """And what there is at the end, against what there was after the first tenth."""
    say(f"memory over {count:,} lines")
    seconds = count // PER_SECOND
    source = Endless(seconds)
    rows = asyncio.run(followed(observer_of(source, KINDS[2], SHORT_WINDOW_S), seconds))
    first, last = rows[1][-1], rows[-1][-1]
    assert isinstance(first, float)
    assert isinstance(last, float)
    return rows, last / first


async def followed(observer: Observer, seconds: int) -> list[list[Cell]]:
    rows: list[list[Cell]] = [[0, 0.0, resident()]]
    began = time.perf_counter()
    for second in range(1, seconds + 1):
        told = second in {seconds // 10, seconds // 5, seconds // 2, seconds}
        seen = await observer.look(math.inf if told else SHORT_WINDOW_S)
        if told:
            assert (seen.lines, seen.unreadable) == (second * PER_SECOND, 0), seen
            rows.append([seen.lines, time.perf_counter() - began, resident()])
    return rows


def resident() -> float:
    """MB of this process's memory."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def backlog_rows(megabytes: int) -> list[list[Cell]]:
    """Of logs whose newest lines come from one second, or from ten times the window."""
    rows: list[list[Cell]] = []
    block = lines(KINDS[0], LINES)
    size = sum(map(len, block))
    blocks = max(2, megabytes * 1_000_000 // size)
    for name, every_s in (
        (f"{blocks * 60 / 3600:.1f} h", 60.0),
        ("all of it within the window", WINDOW_S / blocks / 2),
    ):
        say(f"a backlog of {megabytes} MB, {name}")
        with scratch() as folder:
            log = folder / "access.log"
            write_backlog(log, b"".join(block), blocks, every_s)
            rows += looked_at(name, LogFile(log))
    return rows


def write_backlog(log: Path, block: bytes, blocks: int, every_s: float) -> None:
    now = time.time()
    with log.open("wb") as file:
        for number in range(1, blocks + 1):
            at = b'"msec":%d.' % (now + (number - blocks) * every_s)
            file.write(re.sub(rb'"msec":\d+\.', at, block))


def looked_at(name: str, source: LogFile) -> list[list[Cell]]:
    """Until nothing is behind."""
    observer = observer_of(source, KINDS[0])
    size, behind, looks, took = source.path.stat().st_size / 1e6, 1, 0, 0.0
    while behind:
        began = time.perf_counter()
        seen = asyncio.run(observer.look(WINDOW_S))
        took += time.perf_counter() - began
        behind, looks = seen.behind, looks + 1
    return [[name, round(size), looks, took, round(source.read_bytes / 1e6), "; ".join(seen.notes) or "-"]]


if __name__ == "__main__":
    main(__file__, __doc__, measure, seconds=4.0, lines=10_000_000, backlog=1024)
