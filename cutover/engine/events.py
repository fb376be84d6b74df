"""What happened in a run, in the past tense. Frozen data of plain JSON types; consumers never change them.

Weights are percent, times are seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any, ClassVar

from cutover.journal.base import Recorded


class Event:
    """Base of all events.

    ``exact`` names fields that are kept byte for byte, unredacted: configuration texts. What is ``passing`` is told to
    those who look on, and never journalled.
    """

    exact: ClassVar[frozenset[str]] = frozenset()
    passing: ClassVar[bool] = False


@dataclass(frozen=True)
class RunOpened(Event):
    plan_hash: str
    plan_file: str
    phases: list[str]
    weight: int
    new_servers: list[str] = field(default_factory=list)
    scope: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class RunContinued(Event):
    """``scope``: the phases that the command is to run; what a ``resume`` goes on with."""

    scope: list[str]
    weight: int


@dataclass(frozen=True)
class CommandStarted(Event):
    command: str
    pid: int
    plan_hash: str = ""


@dataclass(frozen=True)
class CommandEnded(Event):
    command: str
    exit_code: int
    message: str = ""


@dataclass(frozen=True)
class LockTakenOver(Event):
    """``weight`` is where the journal had traffic when the earlier holder was ended."""

    holder: str
    weight: int


@dataclass(frozen=True)
class ProxyReady(Event):
    weight: int | None
    revision: str | None
    note: str = ""


@dataclass(frozen=True)
class PhaseStarted(Event):
    phase: str
    plan_hash: str
    steps: int


@dataclass(frozen=True)
class PhasePassed(Event):
    phase: str
    plan_hash: str
    seconds: float


@dataclass(frozen=True)
class PhaseFailed(Event):
    phase: str
    reason: str


@dataclass(frozen=True)
class PhaseSkipped(Event):
    phase: str
    reason: str


@dataclass(frozen=True)
class StepStarted(Event):
    phase: str
    index: int
    type: str
    title: str
    key: str
    once: bool = False


@dataclass(frozen=True)
class StepProgressed(Event):
    """A latest figure for the live view."""

    phase: str
    index: int
    text: str
    passing: ClassVar[bool] = True


@dataclass(frozen=True)
class StepRetried(Event):
    phase: str
    index: int
    verdict: str
    summary: str
    attempt: int


@dataclass(frozen=True)
class AskedAgain(Event):
    """A step that saves variables, once more: they are in no process's memory but its own, or grew too old."""

    phase: str
    index: int
    title: str
    verdict: str
    summary: str
    seconds: float


@dataclass(frozen=True)
class StepPassed(Event):
    phase: str
    index: int
    key: str
    summary: str
    seconds: float
    figures: Mapping[str, float] = field(default_factory=dict)
    artifacts: str = ""
    once: bool = False


@dataclass(frozen=True)
class StepFailed(Event):
    phase: str
    index: int
    verdict: str
    summary: str
    seconds: float
    figures: Mapping[str, float] = field(default_factory=dict)
    artifacts: str = ""


@dataclass(frozen=True)
class StepSkipped(Event):
    phase: str
    index: int
    title: str
    reason: str


@dataclass(frozen=True)
class GateEvaluated(Event):
    phase: str
    index: int
    gate: str
    verdict: str
    summary: str
    weight: int
    seconds: float
    figures: Mapping[str, float] = field(default_factory=dict)
    number: int = 0
    """Which gate of its step, from 1."""
    held: float = 0.0
    """How long the hold had been watched then."""
    passed: int = 0
    failed: int = 0
    in_a_row: int = 0
    """Of this gate in this hold, this evaluation included: how often it passed and failed, and failed in a row now."""
    failures: int = 0
    failures_in_a_row: int = 0
    """How many end the hold; 0 where there is no such limit."""
    limit: str = ""
    """What it asks for, in words."""
    backends: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """What the proxy saw of each backend lately; empty for a gate that does not look at traffic."""

    @property
    def count(self) -> str:
        """``2nd of 3 failures, 1st of 2 in a row``; nothing where the first failure ends the hold."""
        if self.verdict != "fail" or (self.failures == 1 and self.failures_in_a_row in {0, 1}):
            return ""
        of_all = f"{_nth(self.failed)} of {self.failures} failures" if self.failures else ""
        if self.failed > self.failures > 0:
            of_all = f"{self.failed} failures, the limit is {self.failures}"
        named = "in a row" if self.failures else "failures in a row"
        of_row = f"{_nth(self.in_a_row)} of {self.failures_in_a_row} {named}" if self.failures_in_a_row else ""
        return ", ".join(filter(None, (of_all, of_row)))


def _nth(number: int) -> str:
    teen = 10 < number % 100 < 20  # noqa: PLR2004 - eleventh, twelfth, thirteenth
    return f"{number}{'th' if teen else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


@dataclass(frozen=True)
class HoldStarted(Event):
    """``of`` names the step as it is written, where a later process may go on with the hold; ``held`` is how long it
    was watched before.
    """

    weight: int
    seconds: float
    gates: int
    of: str = ""
    held: float = 0.0


@dataclass(frozen=True)
class HoldWatched(Event):
    """One without gates, which would tell; ``held``: for how long it was watched so far."""

    weight: int
    held: float


@dataclass(frozen=True)
class HoldEnded(Event):
    weight: int
    passed: bool
    reason: str = ""


@dataclass(frozen=True)
class WatchStarted(Event):
    """By ``cutover watch``, beside the phases. ``seconds`` None: until it is stopped."""

    weight: int
    seconds: float | None
    gates: int
    rolls_back: bool


@dataclass(frozen=True)
class WatchEnded(Event):
    weight: int
    passed: bool
    reason: str = ""


@dataclass(frozen=True)
class StepBackDecided(Event):
    """Journalled before traffic moves: a gate failed at ``from_weight``. ``of`` as in ``HoldStarted``."""

    phase: str
    index: int
    from_weight: int
    weight: int
    reason: str
    of: str


@dataclass(frozen=True)
class SteppedBack(Event):
    """From a weight at which a gate failed to the last one that held, verified. ``of`` as in ``HoldStarted``."""

    phase: str
    index: int
    from_weight: int
    weight: int
    reason: str
    of: str = ""


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
class ProxyFound(Event):
    """It answers again, unchanged."""

    seconds: float


@dataclass(frozen=True)
class ForcedPast(Event):
    obstacle: str
    reason: str
    by: str = ""


@dataclass(frozen=True)
class ApprovalRequested(Event):
    phase: str
    index: int
    message: str


@dataclass(frozen=True)
class Approved(Event):
    by: str
    reason: str = ""


@dataclass(frozen=True)
class RunPaused(Event):
    phase: str
    index: int
    reason: str


@dataclass(frozen=True)
class RunResumed(Event):
    """``skipped``: ``phase/key`` of the action that a person said was done."""

    by: str
    skipped: str = ""


@dataclass(frozen=True)
class RunInterrupted(Event):
    signal: str
    weight: int | None


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


@dataclass(frozen=True)
class RunEnded(Event):
    outcome: str
    weight: int | None
    settled: bool = False
    reason: str = ""


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
