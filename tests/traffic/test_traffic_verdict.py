"""Thresholds on what was counted: what is certain, what is chance, and what is not known yet."""

from __future__ import annotations

import random
from math import comb, log10
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutover.plan.thresholds import Verdict, parse_threshold
from cutover.traffic.chance import beyond_chance, surely_above
from cutover.traffic.seen import Seen, Tally
from cutover.traffic.share import Share, share_of
from cutover.traffic.times import ACCURACY, Times
from cutover.traffic.verdict import Ground, Judged, judge, least_requests


def tally(requests: int, failed: int = 0, times: list[float] | None = None) -> Tally:
    made = Tally(requests=requests, tries=requests, failed=failed, drawn=requests)
    for seconds in times if times is not None else [0.1] * requests:
        made.times.add(seconds)
    return made


def judged(text: str, new: Tally, old: Tally | None = None, **changed: Any) -> Judged:
    settings: dict[str, Any] = {"share": None, "seconds": 10.0, "weight": 10, "least": 20, **changed}
    ground = Ground(new, old or tally(0), **settings)
    (one,) = judge([parse_threshold(text)], ground, ground)
    return one


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("errors <= 1%", Verdict.PASS),
        ("errors == 0%", Verdict.PASS),
        ("p95 <= 200ms", Verdict.PASS),
        ("p95 <= 50ms", Verdict.FAIL),
        ("p50 > 50ms", Verdict.PASS),
        ("p99 <= 200ms", Verdict.PASS),
        ("mean < 50ms", Verdict.FAIL),
        ("max <= 100ms", Verdict.PASS),
        ("requests >= 200", Verdict.PASS),
        ("requests >= 201", Verdict.UNKNOWN),
        ("requests < 200", Verdict.FAIL),
        ("rps >= 20", Verdict.PASS),
        ("rps >= 21/s", Verdict.FAIL),
        ("p95 <= 1.5x old", Verdict.PASS),
        ("p95 <= 0.5x old", Verdict.FAIL),
        ("p95 <= old + 10ms", Verdict.PASS),
        ("errors <= old + 1%", Verdict.PASS),
    ],
)
def test_thresholds_on_new_alone_and_against_old(text: str, verdict: Verdict) -> None:
    assert judged(text, tally(200), tally(2000)).verdict is verdict


def test_nothing_passes_without_requests() -> None:
    for text in ("errors <= 100%", "errors == 0%", "p95 <= 1h", "rps >= 0", "requests >= 0", "share <= 100%"):
        one = judged(text, tally(0), tally(1000), share=Share(0.0, 1000))
        assert one.verdict is Verdict.UNKNOWN
        assert one.why == "new had 0 of the 20 requests it takes, 20 are missing"


def test_too_few_requests_are_unknown_and_say_how_many_are_missing() -> None:
    assert judged("errors <= 1%", tally(19)).why == "new had 19 of the 20 requests it takes, 1 are missing"
    assert judged("errors <= 1%", tally(20)).verdict is Verdict.PASS
    few = judged("p99 <= 1s", tally(60))
    assert (few.verdict, few.why) == (Verdict.UNKNOWN, "new had 60 of the 100 requests that p99 takes, 40 are missing")


def test_old_must_have_had_enough_too() -> None:
    one = judged("p99 <= 1.5x old", tally(200), tally(50))
    assert (one.verdict, one.why) == (Verdict.UNKNOWN, "old had 50 of the 100 requests that p99 takes, 50 are missing")
    assert judged("errors <= old + 1%", tally(200)).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("threshold", ["errors <= 1.5x old", "errors <= old + 1%", "mean <= 2x old", "max <= 1x old"])
def test_one_request_of_old_is_no_measure(threshold: str) -> None:
    one = judged(threshold, tally(200, failed=100), tally(1, failed=1), weight=99)
    assert (one.verdict, one.why) == (Verdict.UNKNOWN, "old had 1 of the 20 requests it takes, 19 are missing")
    assert judged(threshold, tally(200), tally(1), weight=99).verdict is Verdict.UNKNOWN
    assert judged(threshold, tally(200), tally(5), least=5).verdict is Verdict.PASS


def test_least_requests_grow_with_the_weight_and_never_fall_below_twenty() -> None:
    assert [least_requests(weight) for weight in (0, 1, 10, 20, 50, 100)] == [20, 20, 20, 20, 50, 100]


def test_errors_that_chance_does_not_explain_fail_however_few_the_requests() -> None:
    assert judged("errors <= 1%", tally(3, failed=3)).verdict is Verdict.FAIL
    assert judged("errors == 0%", tally(1, failed=1)).verdict is Verdict.FAIL


def test_one_unlucky_request_is_no_verdict() -> None:
    one = judged("errors <= 1%", tally(40, failed=1))
    assert one.verdict is Verdict.UNKNOWN
    assert one.why == "errors <= 1% (errors 2.5%, too few requests to tell it from chance)"
    assert judged("errors <= 1%", tally(1000, failed=25)).verdict is Verdict.FAIL
    outlier = [0.1] * 38 + [3.0] * 3
    assert judged("p95 <= 500ms", tally(41, times=outlier)).verdict is Verdict.UNKNOWN
    assert judged("p95 <= 500ms", tally(4100, times=outlier * 100)).verdict is Verdict.FAIL


def test_both_equally_slow_breaks_the_limit_and_not_the_ratio() -> None:
    slow = tally(300, times=[0.9] * 300)
    assert judged("p95 <= 500ms", slow, slow).verdict is Verdict.FAIL
    assert judged("p95 <= 1.5x old", slow, slow).verdict is Verdict.PASS


def test_an_old_that_fails_is_no_fault_of_new() -> None:
    assert judged("errors <= old + 1%", tally(300), tally(3000, failed=900)).verdict is Verdict.PASS
    assert judged("errors <= old + 1%", tally(300, failed=30), tally(3000)).verdict is Verdict.FAIL


def test_a_backend_within_its_limit_hardly_ever_fails_though_it_is_asked_again_and_again() -> None:
    """60 looks at a backend with a fifth of the errors that are allowed, from its first request on."""
    rng = random.Random(4)  # noqa: S311 - a simulation
    failures = 0
    for _ in range(200):
        tries = failed = 0
        for _ in range(60):
            failed += sum(rng.random() < 0.002 for _ in range(10))
            tries += 10
            if judged("errors <= 1%", Tally(requests=tries, tries=tries, failed=failed)).verdict is Verdict.FAIL:
                failures += 1
                break
    assert failures <= 2


@given(n=st.integers(1, 300), share=st.floats(0, 1), percent=st.floats(0.1, 99))
def test_chance_is_that_of_the_binomial_distribution(n: int, share: float, percent: float) -> None:
    k, p = round(n * share), percent / 100
    exact = sum(comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k, n + 1))
    if k > n * p and abs(log10(max(exact, 1e-300)) - log10(0.005)) > 0.001:
        assert beyond_chance(k, n, percent) == (exact < 0.005)


def test_chance_can_be_asked_of_millions() -> None:
    assert beyond_chance(10_500, 1_000_000, 1.0)
    assert not beyond_chance(10_100, 1_000_000, 1.0)
    assert surely_above(95, 20) == pytest.approx(82.4, abs=0.1)
    assert surely_above(95, 1_000_000) == pytest.approx(95, abs=0.1)


def split(new: int, old: int, buckets: dict[str, int] | None = None) -> Share | None:
    seen = Seen({("", "new"): Tally(drawn=new), ("", "old"): Tally(drawn=old)})
    seen.buckets.update(buckets or {})
    return share_of(seen)


@pytest.mark.parametrize(
    ("text", "new", "old", "verdict"),
    [
        ("share == weight", 10, 90, Verdict.PASS),
        ("share == weight", 14, 86, Verdict.PASS),
        ("share == weight", 30, 70, Verdict.FAIL),
        ("share == weight", 1400, 8600, Verdict.FAIL),
        ("share == weight", 0, 1000, Verdict.FAIL),
        ("share <= 12%", 1000, 9000, Verdict.PASS),
        ("share <= 5%", 1000, 9000, Verdict.FAIL),
        ("share >= 8%", 1000, 9000, Verdict.PASS),
        ("share >= 15%", 1000, 9000, Verdict.FAIL),
    ],
)
def test_share_against_the_intended_weight_with_what_chance_allows(
    text: str, new: int, old: int, verdict: Verdict
) -> None:
    assert judged(text, tally(100), share=split(new, old), weight=10).verdict is verdict


def test_many_requests_of_few_clients_say_little_about_the_split() -> None:
    share = split(3000, 7000, {"1": 3000, "2": 3000, "3": 2000, "4": 2000})
    assert share is not None
    assert share.draws == pytest.approx(3.85, abs=0.01)
    assert judged("share == weight", tally(100), share=share, weight=10).verdict is Verdict.PASS


def test_no_drawn_request_is_no_share() -> None:
    assert split(0, 0) is None


@given(st.lists(st.integers(0, 100_000), min_size=1, max_size=300), st.sampled_from([50.0, 95.0, 99.0]))
def test_percentiles_are_as_accurate_as_they_say(milliseconds: list[int], percent: float) -> None:
    times = Times()
    for ms in milliseconds:
        times.add(ms / 1000)
    exact = sorted(milliseconds)[int(percent / 100 * (len(milliseconds) - 1))] / 1000
    assert times.percentile(percent) == pytest.approx(exact, rel=ACCURACY * 1.01, abs=1e-9)
    assert times.max == max(milliseconds) / 1000
