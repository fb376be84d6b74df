"""What a proportion of few tries says of all."""

from __future__ import annotations

from math import sqrt

from cutover.traffic.chance import at_least
from cutover.traffic.intervals import Interval

_STEPS = 60
_CLOSE = 1e-5
_WIDER = 1.5


def proportion(failed: int, tries: int, doubt: float) -> Interval:
    """The limits of Clopper and Pearson: each is wrong with a chance of ``doubt`` at most, for any true proportion."""
    low = 0.0 if failed == 0 else _lowest(failed, tries, doubt)
    high = 1.0 if failed == tries else 1.0 - _lowest(tries - failed, tries, doubt)
    return Interval(low, failed / tries, high)


def _lowest(failed: int, tries: int, doubt: float) -> float:
    """The proportion at which ``failed`` or more of ``tries`` have a chance of ``doubt``."""
    high = failed / tries
    spread = sqrt(failed) / tries
    low = high - spread
    while low > 0 and at_least(failed, tries, low) > doubt:
        low, high = low - spread, low
        spread *= _WIDER
    low = max(0.0, low)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if high - low <= _CLOSE * high:
            return low
        if at_least(failed, tries, middle) > doubt:
            high = middle
        else:
            low = middle
    return low
