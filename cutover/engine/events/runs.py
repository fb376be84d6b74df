"""Events of runs and of the commands that work on them."""

from __future__ import annotations

from dataclasses import dataclass, field

from cutover.engine.events.base import Event


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
class RunEnded(Event):
    outcome: str
    weight: int | None
    settled: bool = False
    reason: str = ""


@dataclass(frozen=True)
class ForcedPast(Event):
    obstacle: str
    reason: str
    by: str = ""
