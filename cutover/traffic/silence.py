"""A new that hangs: the log has no line of a request before nginx's time-out is over, or its client's patience."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

from cutover.plan.units import format_duration
from cutover.traffic.seen import Seen
from cutover.traffic.tries import OLD

LEAST_S = 10.0
TIMES_OLD = 2.0
"""Where answers take long, so long is waited for new's: this many times old's p99."""

CHANCE = 1e-9
"""How rarely a split leaves out a new that answers, for so many requests: it is looked for at every look of a run."""

BUCKETS = 100
_EVERYBODY = 100


@dataclass(frozen=True)
class Silence:
    """New answered nothing for so many ``seconds``, in which old answered ``old`` requests that were split."""

    seconds: float
    old: int

    def __str__(self) -> str:
        return (
            f"new answered nothing for {format_duration(round(self.seconds))}, while old answered {self.old:,} requests"
        )


def silence_of(seen: Seen, since: Seen, weight: int) -> Silence | None:
    """None where new answers, and where chance, a slow service or a lack of requests may explain that it does not.

    ``since``: all that was seen since new's last answer, or since the shift. What clients gave up on is no answer.
    """
    if not 0 < weight < _EVERYBODY or seen.behind:
        return None
    times = seen.total(OLD, seen.split_routes.__contains__).times
    patience = max(LEAST_S, TIMES_OLD * times.percentile(99) if times.count else 0.0)
    if since.seconds < patience:
        return None
    old = since.total(OLD)
    answered = old.drawn - old.gave_up
    if answered <= 0 or _chance(since, answered, weight) > CHANCE:
        return None
    return Silence(since.seconds, answered)


def _chance(since: Seen, answered: int, weight: int) -> float:
    """Of so many answers from old, and none from new, where both answer.

    By client a side is drawn once for each bucket of clients; those below the weight are new's.
    """
    if not since.buckets:
        return (1 - weight / 100) ** answered
    buckets = min(answered, sum(1 for bucket in since.buckets if bucket.isdecimal() and int(bucket) >= weight))
    return comb(BUCKETS - weight, buckets) / comb(BUCKETS, buckets)
