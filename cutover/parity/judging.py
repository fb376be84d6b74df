"""What a comparison comes to: its verdict, and why it is not a better one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from cutover.parity.report import Report
from cutover.plan.thresholds import Threshold, Verdict, format_metric, worst

# "1 differs" says as much.
_USUAL = "mismatches <= 0%"


@dataclass
class Judgement:
    """``reasons`` say what did not hold, and what could not be judged."""

    verdict: Verdict
    reasons: list[str] = field(default_factory=list)


def judge(
    report: Report, thresholds: Sequence[Threshold], endpoints: Mapping[str, Sequence[Threshold]], *, whole: bool
) -> Judgement:
    """An endpoint with thresholds of its own is judged by them alone, all others together by ``thresholds``.

    Without ``whole``, endpoints of which nothing was asked are passed over.
    """
    judged = list(_judged(report, thresholds, endpoints, whole=whole))
    verdict = worst([one for one, _ in judged])
    reasons = [reason for one, reason in judged if reason and one is not Verdict.PASS]
    useless = _useless(report)
    if verdict is Verdict.PASS and (useless or report.unknown.count or not report.compared):
        verdict = Verdict.UNKNOWN
    return Judgement(verdict, [*dict.fromkeys(reasons), *useless])


def _judged(
    report: Report, thresholds: Sequence[Threshold], endpoints: Mapping[str, Sequence[Threshold]], *, whole: bool
) -> Iterator[tuple[Verdict, str]]:
    rest = [name for name in report.endpoints if name not in endpoints]
    places = [("", rest, thresholds)] if rest or not endpoints else []
    places += [(f"{name}: ", [name], own) for name, own in endpoints.items() if whole or name in report.endpoints]
    for where, names, limits in places:
        figures = report.figures(names)
        for threshold in limits:
            yield threshold.judge(figures), _reason(where, threshold, figures)


def _reason(where: str, threshold: Threshold, figures: Mapping[str, float]) -> str:
    if threshold.metric not in figures:
        return f"{where}no request was compared" if where else ""
    if not where and str(threshold) == _USUAL:
        return ""
    return f"{where}{threshold}: it is {format_metric(threshold.metric, figures[threshold.metric])}"


def _useless(report: Report) -> list[str]:
    """Where old gave nothing but errors that say nothing of what it does, and nobody had expected them."""
    told = [
        f"old refuses all that was asked of {name} ({_counted(statuses)}): are its credentials sent?"
        for name, statuses in report.refused()
    ]
    if not told and (statuses := report.errors_alone()):
        told.append(f"old answered nothing but errors ({_counted(statuses)}): nothing of use was compared")
    return told


def _counted(statuses: Mapping[int, int]) -> str:
    return ", ".join(f"{status} ×{count}" for status, count in sorted(statuses.items()))  # noqa: RUF001 - the sign that people are shown
