"""A new that hangs leaves no line in the log: that old goes on answering tells of it, and chance does not."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from cutover.plan.thresholds import Verdict
from cutover.traffic.seen import Seen, Tally
from cutover.traffic.silence import EVERYWHERE, LEAST_S, Heard, Pace, Silence, silences, stale
from cutover.traffic.times import Times
from tests.support.accesslog import line, old
from tests.support.following import PINNED, Answer, Following, all_well

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
        {"thresholds": [ERRORS], "window": "3s"},
    ],
)
async def test_ten_seconds_without_an_answer_of_new_are_a_failure_whatever_the_gate_asks(
    following: Following, hangs: Answer, settings: dict[str, object]
) -> None:
    following.goes_by(9, hangs)
    assert "answered nothing" not in (await following.asks(**settings)).summary
    following.goes_by(2, hangs)
    found = await following.asks(**settings)
    assert found.verdict is Verdict.FAIL
    given_up = 220 if hangs is clients_give_up else 0
    also = " and clients gave up on 220 requests of new's" if given_up else ";"
    assert f"fail: new answered nothing for 11s, while old answered 220 requests{also}" in f"{found.summary};"
    assert found.details["silences"] == [
        {"place": EVERYWHERE, "seconds": pytest.approx(11, abs=0.6), "old": 220, "given_up": given_up}
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
    following.goes_by(15, no_traffic)
    following.goes_by(2, old_alone)
    assert "while old answered" not in (await following.asks(ERRORS)).summary


async def test_a_route_that_hangs_is_seen_beside_those_that_do_not(following: Following) -> None:
    def both_routes(msec: float, number: int) -> bytes:
        return all_well(msec, number) + line(msec=msec, uri="/search") + old(msec=msec, uri="/search")

    def search_hangs(msec: float, number: int) -> bytes:
        return all_well(msec, number) + old(msec=msec, uri="/search")

    following.goes_by(5, both_routes)
    assert (await following.asks(ERRORS)).verdict is Verdict.PASS
    following.goes_by(11, search_hangs)
    found = await following.asks(ERRORS)
    assert found.verdict is Verdict.FAIL
    assert "fail: new answered nothing on /search for 11s, while old answered 220 requests" in found.summary


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
    made.goes_by(17, slow)
    assert (await made.asks(ERRORS)).verdict is Verdict.UNKNOWN
    made.goes_by(2, slow)
    assert (await made.asks(ERRORS)).verdict is Verdict.FAIL


async def test_a_few_requests_may_all_be_of_old(following: Following) -> None:
    following.goes_by(12, old_alone, per_second=2)
    assert (await following.asks(ERRORS)).verdict is Verdict.UNKNOWN
    following.goes_by(3, old_alone, per_second=2)
    assert (await following.asks(ERRORS)).verdict is Verdict.FAIL


async def test_while_the_reading_lags_nothing_is_said(following: Following) -> None:
    following.goes_by(11, old_alone)
    seen = await following.observer.look(300)
    heard = following.observer.heard(seen, 300)
    assert silences(seen, heard, 50)
    seen.behind = 1
    assert not silences(seen, heard, 50)


def test_what_was_answered_counts_until_twenty_answers_are_missing() -> None:
    assert stale(Pace(answers=100, seconds=50, longest=2, quiet=9.9)) is None
    assert stale(Pace(answers=100, seconds=50, longest=2, quiet=10)) == (
        "new answered nothing for 10s, and 100 requests in the 40s before"
    )
    assert stale(Pace(answers=99, seconds=50, longest=2, quiet=10)) is None
    assert stale(Pace(answers=100, seconds=50, longest=5.1, quiet=10)) is None
    assert stale(Pace()) is None


def silence_of(since: Seen, weight: int) -> Silence | None:
    found = silences(since, Heard({EVERYWHERE: since}), weight)
    return found[0] if found else None


def since_answer(answered: int, buckets: range | None = None, given_up: int = 0, waited: float = 2.0) -> Seen:
    seen = Seen({("/", "old"): Tally(requests=answered, drawn=answered, answered=answered)}, seconds=LEAST_S)
    if given_up:
        times = Times()
        times.add(waited, given_up)
        seen.tallies["/", "new"] = Tally(requests=given_up, drawn=given_up, gave_up=given_up, times=times)
    seen.buckets.update({str(bucket): 1 for bucket in buckets or ()})
    return seen


@pytest.mark.parametrize(("weight", "enough"), [(1, 2062), (10, 197), (50, 30), (90, 9), (99, 5)])
def test_the_smaller_the_weight_the_more_of_old_it_takes(weight: int, enough: int) -> None:
    for answered, silent in ((enough, True), (enough - 1, False)):
        since = since_answer(answered)
        assert (silence_of(since, weight) is not None) is silent, answered


@pytest.mark.parametrize("weight", [0, 100])
def test_at_the_ends_there_is_nobody_to_compare_with(weight: int) -> None:
    since = since_answer(100_000)
    assert silence_of(since, weight) is None


@pytest.mark.parametrize(("weight", "answered"), [(1, 1), (50, 1), (100, 0)])
def test_eight_clients_that_waited_in_vain_are_enough(weight: int, answered: int) -> None:
    eight = since_answer(answered, given_up=8)
    assert silence_of(eight, weight) == Silence(EVERYWHERE, LEAST_S, answered, 8)
    for since in (since_answer(answered, given_up=7), since_answer(answered, given_up=8, waited=0.9)):
        assert silence_of(since, weight) is None


def test_clients_that_old_would_keep_waiting_as_well_say_nothing() -> None:
    since = since_answer(10, given_up=8, waited=2.0)
    since.tallies["/", "old"].times.add(1.1, 10)
    assert silence_of(since, 50) is None


def test_by_client_it_takes_many_clients_and_not_many_requests() -> None:
    few, many = since_answer(100_000, range(60, 80)), since_answer(100_000, range(60, 86))
    assert silence_of(few, 50) is None
    assert silence_of(many, 50) is not None
    for weight, enough in ((50, 25), (10, 84)):
        busy = range(weight, weight + enough)
        just, less = since_answer(100_000, busy), since_answer(100_000, busy[1:])
        assert silence_of(just, weight) is not None
        assert silence_of(less, weight) is None
    # Those that give up on new say nothing of how many there are on old.
    mixed = since_answer(100_000, range(30, 70), given_up=7)
    assert silence_of(mixed, 50) is None
    # At weight 1 a single bucket is new's, and nobody may be in it.
    everybody = since_answer(100_000, range(1, 100))
    assert silence_of(everybody, 1) is None


@pytest.mark.parametrize("weight", [1, 10, 50])
def test_a_new_that_answers_is_never_taken_for_one_that_hangs(weight: int) -> None:
    """A million requests whose side is drawn, with a look after each."""
    rng = random.Random(weight)  # noqa: S311 - a simulation
    longest = run = 0
    for _ in range(1_000_000):
        run = 0 if rng.random() < weight / 100 else run + 1
        longest = max(longest, run)
    since = since_answer(longest)
    assert silence_of(since, weight) is None
