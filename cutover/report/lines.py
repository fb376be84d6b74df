"""Events in the words of an operator's log: one line each, the same on every screen, in files and in reports."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import singledispatch

from cutover.engine import events as e
from cutover.engine.state import RunState
from cutover.plan.units import format_count, format_duration
from cutover.redact import redact
from cutover.report.times import clock

MARKS = {"pass": "pass", "fail": "FAIL", "unknown": "unknown"}
HASH_LENGTH = 12
# Stages of a shift that are timed as a part of another.
WITHIN = {"test": "prepare"}
UNTOLD = {"prepare"}
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


def told(event: e.Event, state: RunState) -> str | None:
    """One line, redacted; None for what is not worth one. ``state`` is that after the event."""
    line = _told(event, state)
    return None if line is None else one_line(line)


def one_line(text: str) -> str:
    """Redacted, without line breaks and without anything that a terminal would obey."""
    return _CONTROL.sub(" ", redact(text))


def weight(value: int | None) -> str:
    return "an unknown weight" if value is None else f"{value} %"


def stands(value: int | None) -> str:
    """Where traffic is."""
    if value is None:
        return "where traffic is could not be verified"
    return {0: "all traffic on old", 100: "all traffic on new"}.get(value, f"{value} % of traffic on new")


def timings(parts: Mapping[str, float]) -> str:
    """``in 312ms (test 80ms, apply 5ms, verify 212ms)``; nothing where nothing was timed."""
    if not parts:
        return ""
    whole = {stage: seconds for stage, seconds in parts.items() if stage not in WITHIN or WITHIN[stage] not in parts}
    stages = ", ".join(f"{stage} {format_duration(seconds)}" for stage, seconds in parts.items() if stage not in UNTOLD)
    return f" in {format_duration(sum(whole.values()))}" + (f" ({stages})" if stages else "")


def outcome(event: e.RunEnded) -> str:
    """``run done``, ``run rolled back``."""
    return f"run {event.outcome.replace('_', ' ')}"


def _step(mark: str, text: str) -> str:
    return f"  {mark:<8}{text}"


@singledispatch
def _told(_event: e.Event, _state: RunState) -> str | None:
    return None


@_told.register
def _(event: e.RunOpened, state: RunState) -> str:
    plan = f"plan {event.plan_file}, version {event.plan_hash[:HASH_LENGTH]}" if event.plan_file else "without a plan"
    return f"run {state.run} opened: {plan}; {stands(event.weight)}"


@_told.register
def _(event: e.RunContinued, state: RunState) -> str:
    return f"run {state.run} goes on: {stands(event.weight)}"


@_told.register
def _(event: e.LockTakenOver, state: RunState) -> str:
    # On a lease traffic may be back on old by now, and what follows says so.
    where = "" if state.lease else f"; {stands(event.weight)}"
    return f"took the lock over from {event.holder}, which is gone or was told to stop{where}"


@_told.register
def _(event: e.ProxyReady, _state: RunState) -> str:
    revision = f", revision {event.revision}" if event.revision else ""
    note = f" ({event.note})" if event.note else ""
    return f"proxy ready at {weight(event.weight)}{revision}{note}"


@_told.register
def _(event: e.PhaseStarted, _state: RunState) -> str:
    return f"PHASE {event.phase}: {format_count(event.steps, 'step')}"


@_told.register
def _(event: e.PhasePassed, _state: RunState) -> str:
    return f"phase {event.phase} passed in {format_duration(event.seconds)}"


@_told.register
def _(event: e.PhaseFailed, _state: RunState) -> str:
    why = event.reason.removeprefix(f"{event.phase}: ")
    return f"phase {event.phase} FAILED" + (f": {why}" if why else "")


@_told.register
def _(event: e.PhaseSkipped, _state: RunState) -> str:
    return f"phase {event.phase} skipped: {event.reason}"


@_told.register
def _(event: e.StepStarted, _state: RunState) -> str:
    return _step(f"step {event.index + 1}", event.title)


@_told.register
def _(event: e.AskedAgain, _state: RunState) -> str:
    return _step(MARKS.get(event.verdict, event.verdict), f"asked again, for what it saves: {event.summary}")


@_told.register
def _(event: e.StepRetried, _state: RunState) -> str:
    return _step(MARKS.get(event.verdict, event.verdict), f"{event.summary}; try {event.attempt}, trying again")


@_told.register
def _(event: e.StepPassed, _state: RunState) -> str:
    return _step("pass", f"{event.summary} [{format_duration(event.seconds)}]")


@_told.register
def _(event: e.StepFailed, _state: RunState) -> str:
    mark = MARKS.get(event.verdict, event.verdict)
    return _step(mark, f"{event.summary} [{format_duration(event.seconds)}]")


@_told.register
def _(event: e.StepSkipped, _state: RunState) -> str:
    return _step("skip", f"{event.title}: {event.reason}")


@_told.register
def _(event: e.GateEvaluated, _state: RunState) -> str:
    mark = MARKS.get(event.verdict, event.verdict)
    took = format_duration(event.seconds)
    count = f", {event.count}" if event.count else ""
    return _step("gate", f"{mark:<8}{event.gate}: {event.summary} (at {weight(event.weight)}{count}) [{took}]")


@_told.register
def _(event: e.HoldStarted, _state: RunState) -> str | None:
    if not event.seconds and not event.gates:
        return None
    gates = format_count(event.gates, "gate") if event.gates else "no gates"
    before = f"; {format_duration(round(event.held))} of it were watched before" if event.held >= 1 else ""
    return _step("hold", f"{weight(event.weight)} for {format_duration(event.seconds)}, {gates}{before}")


@_told.register
def _(event: e.HoldEnded, _state: RunState) -> str:
    if event.passed:
        return _step("held", weight(event.weight))
    return _step("hold", f"ended at {weight(event.weight)}: {event.reason}")


@_told.register
def _(event: e.ShiftIntended, _state: RunState) -> str:
    by = {"client": "by client", "settled": "for good"}.get(event.mode, "by request")
    way = "" if event.from_weight is None else f"{weight(event.from_weight)} -> "
    change = "" if event.revision == event.from_revision else f": changing to revision {event.revision}"
    return _step("weight", f"{way}{weight(event.weight)}, {by}{change}")


@_told.register
def _(event: e.ShiftVerified, _state: RunState) -> str:
    if event.recovered:
        return _step("weight", f"{weight(event.weight)} live, found and verified after an interruption")
    drains = f"; draining: {event.draining}" if event.draining else ""
    return _step("weight", f"{weight(event.weight)} live, verified{timings(event.timings)}{drains}")


@_told.register
def _(event: e.ShiftFailed, _state: RunState) -> str:
    return _step("weight", f"FAILED to change to {weight(event.intended)}: {event.reason}; {stands(event.weight)}")


@_told.register
def _(event: e.LeaseGranted, _state: RunState) -> str:
    length = format_duration(event.seconds)
    return _step("lease", f"{length}, renewed by this command: without it nginx returns all traffic to old")


@_told.register
def _(event: e.LeaseReleased, _state: RunState) -> str:
    return _step("lease", f"released: {stands(event.weight)}, and it stays there")


@_told.register
def _(event: e.LeaseLeft, state: RunState) -> str:
    goes_on = "cutover resume" if state.waiting else "cutover run"
    when = f"at {clock(event.until)}" if event.until else "at its end"
    return f"LEASE: {when} nginx returns all traffic to old, unless `{goes_on}` goes on before; {stands(event.weight)}"


@_told.register
def _(event: e.LeaseEnded, _state: RunState) -> str:
    when = f" at {clock(event.until)}" if event.until else ""
    undone = f"; to run again: {', '.join(event.undone)}" if event.undone else ""
    moved = f"nginx returned all traffic from {weight(event.weight)} to old"
    return f"LEASE ENDED{when}: nobody renewed it, and {moved}{undone}"


@_told.register
def _(event: e.DriftFound, _state: RunState) -> str:
    return f"DRIFT: {event.message}"


@_told.register
def _(event: e.WatchStarted, _state: RunState) -> str:
    length = "until stopped" if event.seconds is None else f"for {format_duration(event.seconds)}"
    gates = format_count(event.gates, "gate")
    breach = "" if event.rolls_back else "; a breach is only told"
    return _step("watch", f"{weight(event.weight)} {length}, {gates}{breach}")


@_told.register
def _(event: e.WatchEnded, _state: RunState) -> str:
    if event.passed:
        return _step("watched", weight(event.weight) + (f", {event.reason}" if event.reason else ""))
    return _step("watch", f"ended at {weight(event.weight)}: {event.reason}")


@_told.register
def _(event: e.SteppedBack, _state: RunState) -> str:
    return f"STEPPED BACK from {weight(event.from_weight)} to {weight(event.weight)}: {event.reason}"


@_told.register
def _(event: e.ProxyLost, _state: RunState) -> str:
    return _step("unknown", f"{event.reason}; waiting for it")


@_told.register
def _(_event: e.ProxyStarting, state: RunState) -> str:
    return _step("proxy", f"nginx has ended, and is started again at {weight(state.weight)}")


@_told.register
def _(event: e.ProxyFound, _state: RunState) -> str:
    return _step("pass", f"the proxy answers again, after {format_duration(event.seconds)}")


@_told.register
def _(event: e.ForcedPast, _state: RunState) -> str:
    who = f" by {event.by}" if event.by else ""
    return f"FORCED{who} past: {event.obstacle}; reason given: {event.reason}"


@_told.register
def _(event: e.ApprovalRequested, _state: RunState) -> str:
    return f"WAITING for approval: {event.message}"


@_told.register
def _(event: e.Approved, _state: RunState) -> str:
    return f"approved by {event.by}" + (f": {event.reason}" if event.reason else "")


@_told.register
def _(event: e.RunPaused, state: RunState) -> str:
    return f"PAUSED: {event.reason}; {stands(state.weight)}"


@_told.register
def _(event: e.RunResumed, _state: RunState) -> str:
    return f"resumed by {event.by}" + (", the step under way taken as done" if event.skipped else "")


@_told.register
def _(event: e.RunInterrupted, _state: RunState) -> str:
    return f"INTERRUPTED by {event.signal}: {stands(event.weight)}"


@_told.register
def _(event: e.RollbackStarted, _state: RunState) -> str:
    return f"ROLLBACK{' (automatic)' if event.automatic else ''}: {event.reason}"


@_told.register
def _(event: e.RolledBack, _state: RunState) -> str:
    drains = f"; draining: {event.draining}" if event.draining else ""
    way = f"{weight(event.from_weight)} -> 0 %"
    return _step("weight", f"{way}: back on old, verified in {format_duration(event.seconds)}{drains}")


@_told.register
def _(event: e.RollbackFailed, _state: RunState) -> str:
    return f"ROLLBACK FAILED: {event.reason}"


@_told.register
def _(event: e.RunEnded, _state: RunState) -> str:
    why = f"; {event.reason}" if event.reason else ""
    return f"{outcome(event)}: {stands(event.weight)}" + (", for good" if event.settled else "") + why
