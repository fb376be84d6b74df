"""What the counts say about thresholds, and what they can't say yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cutover.plan.thresholds import MIN_SAMPLES, TIMES, Threshold, Verdict, format_metric
from cutover.traffic.chance import beyond_chance, surely_above
from cutover.traffic.outage import Moment, outage
from cutover.traffic.seen import Tally
from cutover.traffic.share import Share

PERCENTILES = {"p50": 50.0, "p90": 90.0, "p95": 95.0, "p99": 99.0, "p99.9": 99.9}
LEAST_REQUESTS = 20
LEAST_SPAN_S = 1.0
"""Of less time a rate is an accident: two requests in a millisecond are no 2,000 a second."""
AT_MOST = frozenset({"<=", "<", "=="})
AT_LEAST = frozenset({">=", ">"})


def least_requests(weight: int) -> int:
    """How many requests new must have had, unless the plan says: one for each percent of the weight, and 20 at least.

    New gets its 20 of 2,000 requests at weight 1, and of 100 at weight 20: the smaller the weight, the longer it takes.
    """
    return max(LEAST_REQUESTS, weight)


@dataclass(frozen=True)
class Ground:
    """What a verdict rests on. ``least``: requests that new must have had. ``newest``: moments, the latest first."""

    new: Tally
    old: Tally
    share: Share | None
    seconds: float
    weight: int
    least: int
    newest: Sequence[Moment] = ()


@dataclass(frozen=True)
class Judged:
    """A threshold and its verdict; ``why``: the figure that broke it, or what is missing."""

    threshold: Threshold
    verdict: Verdict
    why: str = ""


def figures(tally: Tally, seconds: float) -> dict[str, float]:
    """Metrics in the units of thresholds; those with too few samples are absent."""
    found = {"requests": float(tally.requests)}
    if seconds >= LEAST_SPAN_S:
        found["rps"] = tally.requests / seconds
    if tally.tries:
        found["errors"] = tally.errors
    for metric, percent in PERCENTILES.items():
        if tally.times.count >= MIN_SAMPLES[metric]:
            found[metric] = tally.times.percentile(percent)
    if tally.times.count:
        found["mean"], found["max"] = tally.times.mean, tally.times.max
    return found


def judge(thresholds: Sequence[Threshold], ground: Ground, split: Ground) -> list[Judged]:
    """``split``: of the routes alone on which both are asked, for limits against old."""
    return [_judge(threshold, split if threshold.against_old else ground) for threshold in thresholds]


def _judge(threshold: Threshold, ground: Ground) -> Judged:
    new, old = figures(ground.new, ground.seconds), figures(ground.old, ground.seconds)
    if threshold.metric == "share":
        return _judge_share(threshold, ground)
    judged = _judge_all(threshold, ground, new, old)
    return judged if judged.verdict is Verdict.FAIL else _judge_outage(threshold, ground, new, old) or judged


def _judge_all(threshold: Threshold, ground: Ground, new: dict[str, float], old: dict[str, float]) -> Judged:
    """By all that was seen."""
    if threshold.against_old and (few := _too_few_of_old(threshold, ground)):
        return few
    verdict = threshold.judge(new, old)
    if verdict is Verdict.FAIL and threshold.op in AT_MOST:
        return _judge_excess(threshold, ground, new, old)
    if ground.new.requests < ground.least:
        return _too_few(threshold, ground)
    if verdict is Verdict.UNKNOWN:
        return Judged(threshold, verdict, _missing(threshold, ground))
    if verdict is Verdict.FAIL and threshold.metric == "requests" and threshold.op in AT_LEAST:
        return Judged(threshold, Verdict.UNKNOWN, f"{threshold} ({_told(threshold, new, old)} so far)")
    return Judged(threshold, verdict, "" if verdict is Verdict.PASS else _told(threshold, new, old))


def _judge_excess(threshold: Threshold, ground: Ground, new: dict[str, float], old: dict[str, float]) -> Judged:
    """A limit is broken: a failure, however few the requests, unless that may be chance; then it is unknown."""
    metric, told = threshold.metric, _told(threshold, new, old)
    if metric == "errors":
        limit = _limit(threshold, old)
        surely = limit is not None and beyond_chance(ground.new.failed, ground.new.tries, limit)
    elif metric in PERCENTILES:
        least = surely_above(PERCENTILES[metric], ground.new.times.count)
        surely = threshold.judge({metric: ground.new.times.percentile(least)}, old) is Verdict.FAIL
    else:
        surely = ground.new.requests >= ground.least
    if surely:
        return Judged(threshold, Verdict.FAIL, told)
    return Judged(threshold, Verdict.UNKNOWN, f"{threshold} ({told}, too few requests to tell it from chance)")


def _judge_outage(threshold: Threshold, ground: Ground, new: dict[str, float], old: dict[str, float]) -> Judged | None:
    """A failure where the limit still holds on average and new is down all the same; None where it is not."""
    if threshold.metric != "errors" or threshold.op not in AT_MOST:
        return None

    def allowed(moment: Moment) -> float | None:
        errors = moment.old_errors(old.get("errors"))
        return _limit(threshold, {"errors": errors} if errors is not None else {})

    down = outage(ground.newest, allowed)
    if down is None:
        return None
    told = f"{_told(threshold, new, old)}, but {down.failed:,} of the newest {down.tries:,} tries failed"
    return Judged(threshold, Verdict.FAIL, told)


def _limit(threshold: Threshold, old: Mapping[str, float]) -> float | None:
    """None where it is one against old, and old says nothing."""
    if threshold.relative is None:
        return threshold.value
    base = old.get(threshold.metric)
    if base is None:
        return None
    return base * threshold.value if threshold.relative == "ratio" else base + threshold.value


def _too_few(threshold: Threshold, ground: Ground) -> Judged:
    had, missing = ground.new.requests, ground.least - ground.new.requests
    return Judged(
        threshold,
        Verdict.UNKNOWN,
        f"new had {had:,} of the {ground.least:,} requests it takes, {missing:,} are missing",
    )


def _too_few_of_old(threshold: Threshold, ground: Ground) -> Judged | None:
    """One request of old is no measure, and neither are those few that may all have had bad luck."""
    had, needed = ground.old.requests, min(ground.least, LEAST_REQUESTS)
    if had >= needed:
        return None
    why = f"old had {had:,} of the {needed:,} requests it takes, {needed - had:,} are missing"
    return Judged(threshold, Verdict.UNKNOWN, why)


def _judge_share(threshold: Threshold, ground: Ground) -> Judged:
    if ground.new.requests < ground.least:
        return _too_few(threshold, ground)
    if ground.share is None:
        return Judged(threshold, Verdict.UNKNOWN, "no request was split")
    verdict = ground.share.judge(threshold, ground.weight)
    why = f"share {ground.share.percent:.1f}%, {ground.weight}% intended"
    return Judged(threshold, verdict, "" if verdict is Verdict.PASS else why)


def _missing(threshold: Threshold, ground: Ground) -> str:
    metric = threshold.metric
    for name, tally in (("new", ground.new), ("old", ground.old))[: 2 if threshold.relative else 1]:
        had = tally.times.count if metric in TIMES else tally.requests
        least = MIN_SAMPLES.get(metric, 1)
        if had < least:
            return f"{name} had {had:,} of the {least:,} requests that {metric} takes, {least - had:,} are missing"
    if metric == "rps" and ground.seconds < LEAST_SPAN_S:
        return f"rps is measured over {LEAST_SPAN_S:g}s at least"
    return f"{metric} could not be measured"


def _told(threshold: Threshold, new: dict[str, float], old: dict[str, float]) -> str:
    metric = threshold.metric
    told = f"{metric} {format_metric(metric, new[metric])}"
    return f"{told}, old {format_metric(metric, old[metric])}" if threshold.relative and metric in old else told
