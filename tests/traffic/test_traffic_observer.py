"""Following a log: every line once, the newest stretch of time, and memory that does not grow."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from cutover.errors import ProxyError
from cutover.hosts.base import LogCursor
from cutover.hosts.logs import LocalLogs, end, read_on
from cutover.traffic import observer as observing
from cutover.traffic.counting import Counting
from cutover.traffic.observer import SLICES, Chunk, Observer
from tests.support.accesslog import BACKENDS, line, old

CHUNK_BYTES = 4096


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
    log.write(line(msec=1769853601.5) * 7)
    seen = await observer.look(60)
    assert (seen.total("new").requests, seen.notes) == (87, [])
    log.path.write_bytes(line(msec=1769853602.5) * 2)
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
    log.write(line(msec=1769853601.5) * 3)
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
    assert seen.seconds == 3.0
    assert observer.all_seen().total("new").requests == 200
    assert observer.all_seen().seconds == pytest.approx(3600, abs=5)


async def test_what_is_older_than_the_window_goes(log: Log) -> None:
    observer = log.observer(window=0.05)
    log.write(line())
    assert (await observer.look(0.05)).total("new").requests == 1
    deadline = time.monotonic() + 10
    while (await observer.look(0.05)).total("new").requests:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    assert observer.all_seen().total("new").requests == 1


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
    assert len(observer._slices) <= SLICES + 2
    assert observer.all_seen().total("new").requests == 1800


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
