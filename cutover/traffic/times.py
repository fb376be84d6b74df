"""Times in a sketch: memory does not grow with their number, and several sketches add up."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from operator import mul
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ddsketch import DDSketch

ACCURACY = 0.005
"""A percentile is off by half a percent of itself at most."""

BIN_RATIO = (1 + ACCURACY) / (1 - ACCURACY)
"""Between the times of two neighbouring bins."""

RESOLUTION_S = 0.001
"""The proxy's log tells times to a millisecond."""


class Times:
    """Counts times in seconds. ``count``, ``total`` and ``max`` are exact."""

    __slots__ = ("_sketch", "count", "max", "total")

    def __init__(self) -> None:
        self.count = 0
        self.total = 0.0
        self.max = 0.0
        self._sketch: DDSketch | None = None

    def add(self, seconds: float, count: int = 1) -> None:
        self.count += count
        self.total += seconds * count
        self.max = max(self.max, seconds)
        self._made().add(seconds, count)

    def add_all(self, counted: Mapping[float, int]) -> None:
        """Seconds, and how often: what ``add`` of each does, three times as quick."""
        if not counted:
            return
        sketch = self._made()
        store, zero = sketch._store, sketch._zero_count  # noqa: SLF001 - the sketch has no way to add many
        for seconds, count in counted.items():
            if seconds > 0:
                store.add(_bin(seconds), count)
            else:
                zero += count
        added, total = sum(counted.values()), sum(map(mul, counted, counted.values()))
        sketch._zero_count = zero  # noqa: SLF001 - likewise, to the end
        sketch._count += added  # noqa: SLF001
        sketch._sum += total  # noqa: SLF001
        sketch._min = min(sketch._min, *counted)  # noqa: SLF001
        sketch._max = max(sketch._max, *counted)  # noqa: SLF001
        self.count += added
        self.total += total
        self.max = max(self.max, *counted)

    def merge(self, other: Times) -> None:
        if other._sketch is None:
            return
        self.count += other.count
        self.total += other.total
        self.max = max(self.max, other.max)
        self._made().merge(other._sketch)

    def percentile(self, percent: float) -> float:
        """The time, in seconds, that this percentage did not exceed; 0.0 where nothing was counted."""
        value = self._sketch.get_quantile_value(percent / 100) if self._sketch is not None else None
        return min(float(value or 0.0), self.max)

    def bins(self) -> dict[int, int]:
        """How many times fell into each bin. Those of 0 are taken for half of what the log can tell apart."""
        if self._sketch is None:
            return {}
        store = self._sketch._store  # noqa: SLF001 - the sketch has no other way to its counts
        found = {index + store.offset: int(count) for index, count in enumerate(store.bins) if count}
        if self._sketch._zero_count:  # noqa: SLF001 - likewise
            zero = self._sketch._mapping.key(RESOLUTION_S / 2)  # noqa: SLF001 - likewise
            found[zero] = found.get(zero, 0) + int(self._sketch._zero_count)  # noqa: SLF001 - likewise
        return found

    @property
    def mean(self) -> float:
        return self.total / self.count if self.count else 0.0

    def _made(self) -> DDSketch:
        if self._sketch is None:
            from ddsketch import DDSketch  # noqa: PLC0415 - start-up time

            self._sketch = DDSketch(ACCURACY)
        return self._sketch


@lru_cache(maxsize=16 * 1024)
def _bin(seconds: float) -> int:
    from ddsketch import DDSketch  # noqa: PLC0415 - start-up time

    key: int = DDSketch(ACCURACY)._mapping.key(seconds)  # noqa: SLF001 - as for ``add_all``
    return key
