"""A run's account: what a report says, as JSON data. A pure function of the journal."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from functools import singledispatchmethod
from typing import Any

from cutover.engine import events as e
from cutover.engine.state import RunState
from cutover.journal.base import Recorded
from cutover.plan.thresholds import PROPORTIONS, TIMES
from cutover.redact import redact_data
from cutover.report.lines import told
from cutover.report.times import iso

# Of these a greater one is a worse one.
WORSE_UP = frozenset({*PROPORTIONS, *TIMES, "seconds"} - {"share"})


@dataclass
class StepAccount:
    """``verdict`` is ``pass``, ``fail``, ``unknown``, ``skipped``, or None while it has no end."""

    number: int
    title: str
    type: str = ""
    verdict: str | None = None
    summary: str = ""
    seconds: float | None = None
    retries: int = 0
    figures: dict[str, float] = field(default_factory=dict)
    artifacts: str = ""


@dataclass
class PhaseAccount:
    """One attempt at a phase; ``outcome`` is ``passed``, ``failed``, ``skipped``, or None while it has no end."""

    phase: str
    started_at: str | None
    outcome: str | None = None
    reason: str = ""
    seconds: float | None = None
    steps: list[StepAccount] = field(default_factory=list)


@dataclass
class WeightAccount:
    """One stay at a weight; ``seconds`` is its length, ``shift_s`` the timings of the change that led there."""

    weight: int | None
    at: str | None
    since: float
    seconds: float = 0.0
    shift_s: dict[str, float] = field(default_factory=dict)
    draining: str = ""
    note: str = ""


@dataclass
class GateAccount:
    """All evaluations of one gate. ``worst`` has the greatest of each figure of which more is worse."""

    gate: str
    counts: dict[str, int] = field(default_factory=lambda: {"pass": 0, "fail": 0, "unknown": 0})
    worst: dict[str, float] = field(default_factory=dict)
    first_failure: dict[str, Any] | None = None


def account(plan: str, state: RunState, events: Iterable[Recorded]) -> dict[str, Any]:
    """Everything that a report of one run says; ``state`` is the fold of ``events``. Times are ISO 8601, UTC, and
    seconds.
    """
    book = _Book(state)
    for recorded in events:
        event = e.decode(recorded)
        if event is not None:
            book.at = recorded.at
            book.note(event)
    return redact_data({"plan": plan, **book.close()})


class _Book:
    """``at`` is the time of the event being noted."""

    def __init__(self, state: RunState) -> None:
        self.state = state
        self.phases: list[PhaseAccount] = []
        self.weights: list[WeightAccount] = []
        self.gates: dict[str, GateAccount] = {}
        self.rollbacks: list[dict[str, Any]] = []
        self.decisions: list[dict[str, Any]] = []
        self.notes: list[dict[str, Any]] = []
        self.commands: list[dict[str, Any]] = []
        self.step: StepAccount | None = None
        self.settling = False
        self.at = 0.0
        self.ended: float | None = None

    def close(self) -> dict[str, Any]:
        if self.weights:
            self.weights[-1].seconds = (self.ended or self.at) - self.weights[-1].since
        state = self.state
        end = self.ended or self.at
        return {
            "run": state.run,
            "outcome": state.outcome,
            "state": state.status,
            "weight": state.weight,
            "highest": state.highest,
            "settled": state.settled,
            "plan_file": state.plan_file,
            "plan_hash": state.plan_hash,
            "started_at": iso(state.opened_at),
            "ended_at": iso(self.ended),
            "seconds": max(0.0, end - state.opened_at) if state.opened_at else 0.0,
            "last_error": state.last_error,
            "phases": [asdict(phase) for phase in self.phases],
            "weights": [_without(asdict(stay), "since") for stay in self.weights],
            "gates": [asdict(gate) for gate in self.gates.values()],
            "rollbacks": self.rollbacks,
            "decisions": self.decisions,
            "notes": self.notes,
            "commands": self.commands,
        }

    @singledispatchmethod
    def note(self, _event: e.Event) -> None:
        return

    @note.register
    def _(self, event: e.RunOpened) -> None:
        self._stay(event.weight, note="as found")

    @note.register
    def _(self, event: e.ProxyReady) -> None:
        if event.weight is not None and event.weight != self._weight:
            self._stay(event.weight, note="as found")

    @note.register
    def _(self, event: e.CommandStarted) -> None:
        self.commands.append({"command": event.command, "at": iso(self.at), "exit_code": None, "message": ""})

    @note.register
    def _(self, event: e.CommandEnded) -> None:
        if self.commands:
            self.commands[-1].update(exit_code=event.exit_code, message=event.message)

    @note.register
    def _(self, event: e.PhaseStarted) -> None:
        self.phases.append(PhaseAccount(event.phase, iso(self.at)))
        self.step = None

    @note.register
    def _(self, event: e.PhasePassed) -> None:
        self._phase(event.phase).outcome = "passed"
        self._phase(event.phase).seconds = event.seconds

    @note.register
    def _(self, event: e.PhaseFailed) -> None:
        phase = self._phase(event.phase)
        phase.outcome, phase.reason = "failed", event.reason.removeprefix(f"{event.phase}: ")

    @note.register
    def _(self, event: e.PhaseSkipped) -> None:
        self.phases.append(PhaseAccount(event.phase, iso(self.at), outcome="skipped", reason=event.reason))

    @note.register
    def _(self, event: e.StepStarted) -> None:
        self.step = StepAccount(event.index + 1, event.title, event.type)
        self._phase(event.phase).steps.append(self.step)

    @note.register
    def _(self, event: e.StepRetried) -> None:
        if self.step is not None:
            self.step.retries = event.attempt

    @note.register
    def _(self, event: e.StepPassed) -> None:
        self._finish(event, "pass")

    @note.register
    def _(self, event: e.StepFailed) -> None:
        self._finish(event, event.verdict)

    @note.register
    def _(self, event: e.StepSkipped) -> None:
        skipped = StepAccount(event.index + 1, event.title, verdict="skipped", summary=event.reason)
        self._phase(event.phase).steps.append(skipped)

    @note.register
    def _(self, event: e.GateEvaluated) -> None:
        gate = self.gates.setdefault(event.gate, GateAccount(event.gate))
        gate.counts[event.verdict] = gate.counts.get(event.verdict, 0) + 1
        for name, figure in event.figures.items():
            if name in WORSE_UP:
                gate.worst[name] = max(figure, gate.worst.get(name, figure))
        if event.verdict == "fail" and gate.first_failure is None:
            gate.first_failure = {"at": iso(self.at), "weight": event.weight, "summary": event.summary}

    @note.register
    def _(self, event: e.ShiftIntended) -> None:
        self.settling = event.mode == "settled"

    @note.register
    def _(self, event: e.ShiftVerified) -> None:
        if event.recovered and event.weight == self._weight:
            return
        note = "found after an interruption" if event.recovered else "for good" if self.settling else ""
        self._stay(event.weight, shift_s=dict(event.timings), draining=event.draining, note=note)

    @note.register
    def _(self, event: e.ShiftFailed) -> None:
        self._remember(event)
        if event.weight != self._weight:
            self._stay(event.weight, note="after a failed change")

    @note.register
    def _(self, event: e.RollbackStarted) -> None:
        self.rollbacks.append(
            {"at": iso(self.at), "reason": event.reason, "automatic": event.automatic, "from_weight": self._weight}
            | {"seconds": None, "problem": ""}
        )

    @note.register
    def _(self, event: e.RolledBack) -> None:
        self._stay(0, shift_s={"rollback": event.seconds}, draining=event.draining, note="rolled back")
        if self.rollbacks:
            self.rollbacks[-1]["seconds"] = event.seconds

    @note.register
    def _(self, event: e.RollbackFailed) -> None:
        if self.rollbacks:
            self.rollbacks[-1]["problem"] = event.reason

    @note.register
    def _(self, event: e.ForcedPast) -> None:
        self._decision("forced", event.by, event.reason, event.obstacle)

    @note.register
    def _(self, event: e.Approved) -> None:
        self._decision("approved", event.by, event.reason, self._asked())

    @note.register
    def _(self, event: e.RunResumed) -> None:
        self._decision("resumed", event.by, "", "a step taken as done" if event.skipped else "")

    @note.register(e.ApprovalRequested)
    @note.register(e.RunPaused)
    @note.register(e.RunInterrupted)
    @note.register(e.LockTakenOver)
    @note.register(e.DriftFound)
    @note.register(e.LeaseLeft)
    @note.register(e.LeaseEnded)
    @note.register(e.WatchStarted)
    @note.register(e.WatchEnded)
    @note.register(e.ProxyLost)
    @note.register(e.ProxyStarting)
    @note.register(e.ProxyFound)
    @note.register(e.SteppedBack)
    def _(self, event: e.Event) -> None:
        self._remember(event)

    @note.register
    def _(self, _event: e.RunEnded) -> None:
        self.ended = self.at

    @note.register
    def _(self, _event: e.RunContinued) -> None:
        self.ended = None

    @property
    def _weight(self) -> int | None:
        return self.weights[-1].weight if self.weights else None

    def _stay(self, weight: int | None, **about: Any) -> None:
        if self.weights:
            self.weights[-1].seconds = self.at - self.weights[-1].since
        self.weights.append(WeightAccount(weight, iso(self.at), self.at, **about))

    def _phase(self, name: str) -> PhaseAccount:
        """The present attempt at a phase; a journal that lacks its beginning still has a report."""
        if not self.phases or self.phases[-1].phase != name:
            self.phases.append(PhaseAccount(name, iso(self.at)))
        return self.phases[-1]

    def _finish(self, event: e.StepPassed | e.StepFailed, verdict: str) -> None:
        if self.step is None:
            return
        self.step.verdict, self.step.summary, self.step.seconds = verdict, event.summary, event.seconds
        self.step.figures, self.step.artifacts = dict(event.figures), event.artifacts
        self.step = None

    def _remember(self, event: e.Event) -> None:
        line = told(event, RunState(weight=self._weight or 0))
        self.notes.append({"at": iso(self.at), "text": (line or "").strip()})

    def _decision(self, what: str, by: str, reason: str, about: str) -> None:
        self.decisions.append({"at": iso(self.at), "what": what, "by": by, "reason": reason, "about": about})

    def _asked(self) -> str:
        asked = [note["text"] for note in self.notes if note["text"].startswith("WAITING")]
        return asked[-1].partition(": ")[2] if asked else ""


def _without(data: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name != key}
