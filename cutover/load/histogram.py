"""Times counted in buckets of a fixed relative width: constant memory, and several of them add up."""

from __future__ import annotations

from collections.abc import Mapping
from math import log
from typing import Self

LEAST_S = 1e-6
GROWTH = 1.01
"""A bucket ends one percent above where it begins; what it returns is off by half of that at most."""
BUCKETS = 2100
"""Up to about 1,200 seconds; what is longer counts in the last bucket."""

_PER_LOG = 1 / log(GROWTH)
_SHIFT = log(LEAST_S)


class Histogram:
    """Counts times in seconds. ``max`` and ``total`` are exact."""

    __slots__ = ("counts", "max", "requests", "total")

    def __init__(self) -> None:
        self.counts = [0] * BUCKETS
        self.requests = 0
        self.total = 0.0
        self.max = 0.0

    def add(self, seconds: float) -> None:
        self.counts[_bucket(seconds)] += 1
        self.requests += 1
        self.total += seconds
        self.max = max(self.max, seconds)

    @classmethod
    def of(cls, counts: Mapping[float, int]) -> Self:
        """So many of each time."""
        histogram = cls()
        for seconds, requests in counts.items():
            if requests:
                histogram.add(seconds)
                histogram.counts[_bucket(seconds)] += requests - 1
                histogram.requests += requests - 1
                histogram.total += seconds * (requests - 1)
        return histogram

    def merge(self, other: Histogram) -> None:
        self.counts = [a + b for a, b in zip(self.counts, other.counts, strict=True)]
        self.requests += other.requests
        self.total += other.total
        self.max = max(self.max, other.max)

    def percentile(self, percent: float) -> float:
        """The time, in seconds, that this percentage did not exceed (nearest rank); 0.0 where nothing was counted."""
        rank = max(1, -int(-self.requests * percent // 100))
        seen = 0
        for bucket, count in enumerate(self.counts):
            seen += count
            if count and seen >= rank:
                return float(min(LEAST_S * GROWTH ** (bucket + 0.5), self.max))
        return 0.0

    @property
    def mean(self) -> float:
        return self.total / self.requests if self.requests else 0.0

    def to_json(self) -> dict[str, object]:
        counts = {str(bucket): count for bucket, count in enumerate(self.counts) if count}
        return {"counts": counts, "total": self.total, "max": self.max}

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> Self:
        """What ``to_json`` gave; raises ``TypeError`` on anything else."""
        histogram, counts, total, highest = cls(), data["counts"], data["total"], data["max"]
        if not isinstance(counts, dict) or not isinstance(total, float) or not isinstance(highest, float):
            raise TypeError("not a histogram")
        for bucket, count in counts.items():
            histogram.counts[int(bucket)] = count
            histogram.requests += count
        histogram.total, histogram.max = total, highest
        return histogram


def _bucket(seconds: float) -> int:
    bucket = int((log(seconds) - _SHIFT) * _PER_LOG) if seconds > LEAST_S else 0
    return min(bucket, BUCKETS - 1)
