"""Events of phases and their steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from cutover.engine.events.base import Event


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
