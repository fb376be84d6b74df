"""The one grammar of thresholds, and the three verdicts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from cutover.plan.thresholds import (
    COUNTS,
    METRICS,
    MIN_SAMPLES,
    PROPORTIONS,
    TIMES,
    Threshold,
    Verdict,
    format_metric,
    parse_threshold,
    worst,
)

OPERATORS = ("<=", "<", ">=", ">", "==")


@pytest.mark.parametrize(
    ("text", "threshold"),
    [
        ("errors == 0%", Threshold("errors", "==", 0)),
        ("p95 <= 500ms", Threshold("p95", "<=", 0.5)),
        ("p99<2s", Threshold("p99", "<", 2)),
        ("p99.9 <= 2s", Threshold("p99.9", "<=", 2)),
        ("p99.9<=3x old", Threshold("p99.9", "<=", 3, "ratio")),
        (" max  >  1m30s ", Threshold("max", ">", 90)),
        ("rps >= 100", Threshold("rps", ">=", 100)),
        ("rps >= 100/s", Threshold("rps", ">=", 100)),
        ("requests >= 1000", Threshold("requests", ">=", 1000)),
        ("share >= 9.5%", Threshold("share", ">=", 9.5)),
        ("share == weight", Threshold("share", "==", 0, "weight")),
        ("p95 <= 1.5x old", Threshold("p95", "<=", 1.5, "ratio")),
        ("mean <= 2 x old", Threshold("mean", "<=", 2, "ratio")),
        ("errors <= old + 1%", Threshold("errors", "<=", 1, "offset")),
        ("p50 <= old+100ms", Threshold("p50", "<=", 0.1, "offset")),
    ],
)
def test_thresholds(text: str, threshold: Threshold) -> None:
    assert parse_threshold(text) == threshold


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("p95", "write METRIC OP VALUE"),
        ("p95 <=", "write METRIC OP VALUE"),
        ("<= 5", "write METRIC OP VALUE"),
        ("p95 = 5ms", "write METRIC OP VALUE"),
        ("p95 != 5ms", "write METRIC OP VALUE"),
        ("", "write METRIC OP VALUE"),
        (5, "write METRIC OP VALUE"),
        (None, "write METRIC OP VALUE"),
        ("p95 <= a" + " " * 1_000_000 + "b", "write METRIC OP VALUE"),
        ("p59 <= 5ms", "'p59' is not a metric; did you mean 'p9"),
        ("p99.99 <= 5ms", "'p99.99' is not a metric; did you mean 'p99.9'"),
        ("p95. <= 5ms", "write METRIC OP VALUE"),
        ("latency <= 5ms", "'latency' is not a metric; known: errors"),
        ("p95 <= 500", "p95: '500' is not a duration"),
        ("p95 <= 5%", "p95: '5%' is not a duration"),
        ("errors <= 1", "errors: '1' is not a percentage"),
        ("errors <= 101%", "errors: '101%' is more than all of it"),
        ("rps >= 5s", "rps: '5s' is not a number"),
        ("rps >= 1e3", "rps: '1e3' is not a number"),
        ("rps >= " + "9" * 80, "out of range"),
        ("p95 <= " + "9" * 80 + "x old", "out of range"),
        ("p95 <= 1.5x new", "is not a duration"),
        ("p95 <= old", "is not a duration"),
        ("p95 <= 0x old", "0 times old is no limit that can be kept"),
        ("errors <= weight", "errors: 'weight' is not a percentage"),
        ("p95 <= -5ms", "is not a duration"),
    ],
)
def test_what_is_no_threshold_is_told(text: object, said: str) -> None:
    with pytest.raises(PydanticCustomError) as error:
        parse_threshold(text)
    assert said in error.value.message()


@st.composite
def thresholds(draw: st.DrawFn) -> Threshold:
    metric = draw(st.sampled_from(METRICS))
    limit = 100.0 if metric in PROPORTIONS else 86400.0 if metric in TIMES else 1e9
    relative = draw(st.sampled_from([None, "ratio", "offset"]))
    least, most = ("0.000001", 1000) if relative == "ratio" else (0, limit)
    number = st.decimals(least, most, allow_nan=False, places=6).map(float)
    return Threshold(metric, draw(st.sampled_from(OPERATORS)), draw(number), relative)


@given(thresholds())
def test_a_threshold_reads_as_it_is_written(threshold: Threshold) -> None:
    assert parse_threshold(str(threshold)) == threshold


@given(st.text() | st.from_regex(r"(p95|errors|rps) (<=|>) [0-9.]{1,9}(ms|%|x old)?"))
def test_any_text_is_a_threshold_or_a_mistake(text: str) -> None:
    try:
        assert isinstance(parse_threshold(text), Threshold)
    except PydanticCustomError:
        return


@pytest.mark.parametrize(
    ("text", "figure", "verdict"),
    [
        ("errors <= 1%", 1.0, Verdict.PASS),
        ("errors <= 1%", 1.01, Verdict.FAIL),
        ("errors < 1%", 1.0, Verdict.FAIL),
        ("errors == 0%", 0.0, Verdict.PASS),
        ("errors == 0%", 0.01, Verdict.FAIL),
        ("share >= 9%", 9.0, Verdict.PASS),
        ("share > 9%", 9.0, Verdict.FAIL),
        ("p95 <= 500ms", 0.5, Verdict.PASS),
        ("p95 <= 500ms", 0.501, Verdict.FAIL),
    ],
)
def test_a_figure_is_judged(text: str, figure: float, verdict: Verdict) -> None:
    threshold = parse_threshold(text)
    assert threshold.judge({threshold.metric: figure, "requests": 1000}) is verdict


def test_what_was_not_measured_is_unknown() -> None:
    assert parse_threshold("p95 <= 500ms").judge({}) is Verdict.UNKNOWN
    assert parse_threshold("errors <= 1%").judge({"requests": 0, "errors": 0}) is Verdict.UNKNOWN


@pytest.mark.parametrize(("metric", "least"), MIN_SAMPLES.items())
def test_a_percentile_of_few_samples_is_unknown(metric: str, least: int) -> None:
    threshold = parse_threshold(f"{metric} <= 1s")
    assert threshold.judge({metric: 0.1, "requests": least}) is Verdict.PASS
    assert threshold.judge({metric: 0.1, "requests": least - 1}) is Verdict.UNKNOWN
    assert threshold.judge({metric: 9.0, "requests": least - 1}) is Verdict.UNKNOWN


def test_a_limit_relative_to_old_needs_old() -> None:
    new = {"p95": 0.15, "errors": 2.0, "requests": 1000}
    old = {"p95": 0.1, "errors": 1.0, "requests": 1000}
    ratio, offset = parse_threshold("p95 <= 1.5x old"), parse_threshold("errors <= old + 1%")
    assert ratio.judge(new, {**old, "p95": 0.2}) is Verdict.PASS
    assert ratio.judge(new, {**old, "p95": 0.09}) is Verdict.FAIL
    assert offset.judge(new, old) is Verdict.PASS
    assert offset.judge(new, {**old, "errors": 0.5}) is Verdict.FAIL
    for threshold in (ratio, offset):
        assert threshold.judge(new) is Verdict.UNKNOWN
        assert threshold.judge(new, {"requests": 1000}) is Verdict.UNKNOWN
        assert threshold.judge(new, {**old, "requests": 0}) is Verdict.UNKNOWN


def test_the_worst_verdict_is_told_and_nothing_measured_is_unknown() -> None:
    assert worst([]) is Verdict.UNKNOWN
    assert worst([Verdict.PASS, Verdict.PASS]) is Verdict.PASS
    assert worst([Verdict.PASS, Verdict.UNKNOWN]) is Verdict.UNKNOWN
    assert worst([Verdict.UNKNOWN, Verdict.FAIL, Verdict.PASS]) is Verdict.FAIL


def test_every_metric_has_a_kind_and_a_unit() -> None:
    assert {*PROPORTIONS, *TIMES, *COUNTS} == set(METRICS)
    assert [format_metric(m, 0.5) for m in ("errors", "p95", "rps")] == ["0.5%", "500ms", "0.5"]
