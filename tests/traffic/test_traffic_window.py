"""Which requests a verdict rests on: the newest window, and what lay before it only where that says too little."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cutover.plan.thresholds import Verdict
from tests.support.accesslog import line, old
from tests.support.following import BEGAN, Answer, Following, all_well, new_fails

DAY_S = 86_400.0
A_MINUTE = 1 / 60


@pytest.fixture
def following(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Following:
    return Following(tmp_path / "access.log", monkeypatch)


async def test_a_new_that_breaks_at_three_requests_a_minute_is_seen_however_long_all_was_well(
    following: Following,
) -> None:
    for _ in range(400):
        following.goes_by(60, all_well, per_second=5 * A_MINUTE)
        assert (await following.asks("errors <= 5%")).verdict is not Verdict.FAIL
    assert (await following.asks("errors <= 5%")).verdict is Verdict.PASS
    verdicts = []
    for _ in range(10):
        following.goes_by(60, new_fails, per_second=3 * A_MINUTE)
        verdicts.append((await following.asks("errors <= 5%")).verdict)
    assert Verdict.PASS not in verdicts[1:]
    assert verdicts[3:] == [Verdict.FAIL] * 7


async def test_where_the_window_holds_too_few_as_much_of_before_counts_as_it_takes(following: Following) -> None:
    for _ in range(60):
        following.goes_by(60, all_well, per_second=3 * A_MINUTE)
        found = await following.asks("errors <= 5%", min_requests=20)
    assert found.verdict is Verdict.PASS
    assert 20 <= found.figures["requests"] < 40


def mixed(msec: float, number: int) -> bytes:
    """Two requests in three are for one path, and old has as many of its own."""
    uri = "/search" if number % 3 else "/studies"
    return line(msec=msec, uri=uri) + old(msec=msec, uri=uri)


def mostly_new(msec: float, number: int) -> bytes:
    return line(msec=msec) + (old(msec=msec) if number % 10 == 0 else b"")


@pytest.mark.parametrize(
    ("answer", "settings"),
    [
        (mixed, {"routes": {"/search": ["errors <= 1%"], "default": ["errors <= 1%"]}}),
        (mixed, {"thresholds": ["p99 <= 1s"]}),
        (mostly_new, {"thresholds": ["errors <= old + 1%"]}),
        (mostly_new, {"judge": {}}),
    ],
)
async def test_it_reaches_back_as_far_for_a_route_a_percentile_or_old(
    following: Following, answer: Answer, settings: dict[str, Any]
) -> None:
    verdicts = []
    for _ in range(240):
        following.goes_by(300, answer, per_second=5 * A_MINUTE)
        verdicts.append((await following.asks(min_requests=20, **settings)).verdict)
    assert verdicts[-100:] == [Verdict.PASS] * 100


async def test_without_a_request_in_the_window_nothing_of_before_lets_it_pass(following: Following) -> None:
    following.goes_by(60, all_well)
    assert (await following.asks("errors <= 5%")).verdict is Verdict.PASS
    following.now += 6 * 3600
    asked: list[dict[str, Any]] = [{}, {"judge": {}}]
    for settings in asked:
        found = await following.asks("errors <= 5%", **settings)
        assert found.verdict is Verdict.UNKNOWN
        assert found.summary.startswith("new: no requests")


async def test_a_verdict_on_what_was_before_says_how_long_ago_that_is(following: Following) -> None:
    following.goes_by(100, all_well, per_second=0.25)
    assert "ago" not in (await following.asks("errors <= 5%", min_requests=20)).summary
    following.goes_by(45, lambda msec, _: old(msec=msec), per_second=0.25)
    found = await following.asks("errors <= 5%", min_requests=20)
    assert found.verdict is Verdict.PASS
    assert found.summary.endswith("; the last request of new was 45s ago")


async def test_a_window_is_its_own_beside_a_gate_with_a_longer_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Following(tmp_path / "access.log", monkeypatch, window=DAY_S)
    for _ in range(700):
        made.goes_by(5, all_well, per_second=1)
        await made.asks("errors <= 1%", window="24h")
    found = await made.asks("rps >= 5", window="30s", min_requests=10)
    assert found.verdict is Verdict.FAIL
    assert found.figures["requests"] == pytest.approx(30, abs=2)
    assert found.figures["rps"] == pytest.approx(1, rel=0.1)
    whole = await made.asks("errors <= 1%", window="24h")
    assert whole.figures["requests"] == 3500


async def test_what_was_written_long_before_a_process_began_to_read_is_not_of_now(following: Following) -> None:
    """A hold that is gone on with after an hour in which nobody asked for anything."""
    following.goes_by(60, all_well)
    following.now += 3600
    for settings in ({"window": "5m"}, {}):
        assert (await following.asks("errors <= 1%", **settings)).verdict is Verdict.UNKNOWN
    following.goes_by(5, all_well)
    found = await following.asks("errors <= 1%", window="5m")
    assert (found.verdict, found.figures["requests"]) == (Verdict.PASS, 100)


async def test_a_proxy_whose_clock_is_hours_behind_is_judged_by_what_it_writes_from_the_second_look_on(
    following: Following,
) -> None:
    def hours_behind(msec: float, _number: int) -> bytes:
        return line(msec=msec - 7200) + old(msec=msec - 7200)

    for _ in range(3):
        following.goes_by(5, hours_behind)
        found = await following.asks("errors <= 1%", window="5m")
    assert (found.verdict, found.figures["requests"]) == (Verdict.PASS, 200)


async def test_memory_stays_flat_over_days_of_traffic(following: Following) -> None:
    for _ in range(800):
        following.goes_by(450, all_well, per_second=0.02)
        await following.asks("errors <= 1%")
    assert len(following.observer._slices) < 80
    seen = await following.observer.look(float("inf"))
    assert seen.total("new").requests == 800 * 9
    assert seen.seconds == pytest.approx(800 * 450, rel=0.01)
    assert following.time() > BEGAN
