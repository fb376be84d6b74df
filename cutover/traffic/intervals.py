"""Where a figure lies with a given certainty, and how two such figures differ."""

from __future__ import annotations

from math import hypot, inf
from typing import NamedTuple


class Interval(NamedTuple):
    """``low`` and ``high`` may be infinite: nothing is known of that side then."""

    low: float
    middle: float
    high: float

    def times(self, factor: float) -> Interval:
        return Interval(self.low * factor, self.middle * factor, self.high * factor)


def difference(one: Interval, other: Interval) -> Interval:
    """``one - other`` with the certainty of the two.

    From their own limits, each side for itself, however lopsided they are: MOVER (Zou and Donner, Statistics in
    Medicine 27, 2008); with Wilson's limits of two proportions it is Newcombe's method.
    """
    middle = one.middle - other.middle
    return Interval(
        middle - _combined(one.middle - one.low, other.high - other.middle),
        middle,
        middle + _combined(one.high - one.middle, other.middle - other.low),
    )


def _combined(mine: float, theirs: float) -> float:
    return inf if inf in {mine, theirs} else hypot(mine, theirs)
