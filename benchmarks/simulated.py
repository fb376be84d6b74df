"""Traffic that never was: times and errors drawn at random, in the form in which the proxy's log is counted.

What is drawn are counts by bin, not single requests, so that a million requests take no longer than a thousand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cutover.traffic.seen import Tally
from cutover.traffic.times import BIN_RATIO, RESOLUTION_S

SAMPLES = 400_000
"""A distribution is what so many draws from it say."""

Rng = np.random.Generator
Seconds = NDArray[np.float64]


def heavy_tail(rng: Rng, size: int) -> Seconds:
    """Lognormal around 80 ms; 2 % take many times as long, up to minutes."""
    seconds = rng.lognormal(np.log(0.080), 0.8, size)
    return np.where(rng.random(size) < 0.02, seconds * (1 + rng.pareto(1.5, size)), seconds)


def two_humps(rng: Rng, size: int) -> Seconds:
    """Seven of ten come from a cache, in 8 ms; the others take 250 ms."""
    cached = rng.lognormal(np.log(0.008), 0.25, size)
    return np.where(rng.random(size) < 0.7, cached, rng.lognormal(np.log(0.250), 0.35, size))


def one_in_twenty(rng: Rng, size: int) -> Seconds:
    """One in twenty takes 2 s instead of 30 ms: p95 lies in the gap between the two."""
    quick = rng.lognormal(np.log(0.030), 0.3, size)
    return np.where(rng.random(size) < 0.95, quick, rng.lognormal(np.log(2.0), 0.3, size))


def few_milliseconds(rng: Rng, size: int) -> Seconds:
    """Around 3 ms, which the log tells in whole milliseconds."""
    return np.floor(1000 * rng.lognormal(np.log(0.003), 0.5, size)) / 1000


Shape = Callable[[Rng, int], Seconds]
SHAPES: dict[str, Shape] = {
    "lognormal, heavy tail": heavy_tail,
    "two humps": two_humps,
    "one in twenty 2 s": one_in_twenty,
    "whole milliseconds": few_milliseconds,
}


@dataclass(frozen=True)
class Backend:
    """``errors``: the chance of one. ``slower``: factor on the times of a ``part`` of the requests."""

    shape: Shape
    errors: float = 0.005
    slower: float = 1.0
    part: float = 1.0

    @cached_property
    def bins(self) -> tuple[Seconds, Seconds]:
        """The time of each bin, and the chance to fall into it."""
        rng = np.random.default_rng(20)
        seconds = self.shape(rng, SAMPLES)
        seconds = np.where(rng.random(SAMPLES) < self.part, seconds * self.slower, seconds)
        seconds = np.maximum(np.round(seconds, 3), RESOLUTION_S / 2)
        numbers, counts = np.unique(np.ceil(np.log(seconds) / np.log(BIN_RATIO)), return_counts=True)
        return BIN_RATIO**numbers * 2 / (1 + BIN_RATIO), counts / SAMPLES

    def answer(self, rng: Rng, requests: int) -> Tally:
        """What so many requests are counted as."""
        failed = int(rng.binomial(requests, self.errors))
        tally = Tally(requests=requests, tries=requests, failed=failed, drawn=requests)
        seconds, chances = self.bins
        counts = rng.multinomial(requests, chances)
        hit = np.flatnonzero(counts)
        tally.times.add_all(dict(zip(seconds[hit].tolist(), counts[hit].tolist(), strict=True)))
        return tally


@dataclass(frozen=True)
class Traffic:
    """``weight``: percent of the requests that new gets."""

    new: Backend
    old: Backend
    weight: int

    def serve(self, rng: Rng, requests: int) -> tuple[Tally, Tally]:
        """Of new and of old."""
        mine = int(rng.binomial(requests, self.weight / 100))
        return self.new.answer(rng, mine), self.old.answer(rng, requests - mine)

    def grow(self, rng: Rng, looks: list[int]) -> Iterator[tuple[Tally, Tally]]:
        """All that was counted until each look; ``looks`` are numbers of requests, rising."""
        new, old, before = Tally(), Tally(), 0
        for requests in looks:
            for whole, more in zip((new, old), self.serve(rng, requests - before), strict=True):
                whole.merge(more)
            before = requests
            yield new, old
