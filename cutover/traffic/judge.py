"""New against old over the same time: is it worse by more than is tolerated, and how sure is that?

Errors are compared as proportions, times by their ranks. What is asked for grows with the number of questions and of
looks, so that a new that is just like old fails with a chance of ``1 - confidence`` at most, over a whole hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import inf

from cutover.plan.thresholds import Verdict
from cutover.traffic import looks
from cutover.traffic.intervals import Interval, difference
from cutover.traffic.proportions import proportion
from cutover.traffic.ranks import Ranked, percentile_between, shift_between
from cutover.traffic.seen import Tally
from cutover.traffic.times import BIN_RATIO, RESOLUTION_S

LEAST_SAMPLES = 50
"""On either side: of fewer, ranks and percentiles say more than they know."""

LEAST_EXCESS = 0.001
"""Of all tries: errors count as more only if they are this much more, as measured. Where old has none at all, each
error of new is infinitely many times more, and a few in a million would be certain and yet no reason to go back."""

LEAST_FAILURES = 5
"""One hiccup fails several requests at once: chance alone does not make so many, but neither does a fault."""

# Times are rounded to the log's resolution twice, old's and new's: one step apart may be next to nothing.
_LEAST_SLOWDOWN_S = 1.5 * RESOLUTION_S

ERRORS, TIMES, P95 = "errors", "times", "p95"
METRICS = (ERRORS, TIMES, P95)
_P95_PERCENT = 95.0


@dataclass(frozen=True)
class Terms:
    """What was promised. ``confidence`` and ``tolerance`` are in percent.

    ``window``: at which window of time, since the shift, this is a look; counted from 0. ``least``: requests that new
    must have had before anything passes.
    """

    confidence: float
    tolerance: float
    window: int = 0
    least: int = LEAST_SAMPLES

    @property
    def doubt(self) -> float:
        """The chance of a false alarm that this look and all others at its window have together."""
        return looks.left_to_window(1 - self.confidence / 100, self.window)

    @property
    def factor(self) -> float:
        return 1 + self.tolerance / 100


@dataclass(frozen=True)
class Finding:
    """What one metric says of one place.

    ``worse``: errors in proportions of tries by which new lies above old; times as a ratio to old's. None where there
    were too few samples. ``new`` and ``old``: the figures compared, in proportions and seconds.
    """

    metric: str
    verdict: Verdict
    worse: Interval | None
    new: float
    old: float
    new_samples: int
    old_samples: int


def judge_places(places: Mapping[str, tuple[Tally, Tally]], whole: str, terms: Terms) -> dict[str, list[Finding]]:
    """``places``: new and old by place; ``whole`` is the one of all requests together.

    Places with too few samples are left to the whole. Half of the doubt is for it, and half for all others together:
    those that had any requests of both, so that their number does not change from look to look.
    """
    others = [place for place, sides in places.items() if place != whole and all(side.tries for side in sides)]
    enough = [place for place in others if all(_enough(side) for side in places[place])]
    doubt = terms.doubt / 2 if others else terms.doubt
    judged = {whole: judge_sides(*places[whole], terms, doubt)}
    each = replace(terms, least=LEAST_SAMPLES)
    return judged | {place: judge_sides(*places[place], each, doubt / len(others)) for place in enough}


def judge_sides(new: Tally, old: Tally, terms: Terms, doubt: float) -> list[Finding]:
    """All metrics of one place, which together give a false alarm with a chance of ``doubt`` at most."""
    return [_errors(new, old, terms, doubt / len(METRICS)), *_times(new, old, terms, doubt / len(METRICS))]


def _enough(tally: Tally) -> bool:
    return min(tally.tries, tally.times.count) >= LEAST_SAMPLES


def _errors(new: Tally, old: Tally, terms: Terms, doubt: float) -> Finding:
    verdict, worse = Verdict.UNKNOWN, None
    if min(new.tries, old.tries) >= LEAST_SAMPLES:
        one_look = looks.tail(looks.deviations(new.tries, old.tries, doubt))
        mine, theirs = (proportion(side.failed, side.tries, one_look) for side in (new, old))
        worse = difference(mine, theirs)
        matters = new.failed >= LEAST_FAILURES and worse.middle >= LEAST_EXCESS
        surely = difference(mine, theirs.times(terms.factor)).low > 0
        verdict = _verdict(new, terms, surely=surely and matters)
    return Finding(ERRORS, verdict, worse, new.errors / 100, old.errors / 100, new.tries, old.tries)


def _times(new: Tally, old: Tally, terms: Terms, doubt: float) -> list[Finding]:
    samples = new.times.count, old.times.count
    if min(samples) < LEAST_SAMPLES:
        return [Finding(metric, Verdict.UNKNOWN, None, 0.0, 0.0, *samples) for metric in (TIMES, P95)]
    mine, theirs = Ranked(new.times.bins()), Ranked(old.times.bins())
    deviations = looks.deviations(*samples, doubt)
    by_metric = {
        TIMES: (50.0, shift_between(mine, theirs, deviations)),
        P95: (_P95_PERCENT, percentile_between(mine, theirs, _P95_PERCENT, looks.tail(deviations))),
    }
    found = []
    for metric, (percent, bins) in by_metric.items():
        figures = new.times.percentile(percent), old.times.percentile(percent)
        worse = Interval(*map(_ratio, bins))
        surely = worse.low > max(terms.factor, 1 + _LEAST_SLOWDOWN_S / max(figures[1], RESOLUTION_S / 2))
        found.append(Finding(metric, _verdict(new, terms, surely=surely), worse, *figures, *samples))
    return found


def _verdict(new: Tally, terms: Terms, *, surely: bool) -> Verdict:
    if surely:
        return Verdict.FAIL
    return Verdict.PASS if new.requests >= terms.least else Verdict.UNKNOWN


def _ratio(bins: float) -> float:
    return 0.0 if bins == -inf else inf if bins == inf else BIN_RATIO**bins
