"""What clients saw, for people and for the artifacts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cutover.load.tally import Tally
from cutover.load.verdict import bottleneck, figures, judge, kept_rate
from cutover.plan.thresholds import Threshold, Verdict, format_metric, worst
from cutover.plan.units import format_count, format_duration

MAX_SAMPLES = 10
TIMES_TOLD = ("p50", "p95", "p99")
QUEUED_SHARE = 0.01
"""Of the requests: when so many waited for a connection, percentiles tell of that, too."""


def conclude(
    thresholds: Sequence[Threshold], tallies: Mapping[str, Tally], name: str, count: int | None
) -> tuple[Verdict, str, dict[str, Any]]:
    """The verdict on the backend of that ``name``, what to tell, and the details; each should have had ``count``."""
    new, old = tallies[name], next((tally for other, tally in tallies.items() if other != name), None)
    judged = judge(thresholds, new, old)
    limited = any(bottleneck(tally) for tally in tallies.values())
    told = [f"{name}: {describe(new)}", *([f"old: {describe(old)}"] if old is not None else [])]
    told += [
        f"{one.verdict}: {one.threshold}{f' ({one.why})' if one.why else ''}"
        for one in judged
        if one.verdict is not Verdict.PASS
    ]
    if limited:
        told.append("the load generator was the limit, so times are upper bounds")
    short = [text for other, tally in tallies.items() if (text := _shortfall(other, tally, count))]
    verdict = worst([*(one.verdict for one in judged), *([Verdict.UNKNOWN] * len(short))])
    details = {
        "bottleneck": limited,
        "thresholds": {str(one.threshold): one.verdict for one in judged},
        "backends": {other: detail(tally) for other, tally in tallies.items()},
    }
    return verdict, "; ".join([*told, *short]), details


def _shortfall(name: str, tally: Tally, count: int | None) -> str:
    """Why this was not the load that was asked for; empty where it was."""
    if not kept_rate(tally):
        late = format_duration(tally.late.percentile(95))
        what = f"{tally.missed:,} requests were never asked" if tally.missed else f"1 in 20 was {late} late or more"
        return f"the load generator could not keep the rate to {name}: {what}"
    if count is not None and tally.requests + tally.missed < count:
        return f"only {tally.requests:,} of {count:,} requests to {name} within the time"
    return ""


def describe(tally: Tally) -> str:
    """One line: how much, how fast, what went wrong."""
    found = figures(tally)
    parts = [format_count(tally.requests, "request")]
    if "rps" in found:
        parts.append(f"{found['rps']:,.0f}/s")
    if "errors" in found:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in tally.errors.most_common())
        parts.append(f"{format_metric('errors', found['errors'])} errors" + (f" ({kinds})" if kinds else ""))
    parts += [f"{metric} {format_metric(metric, found[metric])}" for metric in TIMES_TOLD if metric in found]
    if tally.queued > QUEUED_SHARE * tally.requests:
        parts.append(f"{tally.queued:,} requests waited for a connection, as concurrency allows no more")
    if set(tally.statuses) - {200}:
        answers = ", ".join(f"{count:,}x {status}" for status, count in tally.statuses.most_common())
        parts.append(f"answers {answers}")
    if tally.samples:
        what, count = tally.samples.most_common(1)[0]
        parts.append(f"{what} ({count:,} times)")
    return ", ".join(parts)


def detail(tally: Tally) -> dict[str, Any]:
    """``at_least`` are the lower bounds of the figures; ``late`` is how late arrivals of a rate were asked for."""
    return {
        "figures": figures(tally),
        "at_least": figures(tally, surely=True),
        "statuses": {str(status): count for status, count in tally.statuses.items()},
        "errors": dict(tally.errors),
        "samples": dict(tally.samples.most_common(MAX_SAMPLES)),
        "connects": tally.connects,
        "received": tally.received,
        "seconds": tally.seconds,
        "busy": tally.busy,
        "kept_rate": kept_rate(tally),
        "missed": tally.missed,
        "queued": tally.queued,
        "late": {"p95": tally.late.percentile(95), "max": tally.late.max},
    }
