"""Events of the proxy and of where it sends traffic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from cutover.engine.events.base import Event


@dataclass(frozen=True)
class ProxyReady(Event):
    weight: int | None
    revision: str | None
    note: str = ""


@dataclass(frozen=True)
class ShiftIntended(Event):
    """Journalled before the proxy is touched. ``previous`` is the text of the file before."""

    weight: int
    revision: str
    from_weight: int | None
    from_revision: str | None
    mode: str
    path: str
    previous: str | None
    exact: ClassVar[frozenset[str]] = frozenset({"previous"})


@dataclass(frozen=True)
class ShiftVerified(Event):
    weight: int
    revision: str | None
    from_weight: int | None
    timings: Mapping[str, float] = field(default_factory=dict)
    draining: str = ""
    recovered: bool = False
    log: Mapping[str, Any] = field(default_factory=dict)
    """Where the proxy's access log ended then: what follows is traffic at this weight."""


@dataclass(frozen=True)
class ShiftFailed(Event):
    """``weight`` is where traffic is verified to be; None where that could not be verified."""

    intended: int
    weight: int | None
    reason: str


@dataclass(frozen=True)
class LeaseGranted(Event):
    """Journalled before the proxy is touched: traffic goes to new for ``seconds`` after each renewal, no longer."""

    seconds: float


@dataclass(frozen=True)
class LeaseRenewed(Event):
    """``until``: when nginx would return all traffic to old, if this was the last time."""

    until: float
    passing: ClassVar[bool] = True


@dataclass(frozen=True)
class LeaseReleased(Event):
    """Traffic stays at ``weight``, for good."""

    weight: int


@dataclass(frozen=True)
class LeaseLeft(Event):
    """A command ended while traffic is at ``weight`` on a lease: at ``until`` nginx returns it to old."""

    until: float
    weight: int


@dataclass(frozen=True)
class LeaseEnded(Event):
    """Found later: nobody renewed a lease, and at ``until`` nginx returned all traffic from ``weight`` to old.

    ``undone``: the phases that had shifted it.
    """

    until: float
    weight: int
    undone: list[str]


@dataclass(frozen=True)
class DriftFound(Event):
    message: str


@dataclass(frozen=True)
class ProxyLost(Event):
    """It can't be asked in the middle of a hold: it may be starting anew."""

    reason: str


@dataclass(frozen=True)
class ProxyStarting(Event):
    """A managed one has ended, and is about to be started again on the configuration that stands."""


@dataclass(frozen=True)
class ProxyFound(Event):
    """It answers again, unchanged."""

    seconds: float


@dataclass(frozen=True)
class RollbackStarted(Event):
    reason: str
    automatic: bool


@dataclass(frozen=True)
class RolledBack(Event):
    revision: str | None
    from_weight: int | None
    seconds: float
    draining: str = ""


@dataclass(frozen=True)
class RollbackFailed(Event):
    reason: str
