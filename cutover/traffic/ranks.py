"""Times of two sides by their ranks, from the bins of sketches: no assumption on how they are distributed.

Bins are logarithmic, so that a shift by so many bins is a ratio of times.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import accumulate
from math import floor, inf, sqrt

from cutover.traffic.chance import at_least
from cutover.traffic.intervals import Interval, difference

_EVEN = 1e-9


class Ranked:
    """Counts by bin, of one sample at least."""

    def __init__(self, counts: Mapping[int, int]) -> None:
        self.bins = sorted((place, count) for place, count in counts.items() if count)
        self.low, self.high = self.bins[0][0], self.bins[-1][0]
        self.counts = [0] * (self.high - self.low + 1)
        for place, count in self.bins:
            self.counts[place - self.low] = count
        self.below = [0, *accumulate(self.counts)]
        self.count = self.below[-1]
        self.cubes = sum(count**3 for _, count in self.bins)

    def at_rank(self, rank: int) -> int:
        """The bin of a sample, counted from the smallest, which is 0."""
        reached = 0
        for place, count in self.bins:
            reached += count
            if rank < reached:
                return place
        return self.high


def mann_whitney(new: Ranked, old: Ranked, shift: int = 0) -> float:
    """How many standard deviations new's ranks lie above old's, after new was moved down by ``shift`` bins.

    The U statistic with average ranks for ties and the variance corrected for them, without correction for continuity.
    """
    half_wins, cubes = 0, old.cubes
    low, high, counts, below = old.low + shift, old.high + shift, old.counts, old.below
    for place, mine in new.bins:
        if place < low:
            cubes += mine**3
        elif place > high:
            half_wins += 2 * mine * old.count
            cubes += mine**3
        else:
            theirs = counts[place - low]
            half_wins += mine * (2 * below[place - low] + theirs)
            cubes += (mine + theirs) ** 3 - theirs**3
    both = new.count * old.count
    total = new.count + old.count
    variance = both / 12 * (total + 1 - (cubes - total) / (total * (total - 1)))
    return (half_wins - both) / 2 / sqrt(variance) if variance > 0 else 0.0


def shift_between(new: Ranked, old: Ranked, deviations: float) -> Interval:
    """By how many bins new lies above old: the estimate of Hodges and Lehmann, and the shifts that ranks don't refute.

    ``deviations``: how far a shift may be from what the ranks say, in standard deviations.
    """
    lowest, highest = new.low - old.high - 1, new.high - old.low + 1
    known: dict[int, float] = {}

    def above(shift: int) -> float:
        if shift not in known:
            known[shift] = mann_whitney(new, old, shift)
        return known[shift]

    # Between the two middle ones of an even number of differences, neither side is above.
    first, last = _crossing(above, _EVEN, lowest, highest), _crossing(above, -_EVEN, lowest, highest)
    middle = (first + last) / 2
    return Interval(
        _crossing(above, deviations, lowest, floor(middle) + 1) if above(lowest) > deviations else -inf,
        middle,
        _crossing(above, -deviations, floor(middle), highest) if above(highest) < -deviations else inf,
    )


def percentile(times: Ranked, percent: float, doubt: float) -> Interval:
    """The bin of a percentile. Each limit is a sample that lies beyond it with a chance of ``doubt`` at most.

    Infinite where there are too few samples for such a one.
    """
    q, n = percent / 100, times.count
    # Of n samples so many lie above the percentile as a binomial distribution says, whatever the times are.
    most_above = _first(lambda above: at_least(above, n, 1 - q) <= doubt, floor(n * (1 - q)) + 1, n + 1)
    most_below = _first(lambda below: at_least(below, n, q) <= doubt, floor(n * q) + 1, n + 1)
    return Interval(
        float(times.at_rank(n - most_above)) if most_above <= n else -inf,
        float(times.at_rank(int(q * (n - 1)))),
        float(times.at_rank(most_below - 1)) if most_below <= n else inf,
    )


def percentile_between(new: Ranked, old: Ranked, percent: float, doubt: float) -> Interval:
    """By how many bins new's percentile lies above old's."""
    return difference(percentile(new, percent, doubt), percentile(old, percent, doubt))


def _crossing(above: Callable[[int], float], level: float, low: int, high: int) -> float:
    """Where a function that falls reaches ``level``, which lies between what it is at ``low`` and at ``high``."""
    before, after = above(low), above(high)
    halving = False
    while high - low > 1:
        # By a straight line, which is nearly right, and by halves in turn, which is never wrong by much.
        part = 0.5 if halving else (before - level) / (before - after)
        middle = min(max(low + round(part * (high - low)), low + 1), high - 1)
        if above(middle) > level:
            low, before = middle, above(middle)
        else:
            high, after = middle, above(middle)
        halving = not halving
    return low + (before - level) / (before - after) if before > after else float(low)


def _first(true: Callable[[int], bool], low: int, high: int) -> int:
    """The first number of a range from which on something is true; ``high`` where it never is before."""
    while low < high:
        middle = (low + high) // 2
        if true(middle):
            high = middle
        else:
            low = middle + 1
    return low
