"""A new that hangs leaves no line in the log: that old goes on answering tells of it, and chance does not."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import pytest

from cutover.plan.thresholds import Verdict
from cutover.traffic.seen import Seen
from cutover.traffic.silence import EVERYWHERE, LEAST_S, Heard, Pace, Stretch, silences, stale
from tests.support.accesslog import line, old
from tests.support.following import BEGAN, PINNED, Answer, Following, all_well

ERRORS = "errors <= 1%"


def old_alone(msec: float, _number: int) -> bytes:
    return old(msec=msec)


def clients_give_up(msec: float, _number: int) -> bytes:
    gone = {"status": 499, "upstream_status": "-", "upstream_response_time": "2.000"}
    return line(msec=msec, **gone) + old(msec=msec)


def both_hang(msec: float, _number: int) -> bytes:
    gone = {"msec": msec, "status": 499, "upstream_status": "-", "upstream_response_time": "2.000"}
    return line(**gone) + old(**gone)


def no_traffic(_msec: float, _number: int) -> bytes:
    return b""


def one_side(msec: float, _number: int) -> bytes:
    """On a route that the split leaves alone."""
    return old(msec=msec, route=PINNED, side="")


def of_testers(msec: float, _number: int) -> bytes:
    return old(msec=msec, override="old")


def web_sockets_end(msec: float, _number: int) -> bytes:
    """Which were opened long before."""
    return old(msec=msec, status=101, upstream_status="101", upstream_response_time="25.000")


def sidecar(msec: float, _number: int) -> bytes:
    return line(msec=msec, route=PINNED)


@pytest.fixture
async def following(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Following:
    made = Following(tmp_path / "access.log", monkeypatch)
    for _ in range(12):
        made.goes_by(5, all_well)
        assert (await made.asks(ERRORS)).verdict is Verdict.PASS
    return made


@pytest.mark.parametrize("hangs", [old_alone, clients_give_up])
@pytest.mark.parametrize(
    "settings",
    [
        {"thresholds": [ERRORS]},
        {"thresholds": ["p99 <= 1h"]},
        {"routes": {"default": [ERRORS]}},
        {"judge": {}},
        {"thresholds": [ERRORS], "window": "20s"},
    ],
)
async def test_ten_seconds_without_an_answer_of_new_are_a_failure_whatever_the_gate_asks(
    following: Following, hangs: Answer, settings: dict[str, object]
) -> None:
    following.goes_by(7, hangs)
    assert "answered nothing" not in (await following.asks(**settings)).summary
    following.goes_by(4, hangs)
    found = await following.asks(**settings)
    assert found.verdict is Verdict.FAIL
    given_up = 220 if hangs is clients_give_up else 0
    also = " and clients gave up on 220 requests of new's" if given_up else ";"
    # Those who gave up first had begun to wait 2 s before.
    seconds = 13 if given_up else 11
    assert f"fail: new answered nothing for {seconds}s, while old answered 220 requests{also}" in f"{found.summary};"
    assert found.details["silences"] == [
        {"place": EVERYWHERE, "seconds": pytest.approx(seconds, abs=0.6), "old": 220, "in_vain": given_up}
    ]
    following.goes_by(1, all_well)
    assert (await following.asks(ERRORS)).verdict is Verdict.PASS


@pytest.mark.parametrize("quiet", [both_hang, no_traffic, one_side, of_testers, web_sockets_end, sidecar])
async def test_where_old_answers_nothing_either_nobody_knows(following: Following, quiet: Answer) -> None:
    following.goes_by(9, quiet)
    assert (await following.asks(ERRORS)).verdict is Verdict.PASS
    for _ in range(12):
        following.goes_by(5, quiet)
        found = await following.asks(ERRORS)
        assert found.verdict is Verdict.UNKNOWN
    assert "; unknown: new answered nothing for 1m9s, and 1,200 requests in the 1m before" in found.summary
    following.goes_by(1, all_well)
    assert (await following.asks(ERRORS)).verdict is Verdict.PASS


async def test_traffic_that_comes_in_bursts_may_pause_as_long_as_it_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Following(tmp_path / "access.log", monkeypatch)
    verdicts = []
    for _ in range(6):
        made.goes_by(5, all_well)
        verdicts.append((await made.asks(ERRORS)).verdict)
        # The window holds one burst, and at times a second.
        for _ in range(36):
            made.now += 5
            verdicts.append((await made.asks(ERRORS)).verdict)
    assert Verdict.FAIL not in verdicts
    assert Verdict.UNKNOWN in verdicts[:37]
    assert verdicts[37:] == [Verdict.PASS] * len(verdicts[37:])


async def test_traffic_that_is_little_may_be_quiet_for_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Following(tmp_path / "access.log", monkeypatch)
    made.goes_by(300, all_well, per_second=0.1)
    await made.asks(ERRORS, min_requests=20)
    made.now += 60
    found = await made.asks(ERRORS, min_requests=20)
    assert found.verdict is Verdict.PASS
    assert found.summary.endswith("; the last request of new was 1m ago")


async def test_a_slow_new_is_not_silent_in_a_burst_after_a_pause(following: Following) -> None:
    following.goes_by(1, old_alone, per_second=1)
    following.goes_by(12, no_traffic)
    following.goes_by(3, old_alone)
    assert (await following.asks(ERRORS)).verdict is not Verdict.FAIL


async def test_routes_that_are_asked_in_turn_may_be_of_one_side_each(following: Following) -> None:
    """By one who asks for two things, again and again, as nginx takes turns."""
    following.goes_by(30, lambda msec, _: old(msec=msec, uri="/search") + line(msec=msec))
    assert (await following.asks(ERRORS)).verdict is Verdict.PASS


async def test_a_route_on_which_clients_give_up_is_seen_beside_those_that_answer(following: Following) -> None:
    def search_hangs(msec: float, number: int) -> bytes:
        gone = {"status": 499, "upstream_status": "-", "upstream_response_time": "2.000"}
        return all_well(msec, number) + line(msec=msec, uri="/search", **gone) + old(msec=msec, uri="/search")

    following.goes_by(11, search_hangs)
    found = await following.asks(ERRORS)
    assert found.verdict is Verdict.FAIL
    assert "fail: new answered nothing on /search for 13s, while old answered 2" in found.summary


async def test_a_route_that_takes_long_by_itself_is_left_by_some(following: Following) -> None:
    """It takes 3 s on old, and on new; those who left after 2 s would have left old as well."""

    def slow_search(msec: float, number: int) -> bytes:
        gone = {"status": 499, "upstream_status": "-", "upstream_response_time": "2.000"}
        search = line(msec=msec, uri="/search", **gone) + old(msec=msec, uri="/search", upstream_response_time="3.000")
        return all_well(msec, number) + (search if number % 20 == 0 else b"")

    following.goes_by(30, slow_search)
    assert (await following.asks(ERRORS)).verdict is Verdict.PASS


async def test_an_old_that_fails_is_none_that_answers(following: Following) -> None:
    following.goes_by(20, lambda msec, _: old(msec=msec, status=503, upstream_status="503"))
    assert (await following.asks(ERRORS)).verdict is Verdict.UNKNOWN


async def test_long_polls_that_are_left_are_no_hang_with_all_traffic_on_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def left(msec: float, number: int) -> bytes:
        gone = {"status": 499, "upstream_status": "-", "upstream_response_time": "7.000"}
        return line(msec=msec, **gone) if number % 10 else line(msec=msec, upstream_response_time="30.000")

    made = Following(tmp_path / "access.log", monkeypatch, weight=100)
    made.goes_by(60, left, per_second=2)
    made.goes_by(15, lambda msec, _: left(msec, 1), per_second=2)
    assert (await made.asks("errors <= 1%", min_requests=1)).verdict is not Verdict.FAIL


async def test_what_was_tolerated_long_ago_does_not_come_back_when_traffic_ends(following: Following) -> None:
    following.goes_by(60, lambda msec, _: line(msec=msec, upstream_status="500", status=500) + old(msec=msec))
    for _ in range(80):
        following.goes_by(5, all_well)
        await following.asks(ERRORS)
    assert (await following.asks(ERRORS)).verdict is Verdict.PASS
    following.now += 12
    found = await following.asks(ERRORS)
    assert found.verdict is Verdict.UNKNOWN
    assert "; unknown: new answered nothing for 12s" in found.summary
    assert "errors <= 1% (" not in found.summary


@pytest.mark.parametrize("step", [-12.0, -7200.0, 12.0, 7200.0])
async def test_a_clock_of_the_proxy_that_is_set_is_noticed(following: Following, step: float) -> None:
    for _ in range(6):
        following.goes_by(30, lambda msec, number: all_well(msec + step, number))
        assert (await following.asks(ERRORS)).verdict is Verdict.PASS
    following.goes_by(30, lambda msec, number: old_alone(msec + step, number))
    assert re.search(r"fail: new answered nothing for 3[01]s", (await following.asks(ERRORS)).summary)


async def test_a_process_that_takes_over_sees_for_how_long_new_answers_nothing(following: Following) -> None:
    following.now += 40
    following.starts_anew(same_clock=True)
    found = await following.asks(ERRORS)
    assert found.verdict is Verdict.UNKNOWN
    assert "; unknown: new answered nothing for 40s, and 1,200 requests in the 1m before" in found.summary


async def test_what_was_not_read_is_no_pause(following: Following) -> None:
    async def from_here(cursor: object, _seconds: float) -> Any:
        return cursor

    following.newest = from_here  # type: ignore[method-assign, assignment]
    following.now += 3600
    assert await following.observer._pass_over()
    following.goes_by(60, all_well)
    await following.asks(ERRORS)
    following.now += 12
    assert (await following.asks(ERRORS)).verdict is Verdict.UNKNOWN


async def test_a_pause_in_which_clients_waited_in_vain_is_not_what_is_usual(following: Following) -> None:
    following.goes_by(40, both_hang, per_second=1)
    following.goes_by(30, all_well)
    await following.asks(ERRORS)
    following.now += 12
    assert (await following.asks(ERRORS)).verdict is Verdict.UNKNOWN


async def test_a_new_that_never_answered_is_one_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Following(tmp_path / "access.log", monkeypatch)
    made.goes_by(9, old_alone)
    assert (await made.asks(ERRORS)).verdict is Verdict.UNKNOWN
    made.goes_by(2, old_alone)
    assert "new answered nothing for 11s" in (await made.asks(ERRORS)).summary


async def test_a_service_that_takes_long_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(msec: float, _number: int) -> bytes:
        return old(msec=msec, upstream_response_time="9.000")

    made = Following(tmp_path / "access.log", monkeypatch)
    verdicts = []
    for _ in range(24):
        made.goes_by(1, slow)
        verdicts.append((await made.asks(ERRORS)).verdict)
    assert set(verdicts[:18]) == {Verdict.UNKNOWN}
    assert verdicts[-1] is Verdict.FAIL


async def test_a_few_requests_may_all_be_of_old(following: Following) -> None:
    following.goes_by(18, old_alone, per_second=2)
    assert (await following.asks(ERRORS)).verdict is Verdict.UNKNOWN
    following.goes_by(4, old_alone, per_second=2)
    assert (await following.asks(ERRORS)).verdict is Verdict.FAIL


async def test_while_the_reading_lags_nothing_is_said(following: Following) -> None:
    following.goes_by(11, old_alone)
    seen = await following.observer.look(300)
    heard = following.observer.heard(seen, 300)
    assert silences(seen, heard, 50)
    seen.behind = 1
    assert not silences(seen, heard, 50)


def test_what_was_answered_counts_until_twenty_answers_are_missing() -> None:
    assert stale(Seen(), Pace(answers=100, seconds=50, longest=2, quiet=9.9), 50) is None
    gone = Pace(answers=100, seconds=50, longest=2, quiet=10)
    assert stale(Seen(), gone, 50) == "new answered nothing for 10s, and 100 requests in the 40s before"
    assert stale(Seen(), gone, 0) is None
    assert stale(Seen(behind=1), gone, 50) is None
    assert stale(Seen(), Pace(answers=99, seconds=50, longest=2, quiet=10), 50) is None
    assert stale(Seen(), Pace(answers=100, seconds=50, longest=5.1, quiet=10), 50) is None
    assert stale(Seen(), Pace(), 50) is None


def silent(weight: int, place: str = EVERYWHERE, **stretch: Any) -> bool:
    heard = Heard({place: Stretch(**{"seconds": LEAST_S, "usual": 0.01, **stretch})})
    return [one.place for one in silences(Seen(), heard, weight)] == [place]


@pytest.mark.parametrize(("weight", "enough"), [(1, 2062), (10, 197), (50, 30), (90, 9), (99, 5)])
def test_the_smaller_the_weight_the_more_of_old_it_takes(weight: int, enough: int) -> None:
    assert silent(weight, before=enough)
    assert not silent(weight, before=enough - 1)
    assert not silent(weight, before=enough, seconds=9.9)
    assert not silent(weight, before=enough, usual=5.1)
    # nginx takes turns, and may give one route to one side only.
    assert not silent(weight, before=100_000, place="/search")


@pytest.mark.parametrize("weight", [0, 100])
def test_at_the_ends_there_is_nobody_to_compare_with(weight: int) -> None:
    assert not silent(weight, before=100_000)


@pytest.mark.parametrize("place", [EVERYWHERE, "/search"])
@pytest.mark.parametrize(("weight", "old"), [(1, 1), (50, 1), (100, 0)])
def test_eight_clients_that_waited_in_vain_are_enough(weight: int, old: int, place: str) -> None:
    alone = weight == 100 and place != EVERYWHERE
    assert silent(weight, place=place, old=old, in_vain=8, waited=1.0) is not alone
    assert not silent(weight, place=place, old=old, in_vain=7, waited=1.0)
    assert not silent(weight, place=place, old=old, in_vain=8, waited=0.9)
    assert not silent(weight, place=place, old=old, in_vain=8, waited=1.0, usual=0.6)
    assert not silent(50, place=place, old=0, in_vain=8, waited=1.0)
    # From the first who gave up back to when that one began to wait.
    assert silent(weight, place=place, old=old, in_vain=8, waited=9.0, seconds=1) is not alone
    assert not silent(weight, place=place, old=old, in_vain=8, waited=8.9, seconds=1)


def test_by_client_it_takes_many_clients_and_not_many_requests() -> None:
    def busy(number: int, first: int = 50) -> frozenset[str]:
        return frozenset(map(str, range(first, first + number)))

    assert silent(50, before=100_000, buckets=busy(25))
    assert not silent(50, before=100_000, buckets=busy(24))
    assert not silent(50, before=24, buckets=busy(25))
    assert silent(10, before=100_000, buckets=busy(84, first=10))
    assert not silent(10, before=100_000, buckets=busy(83, first=10))
    # Those of new's clients that are seen, since they gave up, say nothing of how many there are on old.
    assert not silent(50, before=100_000, buckets=busy(40, first=30))
    # Few buckets are new's, and nobody may be in them.
    assert not silent(5, before=100_000, buckets=busy(95, first=5))


class Simulated:
    """Requests to a new that is like old: nginx takes turns, answers take time, and are logged when they end."""

    def __init__(self, following: Following, seed: int) -> None:
        self.following = following
        self.random = random.Random(seed)  # noqa: S311 - a simulation
        self.turns = 0.0
        self.ending: list[tuple[float, bytes]] = []

    def goes_by(self, seconds: float, per_second: float, weight: int) -> None:
        begun, at = self.following.now, 0.0
        while (at := at + self.random.expovariate(per_second)) < seconds:
            self.turns += weight / 100
            new, self.turns = (True, self.turns - 1) if self.turns >= 1 else (False, self.turns)
            took = min(self.random.lognormvariate(-1.5, 1.2), 20.0)
            ended = BEGAN + begun + at + took
            uri = "/search" if self.random.random() < 0.3 else "/studies"
            said = (line if new else old)(msec=ended, uri=uri, upstream_response_time=f"{took:.3f}")
            self.ending.append((ended, said))
        self.ending.sort()
        until = BEGAN + begun + seconds
        with self.following.path.open("ab") as file:
            while self.ending and self.ending[0][0] <= until:
                file.write(self.ending.pop(0)[1])
        self.following.now += seconds


@pytest.mark.parametrize(("weight", "per_second"), [(50, 0.5), (50, 5), (50, 20), (10, 5), (10, 20), (1, 40)])
async def test_a_new_that_is_like_old_is_never_taken_for_one_that_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, weight: int, per_second: float
) -> None:
    """Eight minutes of traffic that comes and goes, with a look every 5 s."""
    made = Following(tmp_path / "access.log", monkeypatch, weight=weight)
    simulated = Simulated(made, seed=weight)
    for _ in range(100):
        busy = simulated.random.choice([0, 0.2, 1, 1, 1, 3])
        if busy:
            simulated.goes_by(5, busy * per_second, weight)
        else:
            made.now += 5
        found = await made.asks(ERRORS, min_requests=1)
        assert found.verdict is not Verdict.FAIL, found.summary
