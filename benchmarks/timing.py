"""Whole processes, timed by turns, so that what else the machine does weighs on each of them alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

Work = Callable[[], object]


@dataclass(frozen=True)
class Series:
    """Seconds of each round, by name; the rounds of all names belong together."""

    seconds: Mapping[str, list[float]]

    def median(self, name: str) -> float:
        return median(self.seconds[name])

    def ratio(self, name: str, reference: str) -> float:
        """The median of the rounds' ratios."""
        return median(a / b for a, b in zip(self.seconds[name], self.seconds[reference], strict=True))

    def beyond(self, name: str, reference: str) -> float:
        """Seconds more than the reference, the median of the rounds'."""
        return median(a - b for a, b in zip(self.seconds[name], self.seconds[reference], strict=True))

    @property
    def rounds(self) -> int:
        return len(next(iter(self.seconds.values())))


def by_turns(works: Mapping[str, Work], seconds: float, least_rounds: int = 3) -> Series:
    """Each once to warm up, then in turns for so long. A work may return the seconds it took itself."""
    for work in works.values():
        work()
    taken: dict[str, list[float]] = {name: [] for name in works}
    end, rounds = time.monotonic() + seconds, 0
    while rounds < least_rounds or time.monotonic() < end:
        for name, work in works.items():
            began = time.perf_counter()
            own = work()
            taken[name].append(own if isinstance(own, float) else time.perf_counter() - began)
        rounds += 1
    return Series(taken)
