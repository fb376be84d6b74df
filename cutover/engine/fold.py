# ruff: noqa: ARG001 - the handlers of a fold share one signature
"""From events to a run's state, one at a time."""

from __future__ import annotations

from dataclasses import replace
from functools import singledispatch

from cutover.engine import events as e
from cutover.engine import latest
from cutover.engine.state import RunState, step_id
from cutover.errors import EXIT_LOCKED, EXIT_USAGE, EXIT_WAITING
from cutover.journal.base import Recorded

VERSION = "6"
"""Of what the fold makes of events: a snapshot of another version is of no use."""


def apply(state: RunState, recorded: Recorded) -> RunState:
    """One more event. Events of unknown kinds change nothing but the time."""
    event = e.decode(recorded)
    state = replace(state, run=recorded.run, updated_at=recorded.at)
    after = state if event is None else _apply(event, state, recorded)
    if after.outcome is not None and state.outcome is None:
        after = replace(after, ended_at=recorded.at)
    return replace(after, highest=after.weight) if after.weight > after.highest else after


@singledispatch
def _apply(event: e.Event, state: RunState, recorded: Recorded) -> RunState:
    return state


@_apply.register
def _(event: e.RunOpened, state: RunState, recorded: Recorded) -> RunState:
    return RunState(
        run=recorded.run,
        status="running",
        plan_hash=event.plan_hash,
        plan_file=event.plan_file,
        phases=tuple(event.phases),
        weight=event.weight,
        new_servers=tuple(event.new_servers),
        scope=tuple(event.scope),
        opened_at=recorded.at,
        updated_at=recorded.at,
    )


@_apply.register
def _(event: e.CommandStarted, state: RunState, recorded: Recorded) -> RunState:
    # Whether anything is being done shows when it is: a command that is refused leaves the state as it was.
    plan_hash = event.plan_hash or state.plan_hash
    # Who worked on it has not said that it ended, and is gone.
    status = "interrupted" if state.status in {"running", "holding"} and state.command else state.status
    return replace(state, status=status, command=event.command, pid=event.pid, plan_hash=plan_hash, hold=None, gates={})


@_apply.register
def _(event: e.RunContinued, state: RunState, recorded: Recorded) -> RunState:
    return replace(state, status="running", scope=tuple(event.scope), outcome=None)


@_apply.register
def _(event: e.CommandEnded, state: RunState, recorded: Recorded) -> RunState:
    status = "idle" if state.status in {"running", "holding"} else state.status
    told = event.message and event.exit_code not in {0, EXIT_USAGE, EXIT_LOCKED, EXIT_WAITING}
    error = event.message if told else state.last_error
    return replace(state, status=status, command="", pid=0, last_error=error, hold=None)


@_apply.register
def _(event: e.ProxyReady, state: RunState, recorded: Recorded) -> RunState:
    weight = state.weight if event.weight is None else event.weight
    return replace(state, revision=event.revision, weight=weight, pending=None)


@_apply.register
def _(event: e.PhaseStarted, state: RunState, recorded: Recorded) -> RunState:
    passed = {p: h for p, h in state.passed.items() if p != event.phase}
    again = state.phase == event.phase and state.plan_hash == event.plan_hash
    kept = {k: v for k, v in state.done_steps.items() if again or v.startswith("once:") or _phase_of(k) != event.phase}
    return replace(
        state if again else _without_holds(state),
        status="running",
        phase=event.phase,
        step=None,
        step_title=None,
        plan_hash=event.plan_hash,
        passed=passed,
        done_steps=kept,
        outcome=None,
    )


def _without_holds(state: RunState) -> RunState:
    return replace(state, hold=None, unfinished=None, held_of="", held=(), stepped_back=None)


def _at(state: RunState, weight: int) -> RunState:
    """What becomes of holds as traffic goes to a weight: those at higher ones have to be held anew."""
    left, back = state.unfinished, state.stepped_back
    return replace(
        state,
        weight=weight,
        held=tuple(held for held in state.held if held <= weight),
        unfinished=left if left is not None and left["weight"] == weight else None,
        stepped_back=back if back is not None and weight in {back["weight"], back["from_weight"]} else None,
    )


def _phase_of(step: str) -> str:
    return step.rpartition("/")[0]


@_apply.register
def _(event: e.PhasePassed, state: RunState, recorded: Recorded) -> RunState:
    kept = {k: v for k, v in state.done_steps.items() if v.startswith("once:") or _phase_of(k) != event.phase}
    return replace(
        state,
        passed={**state.passed, event.phase: event.plan_hash},
        done_steps=kept,
        step=None,
        step_title=None,
        last_error=None,
    )


@_apply.register
def _(event: e.PhaseFailed, state: RunState, recorded: Recorded) -> RunState:
    kept = {k: v for k, v in state.done_steps.items() if v.startswith("once:") or _phase_of(k) != event.phase}
    return replace(_without_holds(state), status="failed", last_error=event.reason, done_steps=kept)


@_apply.register
def _(event: e.StepStarted, state: RunState, recorded: Recorded) -> RunState:
    once = f"{event.phase}/{event.key}" if event.once else ""
    name = f"{event.phase}/{event.index}/{event.key}"
    before = state.step_base if state.step_base is not None and state.base_of == name else state.weight
    return replace(
        state,
        status="running",
        phase=event.phase,
        step=event.index,
        step_title=event.title,
        # Of one that is gone on with, the weight before its beginning; never one above the present.
        step_base=min(state.weight, before),
        base_of=name,
        once_started=once,
        gates={},
    )


@_apply.register
def _(event: e.StepPassed, state: RunState, recorded: Recorded) -> RunState:
    once = {f"{event.phase}/{event.key}": f"once:{event.key}"} if event.once else {}
    return replace(
        _without_holds(state),
        done_steps={**state.done_steps, step_id(event.phase, event.index): event.key, **once},
        once_started="",
        step_base=None,
    )


@_apply.register
def _(event: e.StepFailed, state: RunState, recorded: Recorded) -> RunState:
    return replace(
        state,
        last_error=event.summary,
        once_started="",
        hold=None,
        unfinished=None,
        stepped_back=None,
        step_base=None,
    )


@_apply.register
def _(event: e.HoldStarted, state: RunState, recorded: Recorded) -> RunState:
    hold = {
        "weight": event.weight,
        "until": recorded.at + event.seconds - event.held,
        "seconds": event.seconds,
    }
    left = state.unfinished_at(event.of, event.weight)
    begun = {"of": event.of, "weight": event.weight, "held": event.held, "gates": {}}
    return replace(state, status="holding", hold=hold, unfinished=begun if left is None else left)


@_apply.register
def _(event: e.GateEvaluated, state: RunState, recorded: Recorded) -> RunState:
    left = state.unfinished
    if state.hold is not None and left is not None:
        counts = {"passed": event.passed, "failed": event.failed, "in_a_row": event.in_a_row}
        gates = {**left["gates"], str(event.number): counts}
        left = {**left, "held": max(left["held"], event.held), "gates": gates}
    return replace(
        state,
        unfinished=left,
        gates=latest.gates_after(state.gates, event, recorded.at),
        traffic=latest.points_after(state.traffic, event, recorded.at),
    )


@_apply.register
def _(event: e.HoldWatched, state: RunState, recorded: Recorded) -> RunState:
    left = state.unfinished
    if state.hold is None or left is None:
        return state
    return replace(state, unfinished={**left, "held": max(left["held"], event.held)})


@_apply.register
def _(event: e.HoldEnded, state: RunState, recorded: Recorded) -> RunState:
    of = state.unfinished["of"] if state.unfinished is not None else ""
    held = (*(w for w in state.held_in(of) if w != event.weight), event.weight) if event.passed else state.held_in(of)
    return replace(state, status="running", hold=None, unfinished=None, held_of=of, held=held)


@_apply.register
def _(event: e.SteppedBack, state: RunState, recorded: Recorded) -> RunState:
    back = state.stepped_back
    return state if back is None or not event.of else replace(state, stepped_back={**back, "done": True})


@_apply.register
def _(event: e.StepBackDecided, state: RunState, recorded: Recorded) -> RunState:
    held = tuple(weight for weight in state.held if weight < event.weight)
    return replace(state, held=held, unfinished=None, stepped_back=dict(recorded.data))


@_apply.register
def _(event: e.ShiftIntended, state: RunState, recorded: Recorded) -> RunState:
    return replace(state, pending=dict(recorded.data))


@_apply.register
def _(event: e.ShiftVerified, state: RunState, recorded: Recorded) -> RunState:
    undone = () if event.weight else state.undone
    return replace(_at(state, event.weight), revision=event.revision, log=dict(event.log), pending=None, undone=undone)


@_apply.register
def _(event: e.ShiftFailed, state: RunState, recorded: Recorded) -> RunState:
    weight = state.weight if event.weight is None else event.weight
    pending = state.pending if event.weight is None else None
    return replace(_at(state, weight), pending=pending, last_error=event.reason)


@_apply.register
def _(event: e.LeaseGranted, state: RunState, recorded: Recorded) -> RunState:
    return replace(state, lease={"seconds": event.seconds})


@_apply.register
def _(event: e.LeaseReleased, state: RunState, recorded: Recorded) -> RunState:
    return replace(state, lease=None)


@_apply.register
def _(event: e.LeaseEnded, state: RunState, recorded: Recorded) -> RunState:
    passed = {p: h for p, h in state.passed.items() if p not in event.undone}
    kept = {k: v for k, v in state.done_steps.items() if v.startswith("once:") or _phase_of(k) not in event.undone}
    return replace(_without_holds(state), passed=passed, done_steps=kept, undone=tuple(event.undone))


@_apply.register
def _(event: e.DriftFound, state: RunState, recorded: Recorded) -> RunState:
    return replace(state, last_error=event.message)


@_apply.register
def _(event: e.ApprovalRequested, state: RunState, recorded: Recorded) -> RunState:
    return replace(state, status="waiting", waiting_for=event.message, asks_approval=True, asked=event.message)


@_apply.register
def _(event: e.Approved, state: RunState, recorded: Recorded) -> RunState:
    if not state.asks_approval:
        # Of a pause: somebody has looked, and what goes on from there is the same.
        return state
    where = f"{state.phase}/{state.waiting_for}"
    return replace(
        state, status="idle", waiting_for="", asks_approval=False, last_error=None, approved=(*state.approved, where)
    )


@_apply.register
def _(event: e.RunPaused, state: RunState, recorded: Recorded) -> RunState:
    return replace(
        state,
        status="waiting",
        phase=event.phase,
        step=event.index,
        waiting_for=event.reason,
        asks_approval=False,
        last_error=event.reason,
        hold=None,
    )


@_apply.register
def _(event: e.RunResumed, state: RunState, recorded: Recorded) -> RunState:
    done = dict(state.done_steps)
    if event.skipped:
        done[event.skipped] = f"once:{event.skipped.rpartition('/')[2]}"
    return replace(state, status="running", waiting_for="", asks_approval=False, once_started="", done_steps=done)


@_apply.register
def _(event: e.RunInterrupted, state: RunState, recorded: Recorded) -> RunState:
    if state.outcome is not None:
        return state
    return replace(state, status="interrupted", last_error=f"interrupted by {event.signal}", hold=None)


@_apply.register
def _(event: e.RollbackStarted, state: RunState, recorded: Recorded) -> RunState:
    return replace(_without_holds(state), status="running", rolling_back=event.reason, rollback_failed=False)


@_apply.register
def _(event: e.RolledBack, state: RunState, recorded: Recorded) -> RunState:
    return replace(state, weight=0, revision=event.revision, pending=None, lease=None)


@_apply.register
def _(event: e.RollbackFailed, state: RunState, recorded: Recorded) -> RunState:
    return replace(state, status="failed", rolling_back="", rollback_failed=True, last_error=event.reason)


@_apply.register
def _(event: e.RunEnded, state: RunState, recorded: Recorded) -> RunState:
    return replace(
        state,
        status=event.outcome,
        outcome=event.outcome,
        settled=event.settled,
        lease=None,
        undone=(),
        pending=None,
        step=None,
        step_title=None,
        rolling_back="",
        rollback_failed=False,
        waiting_for="",
        hold=None,
    )
