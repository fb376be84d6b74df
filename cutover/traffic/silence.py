"""A new that hangs: the log has no line of a request before nginx's time-out is over, or its client's patience.

Where old goes on answering, or clients give up, that is a failure. Where nobody is heard any more, nobody knows; but
what was well before says nothing of now, and does not pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from math import comb

from cutover.plan.units import format_count, format_duration
from cutover.traffic.seen import Seen
from cutover.traffic.tries import NEW, OLD

EVERYWHERE = ""
"""The place of all routes together that are split."""

LEAST_S = 10.0
GRACE_S = 5.0
"""What old answered later than so long ago, new may be about to answer as well."""

TIMES_USUAL = 2.0
"""Where answers take long, so long is waited for new's: this many times what is usual."""

CHANCE = 1e-9
"""How rarely a side that is drawn at random leaves out a new that answers. Where nginx takes turns it never does."""

LEAST_IN_VAIN = 8
LEAST_WAIT_S = 1.0
"""So many clients gave up on new, and half of them after so long at least: then it was not for their impatience."""

MISSED = 20.0
"""So many answers of new are missing, by how many there were, where what it answered before counts no more."""

TIMES_LONGEST = 2.0
"""And so many times as long as the longest pause that there was before: traffic may come in bursts."""

BUCKETS = 100
_EVERYBODY = 100


@dataclass(frozen=True)
class Stretch:
    """From new's last answer up to now, or from the shift; on a route, or on all that are split.

    ``seconds``: since old answered, or a client gave up on new, for the first time in it. ``old``: what old answered;
    ``before``: of it, and by client in which ``buckets``, what it answered so long ago that new had the time as well.
    ``in_vain``: requests to new that clients ended, after ``waited`` seconds at the median. ``usual``: how long an
    answer takes there that takes long.
    """

    seconds: float = 0.0
    old: int = 0
    before: int = 0
    buckets: AbstractSet[str] = frozenset()
    in_vain: int = 0
    waited: float = 0.0
    usual: float = 0.0

    @property
    def patience(self) -> float:
        return TIMES_USUAL * self.usual


@dataclass(frozen=True)
class Pace:
    """New's answers on routes that are split: how many within the window, whose first is so many ``seconds`` ago; for
    how long there was none up to now, and the ``longest`` pause between two since the shift.
    """

    answers: int = 0
    seconds: float = 0.0
    longest: float = 0.0
    quiet: float = 0.0


@dataclass(frozen=True)
class Heard:
    """``stretches`` by place."""

    stretches: Mapping[str, Stretch] = field(default_factory=dict)
    pace: Pace = Pace()


@dataclass(frozen=True)
class Silence:
    """New answered nothing for so many ``seconds``, on a route or ``EVERYWHERE``; see ``Stretch``."""

    place: str
    seconds: float
    old: int
    in_vain: int

    def __str__(self) -> str:
        beside = [f"old answered {format_count(self.old, 'request')}"] if self.old else []
        beside += [f"clients gave up on {format_count(self.in_vain, 'request')} of new's"] if self.in_vain else []
        where = f" on {self.place}" if self.place else ""
        return f"new answered nothing{where} for {format_duration(round(self.seconds))}, while {' and '.join(beside)}"


def usual_time(seen: Seen, weight: int, route: str | None = None) -> float:
    """What is slow for old, on a route or on all that are split, in seconds.

    Where old is asked no more, what is usual for new, of which those requests that hang are some.
    """
    name, percent = (NEW, 50.0) if weight == _EVERYBODY else (OLD, 99.0)
    split = seen.split_routes.__contains__
    tally = seen.total(name, split) if route is None else seen.tallies.get((route, name))
    return tally.times.percentile(percent) if tally is not None and tally.times.count else 0.0


def silences(seen: Seen, heard: Heard, weight: int) -> list[Silence]:
    """On all routes together, or else each route that has one.

    None where new answers, and where chance, a slow service or a lack of requests may explain that it does not.
    Where old answers nothing either, that is no fault of new.
    """
    if not weight or seen.behind:
        return []
    found = []
    for place, stretch in heard.stretches.items():
        if _gave_up(place, stretch, weight):
            # The first to give up had waited before.
            found.append(Silence(place, stretch.seconds + stretch.waited, stretch.old, stretch.in_vain))
        elif _left_out(place, stretch, weight):
            found.append(Silence(place, stretch.seconds, stretch.old, stretch.in_vain))
    return [one for one in found if one.place == EVERYWHERE] or found


def stale(seen: Seen, pace: Pace, weight: int) -> str | None:
    """Why what new answered before says nothing of now; None where it does."""
    if not weight or seen.behind or pace.quiet < max(LEAST_S, TIMES_LONGEST * pace.longest):
        return None
    if pace.answers * pace.quiet < MISSED * pace.seconds:
        return None
    before = format_duration(max(1, round(pace.seconds - pace.quiet)))
    answers = format_count(pace.answers, "request")
    return f"new answered nothing for {format_duration(round(pace.quiet))}, and {answers} in the {before} before"


def _gave_up(place: str, stretch: Stretch, weight: int) -> bool:
    """Of one route alone nobody knows, where old is asked no more, how long its answers take."""
    compared = stretch.old > 0 if weight != _EVERYBODY else place == EVERYWHERE
    waited = stretch.waited >= max(LEAST_WAIT_S, stretch.patience)
    long_enough = stretch.seconds + stretch.waited >= max(LEAST_S, stretch.patience)
    return compared and stretch.in_vain >= LEAST_IN_VAIN and waited and long_enough


def _left_out(place: str, stretch: Stretch, weight: int) -> bool:
    """Old had so many requests that new would have had some.

    That is true of all routes together: nginx takes turns, and may do so in step with who asks for two routes in turn.
    By client a side is drawn once for each bucket of clients; those below the weight are new's.
    """
    if weight == _EVERYBODY or place != EVERYWHERE or stretch.seconds < max(LEAST_S, stretch.patience):
        return False
    if not stretch.buckets:
        return (1 - weight / 100) ** stretch.before <= CHANCE
    buckets = min(stretch.before, sum(1 for bucket in stretch.buckets if bucket.isdecimal() and int(bucket) >= weight))
    return comb(BUCKETS - weight, buckets) / comb(BUCKETS, buckets) <= CHANCE
