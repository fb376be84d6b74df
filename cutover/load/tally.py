"""What the clients saw, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from cutover.load.histogram import Histogram

# Kinds of errors that are this machine's and not the backend's: no more ports, no more descriptors.
LOCAL = "local"
# Nobody took the connection, or it broke without an answer.
UNANSWERED = frozenset({"refused", "reset", "closed"})
HISTOGRAMS = ("latency", "surely", "lag", "late")


@dataclass
class Tally:
    """Counts of one or more workers. Times in seconds.

    ``latency`` holds, for each answer that is no error and each time-out, the time from sending to the moment the
    worker learned of the answer's last byte; ``surely`` holds the part of it that the worker can't have caused by
    being busy elsewhere. With a rate it is the time from the intended arrival, and ``late`` holds how much later the
    worker got to each of them; ``missed`` are those that it never got to, and ``queued`` those that waited because all
    connections were in use, as many as it may have. ``errors`` counts by kind, ``samples`` by
    request and what went wrong. ``received`` is in bytes.
    """

    requests: int = 0
    seconds: float = 0.0
    received: int = 0
    connects: int = 0
    missed: int = 0
    queued: int = 0
    latency: Histogram = field(default_factory=Histogram)
    surely: Histogram = field(default_factory=Histogram)
    lag: Histogram = field(default_factory=Histogram)
    late: Histogram = field(default_factory=Histogram)
    statuses: Counter[int] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    samples: Counter[str] = field(default_factory=Counter)
    busy: float = 0.0
    """The share of the time, 0 to 1, in which the worker was not waiting for anything."""

    @property
    def failed(self) -> int:
        return self.errors.total()

    def merge(self, other: Tally, *, after: bool = False) -> None:
        """Add another tally's counts: of the same stretch of time, or of one ``after`` it."""
        self.busy = max(self.busy, other.busy)
        self.seconds = self.seconds + other.seconds if after else max(self.seconds, other.seconds)
        for name in ("requests", "received", "connects", "missed", "queued"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in HISTOGRAMS:
            getattr(self, name).merge(getattr(other, name))
        for name in ("statuses", "errors", "samples"):
            getattr(self, name).update(getattr(other, name))

    def to_json(self) -> dict[str, Any]:
        return {name: value.to_json() if isinstance(value, Histogram) else value for name, value in vars(self).items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        tally = cls(**data)
        for name in HISTOGRAMS:
            setattr(tally, name, Histogram.from_json(data[name]))
        tally.statuses = Counter({int(status): count for status, count in data["statuses"].items()})
        tally.errors, tally.samples = Counter(data["errors"]), Counter(data["samples"])
        return tally
