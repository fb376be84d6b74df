"""What happened in a run, in the past tense. Frozen data of plain JSON types; consumers never change them.

Weights are percent, times are seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from typing import Any

from cutover.engine.events.base import Event
from cutover.engine.events.holds import (
    GateEvaluated,
    HoldEnded,
    HoldStarted,
    HoldWatched,
    StepBackDecided,
    SteppedBack,
    WatchEnded,
    WatchStarted,
)
from cutover.engine.events.runs import (
    ApprovalRequested,
    Approved,
    CommandEnded,
    CommandStarted,
    ForcedPast,
    LockTakenOver,
    RunContinued,
    RunEnded,
    RunInterrupted,
    RunOpened,
    RunPaused,
    RunResumed,
)
from cutover.engine.events.steps import (
    AskedAgain,
    PhaseFailed,
    PhasePassed,
    PhaseSkipped,
    PhaseStarted,
    StepFailed,
    StepPassed,
    StepProgressed,
    StepRetried,
    StepSkipped,
    StepStarted,
)
from cutover.engine.events.traffic import (
    DriftFound,
    LeaseEnded,
    LeaseGranted,
    LeaseLeft,
    LeaseReleased,
    LeaseRenewed,
    ProxyFound,
    ProxyLost,
    ProxyReady,
    ProxyStarting,
    RollbackFailed,
    RollbackStarted,
    RolledBack,
    ShiftFailed,
    ShiftIntended,
    ShiftVerified,
)
from cutover.journal.base import Recorded

__all__ = [
    "EVENTS",
    "ApprovalRequested",
    "Approved",
    "AskedAgain",
    "CommandEnded",
    "CommandStarted",
    "DriftFound",
    "Event",
    "ForcedPast",
    "GateEvaluated",
    "HoldEnded",
    "HoldStarted",
    "HoldWatched",
    "LeaseEnded",
    "LeaseGranted",
    "LeaseLeft",
    "LeaseReleased",
    "LeaseRenewed",
    "LockTakenOver",
    "PhaseFailed",
    "PhasePassed",
    "PhaseSkipped",
    "PhaseStarted",
    "ProxyFound",
    "ProxyLost",
    "ProxyReady",
    "ProxyStarting",
    "RollbackFailed",
    "RollbackStarted",
    "RolledBack",
    "RunContinued",
    "RunEnded",
    "RunInterrupted",
    "RunOpened",
    "RunPaused",
    "RunResumed",
    "ShiftFailed",
    "ShiftIntended",
    "ShiftVerified",
    "StepBackDecided",
    "StepFailed",
    "StepPassed",
    "StepProgressed",
    "StepRetried",
    "StepSkipped",
    "StepStarted",
    "SteppedBack",
    "WatchEnded",
    "WatchStarted",
    "decode",
    "encode",
]

EVENTS: dict[str, type[Event]] = {
    cls.__name__: cls
    for cls in (
        RunOpened,
        RunContinued,
        CommandStarted,
        CommandEnded,
        LockTakenOver,
        ProxyReady,
        PhaseStarted,
        PhasePassed,
        PhaseFailed,
        PhaseSkipped,
        StepStarted,
        StepProgressed,
        StepRetried,
        AskedAgain,
        StepPassed,
        StepFailed,
        StepSkipped,
        GateEvaluated,
        HoldStarted,
        HoldWatched,
        HoldEnded,
        WatchStarted,
        WatchEnded,
        StepBackDecided,
        SteppedBack,
        ShiftIntended,
        ShiftVerified,
        ShiftFailed,
        LeaseGranted,
        LeaseRenewed,
        LeaseReleased,
        LeaseLeft,
        LeaseEnded,
        DriftFound,
        ProxyLost,
        ProxyStarting,
        ProxyFound,
        ForcedPast,
        ApprovalRequested,
        Approved,
        RunPaused,
        RunResumed,
        RunInterrupted,
        RollbackStarted,
        RolledBack,
        RollbackFailed,
        RunEnded,
    )
}


def encode(event: Event) -> tuple[str, dict[str, Any]]:
    """The kind and the JSON data of an event, as the journal keeps them."""
    data = {f.name: _plain(getattr(event, f.name)) for f in fields(event)}  # type: ignore[arg-type]
    return type(event).__name__, data


def decode(recorded: Recorded) -> Event | None:
    """The event of a journal line; None for a kind that only a later version knows. Unknown fields are dropped."""
    cls = EVENTS.get(recorded.kind)
    if cls is None:
        return None
    known = _fields(recorded.kind)
    return cls(**{k: v for k, v in recorded.data.items() if k in known})


@cache
def _fields(kind: str) -> frozenset[str]:
    return frozenset(f.name for f in fields(EVENTS[kind]))  # type: ignore[arg-type]


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else value
