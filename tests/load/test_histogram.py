"""Percentiles of counted times against those of the times themselves."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutover.load.histogram import GROWTH, Histogram

TIMES = st.lists(st.floats(2e-6, 1000), min_size=1, max_size=200)


def counted(times: list[float]) -> Histogram:
    histogram = Histogram()
    for seconds in times:
        histogram.add(seconds)
    return histogram


@given(TIMES, st.sampled_from([50, 90, 95, 99, 99.9, 100]))
def test_a_percentile_is_off_by_a_bucket_at_most(times: list[float], percent: float) -> None:
    rank = max(1, -int(-len(times) * percent // 100))
    exact = sorted(times)[rank - 1]
    assert exact / GROWTH <= counted(times).percentile(percent) <= exact * GROWTH


@given(TIMES, TIMES)
def test_two_add_up(a: list[float], b: list[float]) -> None:
    merged, both = counted(a), counted(a + b)
    merged.merge(counted(b))
    assert merged.counts == both.counts
    assert (merged.requests, merged.max) == (both.requests, both.max)
    assert merged.mean == pytest.approx(both.mean)


@given(TIMES)
def test_comes_back_from_json(times: list[float]) -> None:
    histogram = counted(times)
    again = Histogram.from_json(json.loads(json.dumps(histogram.to_json())))
    assert (again.counts, again.requests, again.max) == (histogram.counts, histogram.requests, histogram.max)
    assert again.total == histogram.total


def test_extremes_are_counted_too() -> None:
    histogram = counted([0.0, 1e-9, 1e6])
    assert histogram.requests == 3
    assert histogram.max == 1e6
    assert histogram.percentile(50) <= 1.01e-6
    assert Histogram().percentile(95) == Histogram().mean == 0.0


@given(TIMES, st.integers(1, 50))
def test_many_of_a_time_are_that_time_many_times(times: list[float], often: int) -> None:
    told, added = Histogram.of(dict.fromkeys(times, often)), counted([*dict.fromkeys(times)] * often)
    assert (told.counts, told.requests, told.max) == (added.counts, added.requests, added.max)
    assert told.mean == pytest.approx(added.mean)
