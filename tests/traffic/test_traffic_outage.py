"""A new that is down is seen at once, however much went well before within the window; the rest the window tells."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutover.plan.thresholds import Verdict
from cutover.traffic.lines import cut_newest, time_of
from cutover.traffic.observer import NEWEST_S, NEWEST_SLICE_S
from cutover.traffic.outage import Moment, outage
from tests.support.accesslog import line, old
from tests.support.following import BEGAN, WINDOW_S, Answer, Following, all_well, new_fails


def both_fail(msec: float, _number: int) -> bytes:
    failed = {"msec": msec, "upstream_status": "500", "status": 500}
    return line(**failed) + old(**failed)


def two_in_five_fail(msec: float, number: int) -> bytes:
    return (new_fails if number % 5 < 2 else all_well)(msec, number)


def search_fails(msec: float, _number: int) -> bytes:
    """One route in ten."""
    failed = line(msec=msec, uri="/search", upstream_status="500", status=500)
    return failed + line(msec=msec) * 9 + old(msec=msec)


@pytest.fixture
async def following(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Following:
    """After five minutes in which all was well, with a look every 5 s."""
    made = Following(tmp_path / "access.log", monkeypatch)
    for _ in range(61):
        made.goes_by(5, all_well)
        assert (await made.asks("errors <= 1%")).verdict is Verdict.PASS
    return made


@pytest.mark.parametrize("threshold", ["errors <= 1%", "errors < 5%", "errors <= old + 1%"])
async def test_half_a_second_of_nothing_but_failures_outweighs_five_good_minutes(
    following: Following, threshold: str
) -> None:
    following.goes_by(4.5, all_well)
    following.goes_by(0.5, new_fails)
    found = await following.asks(threshold)
    assert found.verdict is Verdict.FAIL
    assert ", but 10 of the newest 10 tries failed)" in found.summary


@pytest.mark.parametrize(
    ("then", "thresholds"),
    [
        (two_in_five_fail, ["errors <= 1%"]),
        (both_fail, ["errors <= old + 1%"]),
        (search_fails, ["errors <= 1%"]),
        (new_fails, ["p95 <= 1s"]),
        (new_fails, ["errors <= 100%"]),
    ],
)
async def test_what_is_no_outage_is_left_to_the_window(
    following: Following, then: Answer, thresholds: list[str]
) -> None:
    following.goes_by(0.5, then)
    assert (await following.asks(*thresholds)).verdict is Verdict.PASS


async def test_a_hiccup_that_is_over_when_the_gate_looks_is_none(following: Following) -> None:
    following.goes_by(0.5, new_fails)
    following.goes_by(1.5, all_well)
    assert (await following.asks("errors <= 1%")).verdict is Verdict.PASS


async def test_an_outage_of_one_route_is_seen_by_its_own_limit(following: Following) -> None:
    for _ in range(60):
        following.goes_by(5, lambda msec, _: line(msec=msec, uri="/search") + old(msec=msec, uri="/search"))
        await following.asks(routes={"/search": ["errors <= 5%"]})
    following.goes_by(1.0, search_fails)
    assert (await following.asks("errors <= 5%")).verdict is Verdict.PASS
    found = await following.asks(routes={"/search": ["errors <= 5%"]})
    assert found.verdict is Verdict.FAIL
    assert "/search: fail: errors <= 5%" in found.summary


async def test_what_is_older_than_a_short_window_is_no_outage_of_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Following(tmp_path / "access.log", monkeypatch, window=2.0)
    made.goes_by(3, all_well)
    made.goes_by(1, new_fails)
    assert (await made.asks("errors <= 1%", window="2s")).verdict is Verdict.FAIL
    made.now += 4
    assert (await made.asks("errors <= 1%", window="2s")).verdict is Verdict.UNKNOWN


async def test_however_long_a_log_is_followed_the_newest_takes_no_more_room(following: Following) -> None:
    assert len(following.observer.newest(WINDOW_S)) <= NEWEST_S / NEWEST_SLICE_S + 1
    seen = await following.observer.look(math.inf)
    assert seen.total("new").requests == seen.total("old").requests == 61 * 5 * 20


def test_a_new_that_is_within_its_limit_is_never_down_in_a_day_of_looks() -> None:
    """10 s at 10 requests a second, with a tenth of errors, looked at 8,640 times."""
    rng = random.Random(7)  # noqa: S311 - a simulation

    def moments() -> Iterator[Moment]:
        while True:
            yield Moment(sum(rng.random() < 0.1 for _ in range(5)), 5)

    made = moments()
    found = [outage([next(made) for _ in range(20)], lambda _: 10.0) for _ in range(8640)]
    assert found.count(None) == len(found)


def test_few_failures_are_no_outage_and_eight_of_eight_are() -> None:
    assert outage([Moment(7, 7)], lambda _: 1.0) is None
    assert outage([Moment(8, 8)], lambda _: 1.0) == Moment(8, 8)
    assert outage([Moment(4, 4), Moment(), Moment(4, 4)], lambda _: 1.0) == Moment(8, 8)
    assert outage([Moment(60, 80)], lambda _: 70.0) is None
    assert outage([Moment(80, 80)], lambda _: None) is None


GARBAGE = [b"\x00\xff\n", b"garbage\n", b"{}\n", b"\n"]


@given(st.lists(st.tuples(st.floats(0, 3), st.sampled_from([b"", *GARBAGE])), min_size=1, max_size=60))
def test_a_part_of_the_log_is_cut_by_time_and_stays_whole(steps: list[tuple[float, bytes]]) -> None:
    at, lines = BEGAN, []
    for step, garbage in steps:
        at += step
        lines.append(line(msec=at) + garbage)
    data = b"".join(lines)
    pieces = cut_newest(data, 0.5, 6)
    assert b"".join(pieces) == data
    assert all(piece.endswith(b"\n") for piece in pieces)
    times = [[said for one in piece.splitlines() if (said := time_of(one))] for piece in pieces]
    assert all(times)
    newest = times[-1][-1]
    for earlier, later in pairwise(times):
        assert earlier[-1] <= later[0]
    for piece in times[1:]:
        assert piece[-1] - piece[0] <= 0.5
        assert piece[0] > newest - 3.0


def test_garbage_and_clocks_that_go_back_are_cut_somewhere_and_lose_nothing() -> None:
    backwards = b"".join(line(msec=BEGAN - second) for second in range(100))
    for data in (b"garbage\n" * 1000, backwards, line() * 50, line(), b"x" * 100_000 + b"\n" + line()):
        assert b"".join(cut_newest(data, 0.5, 20)) == data
