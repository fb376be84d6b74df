"""What a load's counts say about its thresholds, and what they can't say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cutover.load.tally import LOCAL, Tally
from cutover.plan.thresholds import COUNTS, MIN_SAMPLES, TIMES, Threshold, Verdict, format_metric

PERCENTILES = {"p50": 50.0, "p90": 90.0, "p95": 95.0, "p99": 99.0, "p99.9": 99.9}
TOLD = ("requests", "rps", "errors", "p50", "p95", "p99")
"""What a summary tells in any case."""
OWN_SHARE = 0.5
"""More than this of the p95 may be the generator's own doing: then it was the bottleneck."""
LATE_S = 0.1
"""A rate is kept where 95 % of the arrivals were at most so much later than they should have been."""
MISSED_SHARE = 0.01
"""And where at most so many of them were never asked."""


@dataclass(frozen=True)
class Judged:
    """A threshold and its verdict; ``why`` where it is no plain comparison."""

    threshold: Threshold
    verdict: Verdict
    why: str = ""


def figures(tally: Tally, *, surely: bool = False) -> dict[str, float]:
    """Metrics in the units of thresholds, and ``throughput`` in bytes/s; those with too few samples are absent.

    Times are upper bounds: the generator may have learned late of an answer. ``surely`` gives the lower bounds.
    """
    if not tally.requests:
        return {"requests": 0.0}
    found = {"requests": float(tally.requests), "errors": 100 * tally.failed / tally.requests}
    if tally.seconds:
        found["rps"] = tally.requests / tally.seconds
        found["throughput"] = tally.received / tally.seconds
    times = tally.surely if surely else tally.latency
    late = tally.lag.percentile(95) if surely else 0.0
    for metric, percent in PERCENTILES.items():
        if times.requests >= MIN_SAMPLES[metric]:
            found[metric] = max(0.0, times.percentile(percent) - late)
    if times.requests:
        found["mean"], found["max"] = max(0.0, times.mean - late), max(0.0, times.max - late)
    return found


def bottleneck(tally: Tally) -> bool:
    """Whether the generator, and not the backend, may have set the pace."""
    upper, lower = figures(tally).get("p95"), figures(tally, surely=True).get("p95")
    return upper is not None and lower is not None and upper - lower > OWN_SHARE * upper


def kept_rate(tally: Tally) -> bool:
    """Whether the generator asked as often as it was told to; one without a rate always does."""
    return not _overwhelmed(tally) and tally.missed <= MISSED_SHARE * (tally.missed + tally.requests)


def _overwhelmed(tally: Tally) -> bool:
    return tally.late.percentile(95) > LATE_S


def judge(thresholds: Sequence[Threshold], new: Tally, old: Tally | None) -> list[Judged]:
    return [_judge(threshold, new, old) for threshold in thresholds]


def _judge(threshold: Threshold, new: Tally, old: Tally | None) -> Judged:
    if not new.requests or (old is not None and not old.requests):
        return Judged(threshold, Verdict.UNKNOWN, "no requests")
    plain = threshold.judge(figures(new), figures(old) if old is not None else None)
    if plain is Verdict.UNKNOWN:
        return Judged(threshold, plain, "too few samples")
    if threshold.metric in TIMES:
        return _judge_time(threshold, plain, new, old)
    limited = _limited(new) or (threshold.relative is not None and old is not None and _limited(old))
    if threshold.metric in COUNTS and limited and (plain is Verdict.FAIL or threshold.relative is not None):
        return Judged(threshold, Verdict.UNKNOWN, "the load generator was the limit")
    if threshold.metric == "errors" and plain is Verdict.FAIL and (why := _own_errors(new, old)):
        return Judged(threshold, Verdict.UNKNOWN, why)
    return _judged(threshold, plain, new)


def _judge_time(threshold: Threshold, plain: Verdict, new: Tally, old: Tally | None) -> Judged:
    """A verdict on times counts if it holds wherever in their bounds they are."""
    if threshold.relative is None or old is None:
        other = threshold.judge(figures(new, surely=True))
    elif bottleneck(new) or bottleneck(old):
        plain = threshold.judge(figures(new), figures(old, surely=True))
        other = threshold.judge(figures(new, surely=True), figures(old))
    else:
        other = plain
    if plain is other:
        return _judged(threshold, plain, new)
    return Judged(threshold, Verdict.UNKNOWN, "the load generator was the limit")


def _judged(threshold: Threshold, verdict: Verdict, new: Tally) -> Judged:
    """With the figure where nothing else tells it."""
    metric = threshold.metric
    if verdict is Verdict.PASS or metric in TOLD:
        return Judged(threshold, verdict)
    return Judged(threshold, verdict, f"{metric} {format_metric(metric, figures(new)[metric])}")


def _limited(tally: Tally) -> bool:
    return bottleneck(tally) or not kept_rate(tally)


def _own_errors(new: Tally, old: Tally | None) -> str:
    """Why errors may not be the backend's; empty where they are."""
    if any(tally.errors[LOCAL] for tally in (new, old) if tally is not None):
        return "this machine ran out of ports, descriptors or memory"
    return "the load generator was the limit" if new.errors["timeout"] and _overwhelmed(new) else ""
