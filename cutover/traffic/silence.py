"""A new that hangs: the log has no line of a request before nginx's time-out is over, or its client's patience."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

from cutover.plan.units import format_duration
from cutover.traffic.seen import Seen
from cutover.traffic.tries import NEW, OLD

LEAST_S = 10.0
TIMES_OLD = 2.0
"""Where answers take long, so long is waited for new's: this many times old's p99."""

CHANCE = 1e-9
"""How rarely a split leaves out a new that answers, for so many requests: it is looked for at every look of a run."""

LEAST_GIVEN_UP = 8
LEAST_WAIT_S = 1.0
"""So many clients gave up on new, and half of them after so long at least: then it was not for their impatience."""

BUCKETS = 100
_EVERYBODY = 100


@dataclass(frozen=True)
class Silence:
    """New answered nothing for so many ``seconds``.

    ``old``: requests that were split and that old answered meanwhile; ``given_up``: those to new that clients ended.
    """

    seconds: float
    old: int
    given_up: int

    def __str__(self) -> str:
        beside = [f"old answered {self.old:,} requests"] if self.old else []
        beside += [f"clients gave up on {self.given_up:,} of its requests"] if self.given_up else []
        return f"new answered nothing for {format_duration(round(self.seconds))}, while {' and '.join(beside)}"


def silence_of(seen: Seen, since: Seen, weight: int) -> Silence | None:
    """None where new answers, and where chance, a slow service or a lack of requests may explain that it does not.

    ``since``: all that was seen since new's last answer, or since the shift. What clients gave up on is no answer.
    Where old answers nothing either, that is no fault of new.
    """
    if not weight or seen.behind:
        return None
    times = seen.total(OLD, seen.split_routes.__contains__).times
    usual = TIMES_OLD * times.percentile(99) if times.count else 0.0
    if since.seconds < max(LEAST_S, usual):
        return None
    old, new = since.total(OLD), since.total(NEW)
    answered = max(0, old.drawn - old.gave_up)
    if not answered and weight != _EVERYBODY:
        return None
    waited = new.times.percentile(50) if new.times.count else 0.0
    in_vain = new.gave_up >= LEAST_GIVEN_UP and waited >= max(LEAST_WAIT_S, usual)
    if not in_vain and _chance(since, answered, weight) > CHANCE:
        return None
    return Silence(since.seconds, answered, new.gave_up)


def _chance(since: Seen, answered: int, weight: int) -> float:
    """Of so many answers from old, and none from new, where both answer.

    By client a side is drawn once for each bucket of clients; those below the weight are new's.
    """
    if weight == _EVERYBODY:
        return 1.0
    if not since.buckets:
        return (1 - weight / 100) ** answered
    buckets = min(answered, sum(1 for bucket in since.buckets if bucket.isdecimal() and int(bucket) >= weight))
    return comb(BUCKETS - weight, buckets) / comb(BUCKETS, buckets)
