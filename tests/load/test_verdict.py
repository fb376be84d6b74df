"""What counts say about thresholds, and what they can't say."""

from __future__ import annotations

import pytest

from cutover.load.tally import LOCAL, Tally
from cutover.load.telling import conclude, describe
from cutover.load.verdict import bottleneck, figures, judge, kept_rate
from cutover.plan.thresholds import Verdict, parse_threshold


def tally(*, seconds: float = 0.1, surely: float | None = None, requests: int = 1000, lag: float = 0.0) -> Tally:
    """A second of requests that all took so long; ``surely`` is the part that is not the generator's."""
    counts = Tally(requests=requests, seconds=1.0)
    counts.statuses[200] = requests
    for _ in range(requests):
        counts.latency.add(seconds)
        counts.surely.add(seconds if surely is None else surely)
    counts.lag.add(lag)
    return counts


def verdict(threshold: str, new: Tally, old: Tally | None = None) -> Verdict:
    (judged,) = judge([parse_threshold(threshold)], new, old)
    return judged.verdict


def test_no_requests_are_unknown_even_where_zero_would_do() -> None:
    for threshold in ("errors == 0%", "p95 <= 1s", "requests >= 0", "rps >= 0"):
        assert verdict(threshold, Tally()) is Verdict.UNKNOWN
    assert verdict("errors <= old + 1%", tally(), Tally()) is Verdict.UNKNOWN


def test_figures_are_in_the_units_of_thresholds() -> None:
    counts = tally(requests=200)
    counts.errors["5xx"] = 1
    found = figures(counts)
    assert found["errors"] == 0.5
    assert found["rps"] == 200
    assert found["p95"] == pytest.approx(0.1, rel=0.01)


def test_percentiles_of_few_good_answers_are_unknown() -> None:
    counts = tally(requests=10)
    counts.requests = 1000
    assert verdict("p95 <= 1s", counts) is Verdict.UNKNOWN
    assert verdict("p50 <= 1s", counts) is Verdict.PASS


def test_an_upper_bound_that_passes_is_a_pass() -> None:
    assert verdict("p95 <= 200ms", tally(seconds=0.1, surely=0.0)) is Verdict.PASS


def test_a_limit_within_the_bounds_is_unknown() -> None:
    assert verdict("p95 <= 50ms", tally(seconds=0.1, surely=0.01)) is Verdict.UNKNOWN
    assert verdict("p95 <= 50ms", tally(seconds=0.1, surely=0.1, lag=0.08)) is Verdict.UNKNOWN


def test_a_lower_bound_over_the_limit_fails() -> None:
    assert verdict("p95 <= 50ms", tally(seconds=0.1, surely=0.06)) is Verdict.FAIL


def test_a_ratio_of_two_bottlenecks_is_unknown() -> None:
    limited = tally(seconds=0.003, surely=0.0)
    assert verdict("p95 <= 1.5x old", limited, tally(seconds=0.003, surely=0.0)) is Verdict.UNKNOWN


def test_a_ratio_of_two_measurements_is_judged() -> None:
    assert verdict("p95 <= 1.5x old", tally(seconds=0.1), tally(seconds=0.1)) is Verdict.PASS
    assert verdict("p95 <= 1.5x old", tally(seconds=0.2), tally(seconds=0.1)) is Verdict.FAIL


def test_a_rate_that_the_generator_limits_does_not_fail() -> None:
    assert verdict("rps >= 5000", tally(seconds=0.003, surely=0.0)) is Verdict.UNKNOWN
    assert verdict("rps >= 500", tally(seconds=0.003, surely=0.0)) is Verdict.PASS
    assert verdict("rps >= 5000", tally(seconds=0.1)) is Verdict.FAIL


def test_errors_of_this_machine_are_not_the_backends() -> None:
    counts = tally()
    counts.errors[LOCAL] = 5
    assert verdict("errors == 0%", counts) is Verdict.UNKNOWN
    counts.errors = type(counts.errors)({"5xx": 5})
    assert verdict("errors == 0%", counts) is Verdict.FAIL


def late(seconds: float, *, missed: int = 0) -> Tally:
    counts = tally()
    counts.missed = missed
    for _ in range(counts.requests):
        counts.late.add(seconds)
    return counts


def test_a_rate_is_kept_unless_many_are_late_or_missed() -> None:
    assert kept_rate(tally())
    assert kept_rate(late(0.05, missed=10))
    assert not kept_rate(late(0.2))
    assert not kept_rate(late(0.0, missed=20))


def test_a_rate_that_was_not_kept_makes_no_pass() -> None:
    for counts, told in ((late(0.2), "1 in 20 was 200ms late"), (late(0.0, missed=20), "20 requests were never asked")):
        concluded, summary, details = conclude([parse_threshold("errors == 0%")], {"new": counts}, "new", None)
        assert concluded is Verdict.UNKNOWN
        assert told in summary
        assert details["backends"]["new"]["kept_rate"] is False


def test_time_outs_are_errors_of_the_backend_unless_the_generator_was_late_itself() -> None:
    for counts, expected in ((tally(), Verdict.FAIL), (late(0.2), Verdict.UNKNOWN)):
        counts.errors["timeout"] = 5
        assert verdict("errors == 0%", counts) is expected
    refused = late(0.2)
    refused.errors["refused"] = 5
    assert verdict("errors == 0%", refused) is Verdict.FAIL


def test_a_limit_that_is_broken_is_told_with_the_figure() -> None:
    _, summary, _ = conclude([parse_threshold("p99.9 <= 50ms")], {"new": tally()}, "new", None)
    assert "fail: p99.9 <= 50ms (p99.9 100ms)" in summary


def test_errors_are_told_by_kind() -> None:
    counts = tally()
    counts.errors.update({"timeout": 3, "refused": 7})
    assert "1% errors (7 refused, 3 timeout)" in describe(counts)


def test_the_bottleneck_is_whoever_took_most_of_the_time() -> None:
    assert bottleneck(tally(seconds=0.1, surely=0.04))
    assert not bottleneck(tally(seconds=0.1, surely=0.06))
    assert bottleneck(tally(seconds=0.1, surely=0.1, lag=0.06))
    assert not bottleneck(Tally())


def test_the_description_names_answers_that_are_not_200() -> None:
    counts = tally()
    assert "answers" not in describe(counts)
    counts.statuses[404] = 7
    counts.samples["GET /x: 404"] = 7
    assert "answers 1,000x 200, 7x 404" in describe(counts)
    assert "GET /x: 404 (7 times)" in describe(counts)


def test_stretches_of_time_add_up_and_workers_do_not() -> None:
    after, beside = tally(), tally()
    after.merge(tally(), after=True)
    beside.merge(tally())
    assert (figures(after)["rps"], figures(beside)["rps"]) == (1000, 2000)
