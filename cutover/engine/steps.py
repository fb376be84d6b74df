"""One step: started, tried, retried, and passed or failed."""

from __future__ import annotations

import asyncio
import hashlib
import json
import signal
import time
from collections.abc import Sequence
from dataclasses import replace

from cutover.actions.base import Action
from cutover.checks.base import Check, Result
from cutover.engine import events as e
from cutover.engine.context import StepContext
from cutover.engine.failures import StepFailedError
from cutover.engine.gates import evaluate_once, failure_of, measure_patiently, time_limit
from cutover.engine.holding import ASK_AGAIN_S, PATIENCE_S
from cutover.engine.session import Session
from cutover.engine.shifting import recover, shift_to
from cutover.engine.state import step_id
from cutover.engine.stepping import has_stepped_back, stay_back, step_back
from cutover.engine.variables import UnsavedError
from cutover.errors import EXIT_FAILED, CutoverError, LockedError, UnsafeError, WaitingError
from cutover.plan.step import Gate, Step
from cutover.plan.thresholds import Verdict
from cutover.plan.units import format_duration
from cutover.redact import redact_data


def step_key(step: Step) -> str:
    """A hash of the step as it is written: another step at the same place is another step."""
    return hashlib.sha256(json.dumps(redact_data(step.raw), sort_keys=True, default=str).encode()).hexdigest()[:12]


def _once_key(session: Session, phase: str, index: int, step: Step) -> str:
    """Of an action that must not run twice: it stays the same when other steps are put before it."""
    key = step_key(step)
    before = sum(step_key(other) == key for other in session.plan.phases[phase][:index])
    return f"{key}#{before + 1}"


async def run_step(session: Session, phase: str, index: int, step: Step) -> None:
    """Run one step to its end. Raises ``StepFailedError``, ``WaitingError`` or what else stops a run."""
    once = isinstance(step.settings, Action) and step.settings.once
    key = _once_key(session, phase, index, step) if once else step_key(step)
    ctx = StepContext(session, phase, index, f"{step_id(phase, index)}/{key}", step.on_fail)
    if reason := _already_done(session, phase, index, key):
        session.emit(e.StepSkipped(phase, index, step.title, reason))
        return
    _refuse_if_unclear(session, phase, index, key, step)
    session.emit(e.StepStarted(phase, index, step.type, step.title, key, once))
    started = time.monotonic()
    try:
        async with session.lease.kept():
            summary, result = await _perform(session, ctx, step)
    except StepFailedError as failure:
        _fail(session, phase, index, failure, started)
        raise
    except CutoverError as error:
        if error.exit_code != EXIT_FAILED:
            raise
        failed = StepFailedError(error.message)
        failed.hint = error.hint
        _fail(session, phase, index, failed, started)
        raise failed from error
    except asyncio.CancelledError:
        await _stop_in_the_middle(session, step)
        raise
    session.emit(
        e.StepPassed(
            phase=phase,
            index=index,
            key=key,
            summary=summary,
            seconds=time.monotonic() - started,
            figures=result.figures if result else {},
            artifacts=_keep(ctx, result),
            once=once,
        )
    )


def _already_done(session: Session, phase: str, index: int, key: str) -> str:
    if session.state.done_steps.get(f"{phase}/{key}") == f"once:{key}":
        return "done earlier in this run; it must not run twice"
    done = session.state.done_steps.get(step_id(phase, index), "")
    return "passed before the interruption" if done == key else ""


def _refuse_if_unclear(session: Session, phase: str, index: int, key: str, step: Step) -> None:
    """An action that must not run twice was under way when a process died: only a person knows what it did."""
    if session.state.once_started != f"{phase}/{key}":
        return
    reason = f"{step.title!r} was started and its end was never seen: it may have run, wholly or in part"
    session.emit(e.RunPaused(phase, index, reason))
    raise WaitingError(reason, "`cutover resume` runs it again, `cutover resume --skip` takes it as done")


async def _perform(session: Session, ctx: StepContext, step: Step) -> tuple[str, Result | None]:
    if isinstance(step.settings, Check):
        result = await _check(session, ctx, step)
        return result.summary, result
    assert isinstance(step.settings, Action)  # noqa: S101 - there are checks and actions
    gates = getattr(step.settings, "gates", ())
    if step.type == "shift" and has_stepped_back(ctx):
        raise await stay_back(ctx, step)
    try:
        if step.type == "shift" and gates:
            await evaluate_once(ctx, early_gates(gates))
            await refuse_obstacles(ctx, gates, getattr(step.settings, "hold", 0.0))
        return await _act(ctx, step), None
    except StepFailedError as failure:
        if failure.on_fail != "step_back":
            raise
        raise await step_back(ctx, step, failure) from failure


def early_gates(gates: Sequence[Gate]) -> list[Gate]:
    """The gates that can be asked before new has any traffic."""
    return [gate for gate in gates if not getattr(gate.settings, "needs_traffic", False)]


async def refuse_obstacles(ctx: StepContext, gates: Sequence[Gate], held_s: float) -> None:
    """Gates that need traffic are asked later, but what prevents them is found out before any moves.

    Where some is on new already, a gate that can't be asked just now is given the time that a hold would give it.
    """
    early = early_gates(gates)
    for gate in gates:
        if gate in early or gate.consequence(Verdict.UNKNOWN) == "continue":
            continue
        give_up = time.monotonic() + (PATIENCE_S if ctx.weight else 0.0)
        while (obstacle := await _obstacle(ctx, gate, held_s)) is not None:
            if time.monotonic() >= give_up:
                raise failure_of(ctx, gate, Result(Verdict.UNKNOWN, obstacle))
            await asyncio.sleep(ASK_AGAIN_S)


async def _obstacle(ctx: StepContext, gate: Gate, held_s: float) -> str | None:
    limit = time_limit(gate)
    try:
        async with asyncio.timeout(limit):
            filled = (await ctx.ready(gate)).filled(gate).settings
            assert isinstance(filled, Check)  # noqa: S101 - gates are checks by the model
            return await filled.obstacle(ctx, held_s)
    except TimeoutError:
        return f"no answer within {format_duration(limit)}"
    except UnsavedError as error:
        return error.message


async def _act(ctx: StepContext, step: Step) -> str:
    values = await ctx.ready(step)
    filled = values.filled(step).settings
    assert isinstance(filled, Action)  # noqa: S101 - as it was before
    try:
        async with asyncio.timeout(step.timeout):
            return await filled.run(replace(ctx, values=values))
    except TimeoutError:
        raise StepFailedError(f"not done within {format_duration(step.timeout or 0)}") from None


async def _check(session: Session, ctx: StepContext, step: Step) -> Result:
    def again(result: Result, attempt: int) -> None:
        session.emit(e.StepRetried(ctx.phase, ctx.index, result.verdict, result.summary, attempt))

    result = await measure_patiently(step, ctx, again)
    if result.passed:
        return result
    failure = StepFailedError(result.summary, result.verdict, figures=result.figures, artifacts=_keep(ctx, result))
    failure.hint = step.settings.hint if isinstance(step.settings, Check) else None
    raise failure


def _fail(session: Session, phase: str, index: int, failure: StepFailedError, started: float) -> None:
    session.emit(
        e.StepFailed(
            phase=phase,
            index=index,
            verdict=failure.verdict,
            summary=failure.message,
            seconds=time.monotonic() - started,
            figures=failure.figures,
            artifacts=failure.artifacts,
        )
    )


def _keep(ctx: StepContext, result: Result | None) -> str:
    """Write a check's result to the artifacts; the name of the file, or nothing where there is none."""
    if result is None:
        return ""
    name = f"steps/{ctx.phase}-{ctx.index + 1}/result.json"
    ctx.session.artifacts_note(ctx.session.artifacts.write_json(name, result.to_json()))
    return name


async def _stop_in_the_middle(session: Session, step: Step) -> None:
    """A signal, or a lost lock. A shift goes back to the weight before the step; the rest leaves traffic alone."""
    if step.type == "shift" and session.state.step_base is not None:
        await go_back(session, session.state.step_base)


async def go_back(session: Session, base: int) -> None:
    """After a signal, to the weight from before. Who lost the lock changes nothing more."""
    if session.signum is None:
        return
    try:
        await recover(session)
        if session.state.weight != base and not session.state.undone:
            await shift_to(session, base)
    except (LockedError, UnsafeError):
        raise
    except CutoverError as error:
        session.emit(e.RunInterrupted(signal.Signals(session.signum).name, session.state.weight))
        raise UnsafeError(
            f"interrupted, and traffic could not be brought back to weight {base}: {error.message}; "
            f"it is at weight {session.state.weight}",
            "\n".join(await session.proxy.by_hand(base)),
        ) from error
