"""The judge's promises by simulation, quick and with fixed seeds; benchmarks/judge_power.py takes its time."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.simulated import SHAPES, Backend, Traffic, heavy_tail, two_humps
from cutover.plan.thresholds import Verdict
from cutover.traffic.judge import METRICS, Terms, judge_sides
from cutover.traffic.ranks import Ranked, mann_whitney
from cutover.traffic.seen import Tally

ONE_LOOK_AT_98 = 2.326
EXACT, USUAL = Terms(98.0, 0.0), Terms(98.0, 25.0)


def failed(traffic: Traffic, looks: list[int], terms: Terms, seed: int) -> set[str]:
    """The metrics that ended a hold, of which each look sees all requests before it."""
    for new, old in traffic.grow(np.random.default_rng(seed), looks):
        found = {one.metric for one in judge_sides(new, old, terms, terms.doubt) if one.verdict is Verdict.FAIL}
        if found:
            return found
    return set()


@pytest.mark.parametrize("shape", SHAPES)
def test_equal_backends_hardly_ever_end_a_hold_that_looks_again_and_again(shape: str) -> None:
    """Of 20 holds of 10 looks each 0.4 may be ended, though not a percent is tolerated."""
    traffic = Traffic(Backend(SHAPES[shape]), Backend(SHAPES[shape]), 20)
    looks = [400 * number for number in range(1, 11)]
    assert [found for seed in range(20) if (found := failed(traffic, looks, EXACT, seed))] == []


def test_the_same_looks_alarm_where_each_asks_for_no_more_than_a_single_one() -> None:
    """Otherwise the test above would pass with data in which there is nothing to be wrong about."""
    traffic = Traffic(Backend(two_humps), Backend(two_humps), 20)
    alarmed = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        looks = traffic.grow(rng, [400 * number for number in range(1, 11)])
        alarmed += max(mann_whitney(ranked(new), ranked(old)) for new, old in looks) > ONE_LOOK_AT_98
    assert alarmed > 40 * 0.02


def ranked(side: Tally) -> Ranked:
    return Ranked(side.times.bins())


def test_a_slowdown_as_large_as_is_tolerated_hardly_ever_ends_a_hold() -> None:
    traffic = Traffic(Backend(heavy_tail, slower=1.25), Backend(heavy_tail), 20)
    looks = [800 * number for number in range(1, 7)]
    assert [found for seed in range(20) if (found := failed(traffic, looks, USUAL, seed))] == []


@pytest.mark.parametrize(
    ("new", "terms", "requests", "metric"),
    [
        (Backend(heavy_tail, slower=1.1), EXACT, 60_000, "times"),
        (Backend(heavy_tail, slower=1.25), EXACT, 8000, "times"),
        (Backend(heavy_tail, slower=1.5), USUAL, 12_000, "times"),
        (Backend(heavy_tail, slower=4.0, part=0.1), EXACT, 20_000, "p95"),
        (Backend(heavy_tail, errors=0.02), USUAL, 40_000, "errors"),
    ],
)
def test_a_worse_new_is_seen_at_weight_10(new: Backend, terms: Terms, requests: int, metric: str) -> None:
    assert metric in METRICS
    traffic = Traffic(new, Backend(heavy_tail, errors=0.005), 10)
    seen = [failed(traffic, [requests], terms, seed) for seed in range(20)]
    assert sum(metric in found for found in seen) >= 18
