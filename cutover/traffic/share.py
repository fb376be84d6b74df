"""The split as it is: new's share of the requests whose side was drawn."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

from cutover.plan.thresholds import Threshold, Verdict
from cutover.traffic.seen import Seen
from cutover.traffic.tries import NEW, OLD

DEVIATIONS = 3.3
"""Standard deviations that chance is allowed: it goes beyond in one of a thousand looks."""

SLACK_POINTS = 1.0
"""By client, requests that were under way during the shift still count for the side they had been sent to."""


@dataclass(frozen=True)
class Share:
    """``percent`` of new. ``draws``: how many independent draws of a side it rests on."""

    percent: float
    draws: float

    def tolerance(self, limit: float) -> float:
        """Percentage points by which chance may move the share from ``limit`` percent."""
        p = min(max(limit / 100, 0.0), 1.0)
        return SLACK_POINTS + 100 * DEVIATIONS * sqrt(p * (1 - p) / self.draws)

    def judge(self, threshold: Threshold, weight: int) -> Verdict:
        limit = float(weight) if threshold.relative == "weight" else threshold.value
        above = self.percent - limit
        tolerance = self.tolerance(limit)
        too_high = threshold.op in {"<=", "<", "=="} and above > tolerance
        too_low = threshold.op in {">=", ">", "=="} and -above > tolerance
        return Verdict.FAIL if too_high or too_low else Verdict.PASS


def share_of(seen: Seen) -> Share | None:
    """None where no request was drawn.

    By client a side is drawn once for each bucket of clients, not for each request: many requests of few clients say
    little, and buckets of uneven size less than even ones (Kish's effective sample size).
    """
    new, old = seen.total(NEW).drawn, seen.total(OLD).drawn
    if not new + old:
        return None
    draws = float(new + old)
    if seen.buckets:
        draws = min(draws, seen.buckets.total() ** 2 / sum(count**2 for count in seen.buckets.values()))
    return Share(100 * new / (new + old), draws)
