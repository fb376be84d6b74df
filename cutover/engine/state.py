"""A run's state: what the fold of its events comes to, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from cutover.engine import latest


@dataclass(frozen=True)
class RunState:
    """What the journal says about one run. Weights are intents that were verified; the proxy is the truth.

    ``status`` is one of ``idle``, ``running``, ``holding``, ``waiting``, ``interrupted``, ``done``, ``failed``,
    ``rolled_back``, ``aborted``; whether a ``running`` process still lives is not the journal's to know.
    """

    run: str = ""
    status: str = "idle"
    plan_hash: str = ""
    plan_file: str = ""
    phases: tuple[str, ...] = ()
    new_servers: tuple[str, ...] = ()
    scope: tuple[str, ...] = ()
    """The phases that the last running command was to run."""
    passed: Mapping[str, str] = field(default_factory=dict)
    """Phase -> hash of the plan under which it passed."""
    done_steps: Mapping[str, str] = field(default_factory=dict)
    """``phase/index`` -> key of the step that passed in the phase's present attempt, or of one that runs only once."""
    once_started: str = ""
    """``phase/key`` of an action that must not run twice, started and not known to have ended."""
    phase: str | None = None
    step: int | None = None
    step_title: str | None = None
    weight: int = 0
    highest: int = 0
    """The highest weight that was live in this run."""
    revision: str | None = None
    log: Mapping[str, Any] = field(default_factory=dict)
    """Where the proxy's access log ended at the last verified shift; empty where that is not known."""
    step_base: int | None = None
    """The weight before the step under way, ``base_of`` which it is."""
    base_of: str = ""
    lease: Mapping[str, Any] | None = None
    """The lease on which traffic goes to new: its length in ``seconds``. When it ends is the proxy's to say."""
    undone: tuple[str, ...] = ()
    """Phases whose shifts came to nothing as a lease ended, until traffic goes to new again."""
    pending: Mapping[str, Any] | None = None
    """A ``ShiftIntended`` without an outcome."""
    rolling_back: str = ""
    """Why a rollback was begun whose end was never seen."""
    rollback_failed: bool = False
    hold: Mapping[str, Any] | None = None
    """The hold under way: ``weight``, ``seconds``, and when it ends (``until``)."""
    unfinished: Mapping[str, Any] | None = None
    """A hold without an end, which another process may go on with: ``of`` its step, its ``weight``, for how many
    seconds it was watched (``held``), and what each of its ``gates`` counted, by number.
    """
    gates: latest.Gates = field(default_factory=dict)
    """What each gate of the last step said last; see ``latest``."""
    traffic: latest.Points = ()
    """What gates saw of traffic, the newest last."""
    held_of: str = ""
    held: tuple[int, ...] = ()
    """The weights that held in the step ``held_of``."""
    stepped_back: Mapping[str, Any] | None = None
    """A ``StepBackDecided`` whose step has no end yet."""
    waiting_for: str = ""
    asks_approval: bool = False
    asked: str = ""
    """What the last request for an approval said."""
    approved: tuple[str, ...] = ()
    command: str = ""
    pid: int = 0
    last_error: str | None = None
    outcome: str | None = None
    settled: bool = False
    opened_at: float = 0.0
    ended_at: float = 0.0
    updated_at: float = 0.0

    @property
    def open(self) -> bool:
        return bool(self.run) and self.outcome is None

    @property
    def waiting(self) -> bool:
        return self.status == "waiting"

    @property
    def approved_here(self) -> bool:
        """Whether the step under way has the approval that it waited for."""
        return self.status == "idle" and bool(self.approved) and self.approved[-1] == f"{self.phase}/{self.asked}"

    @property
    def moved(self) -> bool:
        return self.weight > 0 or self.pending is not None

    def unfinished_at(self, of: str, weight: int) -> Mapping[str, Any] | None:
        """What an earlier process left of this very hold."""
        left = self.unfinished
        return left if of and left is not None and (left["of"], left["weight"]) == (of, weight) else None

    def held_in(self, of: str) -> tuple[int, ...]:
        """The weights that held in a step, and that traffic has not gone below since."""
        return self.held if of and self.held_of == of else ()

    def passed_under(self, phase: str, plan_hash: str) -> bool:
        return self.passed.get(phase) == plan_hash


def step_id(phase: str, index: int) -> str:
    return f"{phase}/{index}"


def dump(state: RunState) -> dict[str, Any]:
    return asdict(state)


def load(data: Mapping[str, Any]) -> RunState:
    tuples = ("phases", "new_servers", "scope", "approved", "undone", "held", "traffic")
    return RunState(**{**data, **{name: tuple(data[name]) for name in tuples}})
