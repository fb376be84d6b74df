"""Events of holds and watches: what gates saw, and what followed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cutover.engine.events.base import Event


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
