"""What a worker is told to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import ceil
from typing import Any, Self

ROUNDING_DIGITS = 6


@dataclass(frozen=True)
class Prepared:
    """A request as the bytes that go out, kept as Latin-1 text so that it fits into JSON.

    ``expected`` are the statuses that are no error; None: any under 400.
    """

    label: str
    wire: str
    head: bool = False
    expected: tuple[int, ...] | None = None


class ImpossibleError(Exception):
    """The load can't be made from here: what came of it says nothing about the backend."""


@dataclass(frozen=True)
class Order:
    """Where to send what, how often. It ends after ``seconds``, or after ``count`` requests and ``seconds`` at most.

    Without a ``rate``, ``concurrency`` clients ask one request after another. With one, so many arrive per second, the
    first ``offset`` seconds after the start, on ``concurrency`` connections at most. ``warm_up`` comes before, in
    seconds, and is not counted; ``timeout`` is that of a connection and of a request. ``k6`` is the program that makes
    the load instead.
    """

    host: str
    port: int
    tls: bool
    requests: tuple[Prepared, ...]
    concurrency: int
    seconds: float
    count: int | None
    warm_up: float
    timeout: float
    rate: float | None = None
    offset: float = 0.0
    k6: str | None = None

    @property
    def arrivals(self) -> int:
        """How many requests arrive, where that is told by a rate."""
        if self.rate is None:
            return 0
        # What a float can't tell from a whole number is one.
        within = ceil(round((self.seconds - self.offset) * self.rate, ROUNDING_DIGITS))
        return max(0, within if self.count is None else min(within, self.count))

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        requests = (
            Prepared(r["label"], r["wire"], r["head"], None if r["expected"] is None else tuple(r["expected"]))
            for r in data["requests"]
        )
        return cls(**{**data, "requests": tuple(requests)})
