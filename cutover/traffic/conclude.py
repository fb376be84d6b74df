"""From counts to the answer of a gate: a verdict, one line for people, figures for reports."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from cutover.plan.thresholds import TIMES, Threshold, Verdict, format_metric, worst
from cutover.plan.units import format_count, format_duration
from cutover.traffic import DEFAULT, telling
from cutover.traffic.judge import Finding, Terms, judge_places
from cutover.traffic.outage import moment_of
from cutover.traffic.seen import Seen, Tally, Tries
from cutover.traffic.share import share_of
from cutover.traffic.silence import Heard, silences, stale
from cutover.traffic.tries import FALLBACK, NEW, OLD, UNKNOWN
from cutover.traffic.verdict import Ground, Judged, figures, judge

ALL = ""
"""The place of thresholds on all routes together."""

QUIET_S = 10.0
"""Without a request of new for so long, what a gate says is of before, and it says so."""

_USUAL_TIME = "p95"


@dataclass(frozen=True)
class Question:
    """``limits`` by place: ``ALL``, a path prefix, or ``DEFAULT`` for requests that match no prefix of these.

    ``least``: requests that new must have had, in each place. ``terms``: of the judge, where it is asked too.
    """

    limits: Mapping[str, Sequence[Threshold]]
    weight: int
    least: int
    terms: Terms | None = None

    def holds(self, place: str, among: AbstractSet[str] | None = None) -> Callable[[str], bool] | None:
        """Whether a route that was counted belongs to a place, and is ``among`` these; None where all do."""
        if place == ALL:
            return None if among is None else among.__contains__
        return lambda route: (among is None or route in among) and self._place_of(route) == place

    def _place_of(self, route: str) -> str:
        prefixes = [p for p in self.limits if p not in {ALL, DEFAULT} and route.startswith(p)]
        return max(prefixes, key=len, default=DEFAULT)

    def places(self, seen: Seen) -> dict[str, set[str]]:
        """The gate's routes, and the plan's where it names none, each with the routes that were counted for it."""
        named = [place for place in self.limits if place != ALL]
        if not named:
            return {route: {route} for route in seen.routes if route}
        return {place: {route for route in seen.routes if self._place_of(route) == place} for place in named}


class Conclusion(NamedTuple):
    """``lacking``: there were too few requests, and more of the time before could tell."""

    verdict: Verdict
    summary: str
    figures: dict[str, float]
    details: dict[str, Any]
    lacking: bool


def conclude(question: Question, seen: Seen, newest: Sequence[Tries] = (), heard: Heard | None = None) -> Conclusion:
    """``newest``: what was seen in the last moments, the latest first; it is part of ``seen``."""
    grounds = {place: _ground(question, seen, place, newest) for place in question.limits}
    split = seen.split_routes
    alike = {place: _ground(question, seen, place, newest, split) for place in question.limits}
    judged = {
        place: judge(limits, grounds[place], alike[place])
        for place, limits in question.limits.items()
        if place != DEFAULT or _any_requests(grounds[place]) or len(question.limits) == 1
    }
    findings = _findings(question, seen, split)
    verdict = worst([one.verdict for found in (judged, findings) for results in found.values() for one in results])
    heard, lacking = heard or Heard(), verdict is Verdict.UNKNOWN
    silent, old_news = silences(seen, heard, question.weight), stale(seen, heard.pace, question.weight)
    if silent:
        verdict = Verdict.FAIL
    elif (seen.behind or old_news is not None) and verdict is Verdict.PASS:
        verdict = Verdict.UNKNOWN
    ground = _ground(question, seen, ALL)
    old = _ground(question, seen, ALL, among=split).old
    details = _details(question, seen, judged)
    details["silences"], details["pace"] = [asdict(one) for one in silent], asdict(heard.pace)
    # What fails comes first: where there is little room, it is what is still read.
    said = [f"{Verdict.FAIL}: {one}" for one in silent] + _broken(judged, Verdict.FAIL)
    if question.terms is not None:
        said += telling.failures(findings, question.terms)
        details["judge"] = telling.as_json(findings, question.terms)
    said += [_described(question, ground, old), *_broken(judged, Verdict.UNKNOWN)]
    said += [f"{Verdict.UNKNOWN}: {old_news}"] if old_news is not None and not silent else []
    if question.terms is not None:
        said += telling.others(findings, question.terms, ALL)
    said += _remarks(question, seen, ground, silent=bool(silent) or old_news is not None)
    return Conclusion(verdict, "; ".join(said), _all_figures(ground), details, lacking=lacking and not silent)


def _findings(question: Question, seen: Seen, split: AbstractSet[str]) -> dict[str, list[Finding]]:
    """The judge's, by place. Routes that all go to one side are left out: there is no other to compare them with."""
    if question.terms is None:
        return {}
    places = {place: routes & split for place, routes in question.places(seen).items()}
    told_apart = {place: routes for place, routes in places.items() if routes != split}
    sides = {
        place: (seen.total(NEW, routes.__contains__), seen.total(OLD, routes.__contains__))
        for place, routes in {ALL: split, **told_apart}.items()
    }
    return judge_places(sides, ALL, question.terms)


def _ground(
    question: Question, seen: Seen, place: str, newest: Sequence[Tries] = (), among: AbstractSet[str] | None = None
) -> Ground:
    """Of a place, or of those of its routes that are ``among`` these."""
    holds = question.holds(place, among)
    return Ground(
        seen.total(NEW, holds),
        seen.total(OLD, holds),
        share_of(seen) if place == ALL else None,
        seen.seconds,
        question.weight,
        question.least,
        [moment_of(moment, holds) for moment in newest],
    )


def _any_requests(ground: Ground) -> bool:
    return bool(ground.new.requests or ground.old.requests)


def _described(question: Question, ground: Ground, old_alike: Tally) -> str:
    """As in ``new: 1,204 requests, 0.08% errors, p95 212ms (old 198ms), share 10.2%``.

    ``old_alike``: old on the routes on which new is asked as well.
    """
    if not ground.new.requests:
        at_zero = ": the weight is 0" if question.weight == 0 else ""
        return f"new: no requests{at_zero}"
    new, old = figures(ground.new, ground.seconds), figures(old_alike, ground.seconds)
    asked = {threshold.metric for threshold in question.limits.get(ALL, ())} & set(TIMES)
    parts = [f"new: {format_count(ground.new.requests, 'request')}"]
    beside = _beside(old, "errors") if old_alike.failed else ""
    parts.append(f"{format_metric('errors', new['errors'])} errors{beside}")
    parts += [
        f"{metric} {format_metric(metric, new[metric])}{_beside(old, metric)}"
        for metric in TIMES
        if metric in (asked or {_USUAL_TIME}) and metric in new
    ]
    if ground.share is not None:
        parts.append(f"share {ground.share.percent:.1f}%")
    return ", ".join(parts)


def _beside(old: Mapping[str, float], metric: str) -> str:
    return f" (old {format_metric(metric, old[metric])})" if metric in old else ""


def _broken(judged: Mapping[str, Sequence[Judged]], verdict: Verdict) -> list[str]:
    """What did not pass; what is missing for several thresholds is said once."""
    told: dict[str, None] = {}
    for place, results in judged.items():
        where = f"{place}: " if place else ""
        for one in results:
            if one.verdict is verdict:
                text = f"{one.threshold} ({one.why})" if verdict is Verdict.FAIL else one.why
                told[f"{where}{verdict}: {text}"] = None
    return list(told)


def _remarks(question: Question, seen: Seen, ground: Ground, *, silent: bool) -> list[str]:
    remarks = []
    if ground.new.hidden:
        remarks.append(f"{ground.new.hidden:,} of its failures were hidden from clients by a retry")
    if ground.new.client_errors:
        remarks.append(f"clients saw {ground.new.client_errors:,} errors of new")
    if seen.elsewhere and not ground.new.requests:
        address, _ = seen.elsewhere.most_common(1)[0]
        remarks.append(f"{seen.elsewhere.total():,} tries went to servers of neither backend, as {address}")
    if seen.buckets and question.weight and not ground.new.requests:
        remarks.append(f"the clients seen fall into {len(seen.buckets)} of 100 buckets, all of them on old")
    if ground.new.requests and seen.quiet >= QUIET_S and not silent:
        remarks.append(f"the last request of new was {format_duration(round(seen.quiet))} ago")
    if seen.unreadable:
        all_of_it = "all " if seen.unreadable == seen.lines else ""
        remarks.append(f"{all_of_it}{seen.unreadable:,} of the log's lines could not be read")
    if seen.behind:
        remarks.append(f"reading the log lags {seen.behind / 1e6:,.0f} MB behind")
    return remarks + seen.notes


def _all_figures(ground: Ground) -> dict[str, float]:
    """Of new under the metrics' names, of old under ``old_`` and them."""
    found = figures(ground.new, ground.seconds)
    if ground.share is not None:
        found["share"] = ground.share.percent
    found["hidden"] = float(ground.new.hidden)
    found["client_errors"] = float(ground.new.client_errors)
    if ground.old.requests:
        found.update({f"old_{metric}": figure for metric, figure in figures(ground.old, ground.seconds).items()})
    return found


def _details(question: Question, seen: Seen, judged: Mapping[str, Sequence[Judged]]) -> dict[str, Any]:
    return {
        "weight": question.weight,
        "seconds": seen.seconds,
        "min_requests": question.least,
        "thresholds": [
            {"on": place or "all", "threshold": str(one.threshold), "verdict": one.verdict, "why": one.why}
            for place, results in judged.items()
            for one in results
        ],
        "backends": {
            name: _counts(tally, seen.seconds)
            for name in (OLD, NEW, FALLBACK, UNKNOWN)
            if (tally := seen.total(name)).requests
        },
        "routes": {
            place: {name: _counts(seen.total(name, routes.__contains__), seen.seconds) for name in (OLD, NEW)}
            for place, routes in question.places(seen).items()
        },
        "left_out": {
            "probes": seen.probes,
            "picked_by_testers": seen.picked,
            "of_an_earlier_configuration": seen.earlier,
            "unreadable": seen.unreadable,
        },
        "unreadable_example": seen.example,
        "elsewhere": dict(seen.elsewhere),
        "bytes_behind": seen.behind,
    }


def _counts(tally: Tally, seconds: float) -> dict[str, float]:
    return {
        **figures(tally, seconds),
        "tries": tally.tries,
        "failed": tally.failed,
        "hidden": tally.hidden,
        "client_errors": tally.client_errors,
        "gave_up": tally.gave_up,
    }
