"""Hand-made runs: events as a journal would hold them, one second apart."""

from __future__ import annotations

from collections.abc import Sequence

from cutover.engine import events as e
from cutover.engine.fold import apply
from cutover.engine.state import RunState
from cutover.journal.base import Recorded

RUN = "20260131-120000-aaaa"
NOON = 1_769_860_800.0  # 2026-01-31 12:00:00 UTC
Shown = tuple[Recorded, e.Event, RunState]


def record(*events: e.Event, run: str = RUN, at: float = NOON, every: float = 1.0) -> list[Shown]:
    """Each event with its journal entry and the state after it."""
    state, shown = RunState(run=run), []
    for number, event in enumerate(events):
        kind, data = e.encode(event)
        progress = isinstance(event, e.StepProgressed)
        recorded = Recorded(0 if progress else number + 1, run, at + number * every, kind, data)
        state = state if progress else apply(state, recorded)
        shown.append((recorded, event, state))
    return shown


def journal(shown: Sequence[Shown]) -> list[Recorded]:
    return [recorded for recorded, event, _ in shown if not isinstance(event, e.StepProgressed)]


def gate(verdict: str, summary: str, *, name: str = "health", weight: int = 10, **figures: float) -> e.GateEvaluated:
    return e.GateEvaluated("shift", 0, name, verdict, summary, weight, 0.012, figures)


# A run that shifts to 10 %, fails a gate there and goes back.
ROLLED_BACK: tuple[e.Event, ...] = (
    e.RunOpened(
        "3fa8c1d2e4b5aaaa", "cutover.yml", ["preflight", "shift"], 0, ["127.0.0.1:8001"], ["preflight", "shift"]
    ),
    e.CommandStarted("run", 4711, "3fa8c1d2e4b5aaaa"),
    e.ProxyReady(0, "aaaa0000"),
    e.PhaseStarted("preflight", "3fa8c1d2e4b5aaaa", 1),
    e.StepStarted("preflight", 0, "http", "Django is ready", "k1"),
    e.StepRetried("preflight", 0, "fail", "503, expected 2xx", 1),
    e.StepRetried("preflight", 0, "fail", "503, expected 2xx", 2),
    e.StepPassed("preflight", 0, "k1", "200 in 12ms", 2.012, {"seconds": 0.012}, "steps/preflight-1/result.json"),
    e.PhasePassed("preflight", "3fa8c1d2e4b5aaaa", 2.1),
    e.PhaseStarted("shift", "3fa8c1d2e4b5aaaa", 1),
    e.StepStarted("shift", 0, "shift", "shift: 10 → 50 %, hold 5m each, 1 gate", "k2"),
    gate("pass", "200 in 3ms", weight=0, seconds=0.003),
    e.ShiftIntended(10, "bbbb0000", 0, "aaaa0000", "request", "/etc/nginx/conf.d/a.conf", "upstream a {}\n"),
    e.ShiftVerified(10, "bbbb0000", 0, {"test": 0.08, "prepare": 0.1, "apply": 0.005, "verify": 0.207}),
    e.HoldStarted(10, 300, 1),
    gate("pass", "200 in 4ms", seconds=0.004),
    gate("pass", "200 in 5ms", seconds=0.005),
    gate("unknown", "no answer within 1s"),
    gate("fail", "500, expected 2xx", seconds=1.5),
    e.HoldEnded(10, passed=False, reason="gate 'health' at weight 10: fail: 500, expected 2xx"),
    e.StepFailed("shift", 0, "fail", "gate 'health' at weight 10: fail: 500, expected 2xx", 9.5),
    e.PhaseFailed("shift", "gate 'health' at weight 10: fail: 500, expected 2xx"),
    e.RollbackStarted("shift: gate 'health' at weight 10: fail: 500, expected 2xx", automatic=True),
    e.ShiftIntended(0, "aaaa0000", 10, "bbbb0000", "request", "/etc/nginx/conf.d/a.conf", "upstream a {}\n"),
    e.RolledBack("aaaa0000", 10, 0.34, "2 connections of worker 77"),
    e.RunEnded("rolled_back", 0),
    e.CommandEnded("run", 1, "shift: gate 'health' ..."),
)
