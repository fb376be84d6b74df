"""What a journal keeps: an append-only history of events, and one lock per plan.

The journal knows events as a kind and JSON data; what they mean is the engine's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

StateT = TypeVar("StateT")


@dataclass(frozen=True)
class Recorded:
    """One event as it stands in the journal. ``at`` is seconds since 1970, UTC; ``seq`` grows by one per event."""

    seq: int
    run: str
    at: float
    kind: str
    data: Mapping[str, Any]


@dataclass(frozen=True)
class Holder:
    """Who holds a plan's lock. ``since`` and ``refreshed`` are seconds since 1970; ``started`` is the process's start,
    in seconds since the machine's. ``machine`` is where ``pid`` means something; ``folder`` is where it was started.
    """

    pid: int
    started: float
    host: str
    user: str
    command: str
    since: float
    refreshed: float
    epoch: int
    machine: str = ""
    folder: str = ""


class Journal(Protocol):
    """Durable before ``append`` returns. Raises ``CutoverError`` with what to do when the store cannot be used."""

    def append(
        self,
        plan: str,
        run: str,
        kind: str,
        data: Mapping[str, Any],
        *,
        epoch: int | None = None,
        exact: frozenset[str] = frozenset(),
    ) -> Recorded:
        """Redact, write and fsync one event. With ``epoch``, raise ``LockedError`` if the plan's lock has moved on.

        What stands under the keys in ``exact``, at any depth, is not redacted: it is put back byte for byte one day.
        """
        ...

    def events(self, plan: str, run: str | None = None, after: int = 0) -> Iterator[Recorded]:
        """The events of a plan, or of one run, in order, with ``seq`` over ``after``."""
        ...

    def runs(self, plan: str) -> list[str]:
        """The runs of a plan, oldest first."""
        ...

    def fold(
        self,
        plan: str,
        run: str,
        initial: StateT,
        step: Callable[[StateT, Recorded], StateT],
        *,
        version: str,
        dump: Callable[[StateT], Mapping[str, Any]],
        load: Callable[[Mapping[str, Any]], StateT],
    ) -> StateT:
        """The state of a run. Starts from a snapshot of this ``version`` of the fold where there is one, and leaves
        one behind when it had far to go; without snapshots the answer is the same.
        """
        ...

    def holder(self, plan: str) -> Holder | None:
        """Who holds the lock, alive or not."""
        ...
