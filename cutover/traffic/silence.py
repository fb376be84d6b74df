"""A new that hangs: the log has no line of a request before nginx's time-out is over, or its client's patience.

Where old goes on answering, or clients give up, that is a failure. Where nobody is heard any more, nobody knows; but
what was well before says nothing of now, and does not pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import comb

from cutover.plan.units import format_duration
from cutover.traffic.seen import Seen
from cutover.traffic.tries import NEW, OLD

EVERYWHERE = ""
"""The place of all routes together that are split."""

LEAST_S = 10.0
TIMES_OLD = 2.0
"""Where answers take long, so long is waited for new's: this many times old's p99."""

CHANCE = 1e-9
"""How rarely a split leaves out a new that answers, for so many requests: it is looked for at every look of a run."""

LEAST_GIVEN_UP = 8
LEAST_WAIT_S = 1.0
"""So many clients gave up on new, and half of them after so long at least: then it was not for their impatience."""

MISSED = 20.0
"""So many answers of new are missing, by how many there were, where what it answered before counts no more."""

TIMES_LONGEST = 2.0
"""And so many times as long as the longest pause that there was before: traffic may come in bursts."""

BUCKETS = 100
_EVERYBODY = 100


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
    """``since_answer``: by place, what was seen since new's last answer there; its ``seconds`` begin when old answered,
    or a client gave up on new, for the first time since.
    """

    since_answer: Mapping[str, Seen] = field(default_factory=dict)
    pace: Pace = Pace()


@dataclass(frozen=True)
class Silence:
    """New answered nothing for so many ``seconds``, on a route or ``EVERYWHERE``.

    ``old``: requests that were split and that old answered meanwhile; ``given_up``: those to new that clients ended.
    """

    place: str
    seconds: float
    old: int
    given_up: int

    def __str__(self) -> str:
        beside = [f"old answered {_count(self.old, 'request')}"] if self.old else []
        beside += [f"clients gave up on {_count(self.given_up, 'request')} of new's"] if self.given_up else []
        where = f" on {self.place}" if self.place else ""
        return f"new answered nothing{where} for {format_duration(round(self.seconds))}, while {' and '.join(beside)}"


def silences(seen: Seen, heard: Heard, weight: int) -> list[Silence]:
    """On all routes together, or else each route that has one.

    None where new answers, and where chance, a slow service or a lack of requests may explain that it does not.
    Where old answers nothing either, that is no fault of new.
    """
    if not weight or seen.behind:
        return []
    found = [
        silence
        for place, since in heard.since_answer.items()
        if (silence := _silence(place, seen, since, weight)) is not None
    ]
    return [one for one in found if one.place == EVERYWHERE] or found


def stale(pace: Pace) -> str | None:
    """Why what new answered before says nothing of now; None where it does."""
    quiet = pace.quiet >= max(LEAST_S, TIMES_LONGEST * pace.longest)
    if not quiet or pace.answers * pace.quiet < MISSED * pace.seconds:
        return None
    before = format_duration(max(1, round(pace.seconds - pace.quiet)))
    answers = _count(pace.answers, "request")
    return f"new answered nothing for {format_duration(round(pace.quiet))}, and {answers} in the {before} before"


def _silence(place: str, seen: Seen, since: Seen, weight: int) -> Silence | None:
    holds = (since.split_routes | seen.split_routes if place == EVERYWHERE else {place}).__contains__
    times = seen.total(OLD, holds).times
    usual = TIMES_OLD * times.percentile(99) if times.count else 0.0
    if since.seconds < max(LEAST_S, usual):
        return None
    old, new = since.total(OLD, holds), since.total(NEW, holds)
    if not old.answered and weight != _EVERYBODY:
        return None
    waited = new.times.percentile(50) if new.times.count else 0.0
    in_vain = new.gave_up >= LEAST_GIVEN_UP and waited >= max(LEAST_WAIT_S, usual)
    # Which clients asked for one of several routes is not counted.
    by_chance = 1.0 if since.buckets and place != EVERYWHERE else _chance(since, old.answered, weight)
    return Silence(place, since.seconds, old.answered, new.gave_up) if in_vain or by_chance <= CHANCE else None


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


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
