"""What the judge found, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf, isfinite
from typing import Any

from cutover.plan.thresholds import Verdict, format_metric
from cutover.traffic import DEFAULT
from cutover.traffic.judge import ERRORS, LEAST_SAMPLES, TIMES, Finding, Terms

MAX_FAILURES = 5
"""So many are told; all of them are in the details."""

_SUBJECTS = {TIMES: "response times"}
_MANY_TIMES = 3.0
_ONE_DIGIT_BELOW = 10.0


def failures(judged: Mapping[str, Sequence[Finding]], terms: Terms) -> list[str]:
    """What is worse."""
    found = [
        f"fail: {sentence(place, finding, terms)}"
        for place, findings in judged.items()
        for finding in findings
        if finding.verdict is Verdict.FAIL
    ]
    more = [f"{len(found) - MAX_FAILURES} more are worse"] if len(found) > MAX_FAILURES else []
    return [*found[:MAX_FAILURES], *more]


def others(judged: Mapping[str, Sequence[Finding]], terms: Terms, whole: str) -> list[str]:
    """What is not known; where all is, and nothing is worse, how much worse new could still be."""
    unknown = dict.fromkeys(_missing(one, terms) for one in judged[whole] if one.verdict is Verdict.UNKNOWN)
    said = [f"unknown: {why}" for why in unknown]
    if not said and not failures(judged, terms):
        said.append(_not_worse(judged[whole], terms))
    return [*said, *_old_is_worse(judged[whole])]


def sentence(place: str, finding: Finding, terms: Terms) -> str:
    """As in ``p95 of /api/v1/studies is 38 to 61 % slower than old (98 %, 1,204 and 11,020 requests)``."""
    of = "" if not place else " of all other routes" if place == DEFAULT else f" of {place}"
    are = "is" if finding.metric not in {ERRORS, TIMES} else "are"
    return f"{_SUBJECTS.get(finding.metric, finding.metric)}{of} {are} {_compared(finding)} {_ground(finding, terms)}"


def as_json(judged: Mapping[str, Sequence[Finding]], terms: Terms) -> dict[str, Any]:
    return {
        "confidence": terms.confidence,
        "tolerance": terms.tolerance,
        "findings": [
            {
                "on": place or "all",
                "metric": finding.metric,
                "verdict": finding.verdict,
                "worse": _limits(finding),
                "new": finding.new,
                "old": finding.old,
                "samples": {"new": finding.new_samples, "old": finding.old_samples},
                "said": _missing(finding, terms) if finding.worse is None else sentence(place, finding, terms),
            }
            for place, findings in judged.items()
            for finding in findings
        ],
    }


def _limits(finding: Finding) -> dict[str, float | None] | None:
    if finding.worse is None:
        return None
    return {name: limit if isfinite(limit) else None for name, limit in finding.worse._asdict().items()}


def _ground(finding: Finding, terms: Terms) -> str:
    return f"({terms.confidence:g} %, {finding.new_samples:,} and {finding.old_samples:,} requests)"


def _compared(finding: Finding) -> str:
    assert finding.worse is not None  # noqa: S101 - what was not compared is told as missing
    low, _, high = finding.worse
    if finding.metric == ERRORS:
        return f"{_percent(finding.new)}, {_points(low, high)} old's {_percent(finding.old)}"
    if low >= _MANY_TIMES:
        return f"{low:.1f} to {high:.1f} times old's" if high < inf else f"at least {low:.1f} times old's"
    if low > 1:
        return f"{_range(low - 1, high - 1)} slower than old"
    if high < 1:
        return f"{_range(1 - high, 1 - low)} faster than old"
    slower = f"{_figure(high - 1)} % slower" if high < inf else "slower by any factor"
    return f"between {_figure(1 - low)} % faster and {slower} than old"


def _points(low: float, high: float) -> str:
    if low > 0:
        return f"{_figure(low)} to {_figure(high)} points above"
    if high < 0:
        return f"{_figure(-high)} to {_figure(-low)} points below"
    return f"between {_figure(-low)} points below and {_figure(high)} above"


def _range(low: float, high: float) -> str:
    return f"{_figure(low)} to {_figure(high)} %" if high < inf else f"at least {_figure(low)} %"


def _figure(part: float) -> str:
    """A part of one as percent or points: two digits are enough."""
    percent = 100 * part
    return f"{percent:,.0f}" if percent >= _ONE_DIGIT_BELOW else f"{percent:.2g}"


def _percent(part: float) -> str:
    return format_metric("errors", 100 * part).replace("%", " %")


def _missing(finding: Finding, terms: Terms) -> str:
    least = max(terms.least, LEAST_SAMPLES) if finding.old_samples >= LEAST_SAMPLES else LEAST_SAMPLES
    for name, had, needed in (("new", finding.new_samples, least), ("old", finding.old_samples, LEAST_SAMPLES)):
        if had < needed:
            return f"{name} had {had:,} of the {needed:,} requests it takes to compare, {needed - had:,} are missing"
    return f"new had fewer than the {least:,} requests it takes to compare"


def _not_worse(findings: Sequence[Finding], terms: Terms) -> str:
    """What passes may be worse all the same: by no more than this."""
    parts = []
    for finding in findings:
        assert finding.worse is not None  # noqa: S101 - all of them passed
        name, high = _SUBJECTS.get(finding.metric, finding.metric), finding.worse.high
        if finding.metric == ERRORS:
            parts.append(f"errors at most {_figure(max(high, 0.0))} points more")
        elif high == inf:
            parts.append(f"{name} not bounded yet")
        else:
            parts.append(f"{name} at most {_figure(max(high - 1, 0.0))} % slower")
    return f"not shown to be worse than old: {', '.join(parts)} {_ground(findings[0], terms)}"


def _old_is_worse(findings: Sequence[Finding]) -> list[str]:
    """Errors of old that new does not have: no fault of new, but nothing to be silent about."""
    return [
        f"old has {_percent(finding.old)} errors, new {_percent(finding.new)}"
        for finding in findings
        if finding.metric == ERRORS and finding.worse is not None and finding.worse.high < 0
    ]
