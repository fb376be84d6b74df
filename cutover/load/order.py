"""What a worker is told to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self


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

    ``warm_up`` comes before, in seconds, and is not counted; ``timeout`` is that of a connection and of a request.
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

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        requests = (
            Prepared(r["label"], r["wire"], r["head"], None if r["expected"] is None else tuple(r["expected"]))
            for r in data["requests"]
        )
        return cls(**{**data, "requests": tuple(requests)})
