"""What traffic is like now: of the newest seconds alone, by backend."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from cutover.hosts.logs import LocalLogs, end, read_on
from cutover.traffic import observer as observing
from cutover.traffic.counting import Counting
from cutover.traffic.lately import by_backend
from cutover.traffic.observer import Chunk, Observer
from cutover.traffic.seen import Seen
from tests.support.accesslog import BACKENDS, line, old


class Source:
    def __init__(self, path: Path) -> None:
        self.path = path

    async def read(self, cursor: object) -> Chunk:
        read = read_on(LocalLogs(), str(self.path), cursor, 1 << 20)  # type: ignore[arg-type]
        return Chunk(read.data, read.cursor, read.behind, read.note)

    async def newest(self, _cursor: object, _seconds: float) -> None:
        return None


class Clock:
    """Stands in for the time of the observer."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(observing, "time", made)
    return made


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "access.log"
    path.touch()
    return path


def observer(log: Path) -> Observer:
    return Observer(Source(log), end(LocalLogs(), str(log)), Counting(BACKENDS), weight=10, window=300.0)


async def test_only_the_newest_seconds_count(log: Path, clock: Clock) -> None:
    watching = observer(log)
    for second in range(0, 60, 5):
        clock.now = 1005.0 + second
        with log.open("ab") as file:
            file.write(line(msec=clock.now) * 50)
        await watching.look(300)
    seen = watching.recent(10)
    assert seen.total("new").requests == 100
    assert by_backend(seen)["new"]["rps"] == 10
    assert (await watching.look(math.inf)).total("new").requests == 600


async def test_a_rate_is_of_the_time_that_was_read_where_looks_are_rare(log: Path, clock: Clock) -> None:
    watching = observer(log)
    clock.now = 1060.0
    with log.open("ab") as file:
        for msec in range(1000, 1061):
            file.write(line(msec=float(msec)))
    await watching.look(300)
    assert by_backend(watching.recent(10))["new"]["rps"] == pytest.approx(1.0, rel=0.2)


async def test_traffic_that_stopped_is_no_traffic(log: Path, clock: Clock) -> None:
    watching = observer(log)
    with log.open("ab") as file:
        file.write(line() * 50)
    clock.now = 1001.0
    await watching.look(300)
    assert by_backend(watching.recent(10))["new"]["rps"] == 50
    clock.now = 1100.0
    assert by_backend(watching.recent(10)) == {"old": {"rps": 0.0}, "new": {"rps": 0.0}}


def test_a_fallback_is_told_only_where_it_was_asked() -> None:
    seen = Seen(seconds=10.0)
    assert list(by_backend(seen)) == ["old", "new"]
    tally = seen.tally("/", "fallback")
    tally.requests = tally.tries = 4
    assert by_backend(seen)["fallback"] == {"rps": 0.4, "errors": 0.0}


async def test_of_less_than_a_second_there_is_no_rate(log: Path, clock: Clock) -> None:
    watching = observer(log)
    with log.open("ab") as file:
        file.write(line(msec=clock.now) * 30)
    clock.now += 0.001
    await watching.look(300)
    assert set(by_backend(watching.recent(10))["new"]) == {"errors", "p50", "p95"}


async def test_each_backend_has_its_own_figures(log: Path, clock: Clock) -> None:
    watching = observer(log)
    clock.now += 5
    with log.open("ab") as file:
        file.write(line() * 30 + old() * 40)
    await watching.look(300)
    found = by_backend(watching.recent(10))
    assert set(found["new"]) == set(found["old"]) == {"rps", "errors", "p50", "p95"}
    assert found["old"]["rps"] > found["new"]["rps"]
