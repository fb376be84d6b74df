"""Following a log: every line once, the newest stretch of time, and memory that does not grow."""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from cutover.engine import backlog
from cutover.errors import ProxyError
from cutover.hosts.base import LogCursor, LogRead
from cutover.hosts.logs import LocalLogs, end, read_on
from cutover.traffic import observer as observing
from cutover.traffic.counting import Counting
from cutover.traffic.observer import Chunk, Observer
from tests.support.accesslog import BACKENDS, line, old

CHUNK_BYTES = 4096


@dataclass
class OnDisk:
    path: str

    async def end(self) -> LogCursor:
        return end(LocalLogs(), self.path)

    async def read(self, cursor: LogCursor, limit: int) -> LogRead:
        return read_on(LocalLogs(), self.path, cursor, limit)


class Log:
    """A log file, and the source that reads it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "access.log"
        self.path.touch()
        self.reads = 0
        self.bytes = 0

    def write(self, *lines: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(b"".join(lines))

    async def read(self, cursor: LogCursor) -> Chunk:
        self.reads += 1
        read = await asyncio.to_thread(read_on, LocalLogs(), str(self.path), cursor, CHUNK_BYTES)
        self.bytes += len(read.data)
        return Chunk(read.data, read.cursor, read.behind, read.note)

    async def newest(self, cursor: LogCursor, seconds: float) -> LogCursor | None:
        return await backlog.newest(OnDisk(str(self.path)), cursor, seconds)

    def observer(self, window: float = 60.0) -> Observer:
        cursor = end(LocalLogs(), str(self.path))
        return Observer(self, cursor, Counting(BACKENDS), weight=10, window=window)


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path)


async def test_each_look_adds_what_is_new(log: Log) -> None:
    log.write(line() * 5)
    observer = log.observer()
    assert (await observer.look(60)).lines == 0
    log.write(line() * 3)
    assert (await observer.look(60)).total("new").requests == 3
    log.write(line() * 2)
    assert (await observer.look(60)).total("new").requests == 5
    assert log.bytes == 5 * len(line())


async def test_gates_side_by_side_read_every_line_once(log: Log) -> None:
    observer = log.observer()
    log.write(line() * 500)
    seen = await asyncio.gather(*(observer.look(60) for _ in range(5)))
    assert [one.total("new").requests for one in seen] == [500] * 5
    assert log.bytes == 500 * len(line())


async def test_rotation_and_truncation_lose_and_repeat_nothing(log: Log) -> None:
    observer = log.observer()
    log.write(line() * 40)
    await observer.look(60)
    log.write(line() * 40)
    log.path.rename(log.path.with_name("access.log.1"))
    log.write(line(msec=time.time() + 1.5) * 7)
    seen = await observer.look(60)
    assert (seen.total("new").requests, seen.notes) == (87, [])
    log.path.write_bytes(line(msec=time.time() + 2.5) * 2)
    seen = await observer.look(60)
    assert seen.total("new").requests == 89
    assert seen.notes == ["the log was truncated or made anew"]


async def test_a_log_that_is_gone_is_an_error_and_what_was_seen_stays(log: Log) -> None:
    observer = log.observer()
    log.write(line() * 4)
    await observer.look(60)
    log.path.unlink()
    with pytest.raises(ProxyError, match="there is no access log"):
        await observer.look(60)
    log.write(line(msec=time.time() + 1.5) * 3)
    assert (await observer.look(60)).total("new").requests == 7


async def test_a_look_that_is_cancelled_loses_no_line(log: Log) -> None:
    observer = log.observer()
    log.write(*(line(upstream_response_time=f"0.{number % 1000:03}") for number in range(5000)))
    for delay in (0.0, 0.001, 0.003, 0.01, 0.02):
        looking = asyncio.create_task(observer.look(60))
        await asyncio.wait({looking}, timeout=delay)
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
    assert (await observer.look(60)).total("new").requests == 5000


async def test_only_the_newest_window_counts_and_all_can_be_had(log: Log) -> None:
    observer = log.observer(window=3.0)
    now = time.time()
    log.write(*(line(msec=now - age) for age in (3600, 600, 10, 0) for _ in range(50)))
    seen = await observer.look(3.0)
    # A chunk that spans the beginning of the window is within it.
    assert 50 <= seen.total("new").requests <= 50 + CHUNK_BYTES / len(line())
    assert 3.0 <= seen.seconds <= 10.1
    assert (await observer.look(math.inf)).total("new").requests == 200
    assert (await observer.look(math.inf)).seconds == pytest.approx(3600, abs=5)


async def test_what_is_older_than_the_window_goes(log: Log) -> None:
    observer = log.observer(window=0.05)
    log.write(line())
    assert (await observer.look(0.05)).total("new").requests == 1
    deadline = time.monotonic() + 10
    while (await observer.look(0.05)).total("new").requests:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    assert (await observer.look(math.inf)).total("new").requests == 1


async def test_a_clock_that_was_set_back_changes_nothing(log: Log) -> None:
    observer = log.observer()
    now = time.time()
    for moment in (now, now - 7200, now - 7100, now + 86400, now):
        log.write(line(msec=moment), old(msec=moment))
        seen = await observer.look(60)
    assert (seen.total("new").requests, seen.total("old").requests) == (5, 5)


async def test_memory_does_not_grow_with_the_log(log: Log) -> None:
    observer = log.observer(window=60.0)
    start = time.time() - 36_000
    for minute in range(0, 600, 60):
        log.write(*(line(msec=start + 60 * minute + second) for second in range(0, 3600, 20)))
        await observer.look(60)
    assert len(observer._slices) < 80
    assert (await observer.look(math.inf)).total("new").requests == 1800


async def test_a_reader_that_lags_says_so_and_goes_on_later(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observing, "CATCH_UP_LIMIT_S", 0.0)
    observer = log.observer()
    log.write(line() * 100)
    seen = await observer.look(60)
    assert 0 < seen.total("new").requests < 100
    assert seen.behind > 0
    while seen.behind:
        seen = await observer.look(60)
    assert seen.total("new").requests == 100


HOURS_S = 6 * 3600


def grow_for_hours(log: Log, now: float) -> None:
    """Six hours: old fails, until it is new that fails in the last minute, one request a second."""
    log.write(*(old(msec=now - age, upstream_status="500", status=500) for age in range(HOURS_S, 60, -1)))
    log.write(*(line(msec=now - age, upstream_status="500", status=500) for age in range(60, -1, -1)))


@pytest.fixture
def short_backlog(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observing, "BACKLOG_BYTES", 64 * 1024)
    monkeypatch.setattr(backlog, "FINE_ENOUGH_BYTES", 8 * 1024)


@pytest.mark.usefixtures("short_backlog")
async def test_of_a_backlog_of_hours_only_what_the_window_needs_is_read_and_that_is_said(log: Log) -> None:
    observer = log.observer(window=300.0)
    grow_for_hours(log, time.time())
    seen = await observer.look(300.0)
    assert log.bytes < log.path.stat().st_size / 20
    assert (seen.total("new").failed, seen.behind) == (61, 0)
    assert 240 <= seen.total("old").requests <= 300
    assert seen.notes == ["what the log says of the time before the newest 5m was not read"]
    assert (await observer.look(math.inf)).notes == seen.notes
    assert (await observer.look(math.inf)).seconds == pytest.approx(320, abs=30)
    log.write(line() * 3)
    assert (await observer.look(300.0)).total("new").requests == 64


@pytest.mark.usefixtures("short_backlog")
async def test_nothing_within_the_window_is_passed_over(log: Log) -> None:
    observer = log.observer(window=2.0 * HOURS_S)
    grow_for_hours(log, time.time())
    seen = await observer.look(2.0 * HOURS_S)
    assert (seen.lines, seen.notes) == (HOURS_S + 1, [])


@pytest.mark.usefixtures("short_backlog")
async def test_a_backlog_in_a_rotated_log_is_passed_over_where_the_new_one_has_the_window(log: Log) -> None:
    observer = log.observer(window=300.0)
    now = time.time()
    log.write(*(old(msec=now - 86_400 + second) for second in range(2000)))
    log.path.rename(log.path.with_name("access.log.1"))
    grow_for_hours(log, now)
    seen = await observer.look(300.0)
    assert (seen.total("new").failed, seen.behind) == (61, 0)
    assert log.bytes < log.path.stat().st_size / 20


@pytest.mark.usefixtures("short_backlog")
@pytest.mark.parametrize("set_back_s", [60.0, 3600.0, 86_400.0])
async def test_a_clock_set_back_within_a_backlog_hides_nothing_of_the_window(log: Log, set_back_s: float) -> None:
    observer = log.observer(window=300.0)
    now = time.time()
    log.write(*(old(msec=now + set_back_s - age) for age in range(9000, 3000, -1)))
    log.write(*(line(msec=now - age) for age in range(3000, -1, -1)))
    seen = await observer.look(300.0)
    assert seen.total("new").requests >= 300


@pytest.mark.usefixtures("short_backlog")
async def test_a_backlog_of_garbage_is_read_and_said(log: Log) -> None:
    observer = log.observer(window=300.0)
    log.write(b"garbage\n" * 20_000, line())
    seen = await observer.look(300.0)
    assert (seen.unreadable, seen.total("new").requests) == (20_000, 1)
