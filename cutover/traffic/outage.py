"""New fails right now: what was well before must not hide it until it weighs less than the limit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cutover.traffic.chance import beyond_chance
from cutover.traffic.seen import Tries
from cutover.traffic.tries import NEW, OLD

MOST_FAIL_PERCENT = 50.0
"""A new of which more tries fail than succeed is down, whatever the average of a longer time says."""


@dataclass(frozen=True)
class Moment:
    """Tries of new and of old in a short time, and how many of them failed."""

    failed: int = 0
    tries: int = 0
    old_failed: int = 0
    old_tries: int = 0

    def plus(self, other: Moment) -> Moment:
        return Moment(
            self.failed + other.failed,
            self.tries + other.tries,
            self.old_failed + other.old_failed,
            self.old_tries + other.old_tries,
        )

    def old_errors(self, otherwise: float | None) -> float | None:
        """In percent of old's tries; ``otherwise`` where it had none."""
        return 100 * self.old_failed / self.old_tries if self.old_tries else otherwise


def moment_of(tries: Tries, belongs: Callable[[str], bool] | None) -> Moment:
    """On all routes, or on those that ``belongs`` says."""
    moment = Moment()
    for (route, backend), (failed, tried) in tries.items():
        if belongs is not None and not belongs(route):
            continue
        if backend == NEW:
            moment = moment.plus(Moment(failed, tried))
        elif backend == OLD:
            moment = moment.plus(Moment(old_failed=failed, old_tries=tried))
    return moment


def outage(newest: Sequence[Moment], limit: Callable[[Moment], float | None]) -> Moment | None:
    """The shortest time up to now in which surely more of new's tries failed than succeeded; None where there is none.

    ``newest``: the newest moment first. ``limit``: the percentage of errors that the plan allows, given what old had in
    the same time; None where there is none. What it allows is no outage, however much that is.
    """
    until_now = Moment()
    for moment in newest:
        until_now = until_now.plus(moment)
        allowed = limit(until_now)
        if allowed is None:
            continue
        percent = max(allowed, MOST_FAIL_PERCENT)
        if percent < 100 and beyond_chance(until_now.failed, until_now.tries, percent):  # noqa: PLR2004 - percent
            return until_now
    return None
