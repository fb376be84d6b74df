"""How sure one look must be, so that all looks together keep the promised confidence.

A gate looks again and again at data that grow. Each look at 98 % would be wrong once in fifty, and a hold of a hundred
looks nearly always some time. So what a single look asks for follows the boundary that a random walk crosses with a
given chance at any time at all (Robbins' normal mixture: Annals of Mathematical Statistics 41, 1970): it depends on the
number of samples alone, and neither on how often nor for how long a gate looks.
"""

from __future__ import annotations

from math import erfc, log, log1p, sqrt

TIGHTEST_SAMPLES = 200
"""Where the boundary lies closest to that of a single look; elsewhere it is a little wider, on both sides of it."""

# With this many times its own scale of samples the boundary is the tightest, for usual chances.
_MIXTURE = 10.0


def deviations(new: int, old: int, doubt: float) -> float:
    """Standard deviations beyond which so many samples lie with a chance of ``doubt`` at any look, on either side."""
    effective = new * old / (new + old)
    scale = _MIXTURE * effective / TIGHTEST_SAMPLES
    return sqrt((1 + 1 / scale) * (log1p(scale) - 2 * log(doubt)))


def tail(deviations: float) -> float:
    """The chance of a normal distribution beyond them, on one side."""
    return erfc(deviations / sqrt(2)) / 2


def left_to_window(doubt: float, number: int) -> float:
    """What of a ``doubt`` the looks at the ``number``-th window of time may use, counted from 0: all add up to it."""
    return doubt / ((number + 1) * (number + 2))
