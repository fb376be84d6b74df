"""Gates: evaluated at once, at an interval, and a last time when the hold ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from cutover.checks.base import Check, CheckContext, Result
from cutover.engine import events as e
from cutover.engine.failures import StepFailedError
from cutover.engine.session import Session
from cutover.engine.shifting import check_drift
from cutover.engine.variables import UnsavedError
from cutover.plan.step import Gate, Step
from cutover.plan.thresholds import Verdict
from cutover.plan.units import format_duration

if TYPE_CHECKING:
    from cutover.engine.context import StepContext

GRACE_S = 60.0


def time_limit(step: Step) -> float:
    """Seconds after which a step that hangs is given up: its own ``timeout``, else well over what it needs."""
    if step.timeout is not None:
        return step.timeout
    retried = step.retry.for_ if step.retry else 0.0
    return retried + 2 * step.settings.least_seconds() + GRACE_S


async def measure(check: Step, ctx: StepContext) -> Result:
    """Run a check once, within its time limit. What hangs could not be measured, nor what needs a value that lacks."""
    try:
        values = await ctx.ready(check)
        filled = values.filled(check)
    except UnsavedError as error:
        return Result(Verdict.UNKNOWN, error.message)
    result = await measure_with(filled, replace(ctx, values=values))
    if result.passed:
        ctx.session.variables.keep(result.saved)
    return result


async def measure_with(check: Step, ctx: CheckContext) -> Result:
    """Run a check once as it stands, within its time limit."""
    assert isinstance(check.settings, Check)  # noqa: S101 - gates and check steps are checks by the model
    limit = time_limit(check)
    try:
        async with asyncio.timeout(limit):
            return await check.settings.run(ctx)
    except TimeoutError:
        return Result(Verdict.UNKNOWN, f"no answer within {format_duration(limit)}")


async def evaluate_all(
    session: Session, where: tuple[str, int], ctx: StepContext, gates: Sequence[Gate], *, final: bool
) -> None:
    """All gates side by side; raise at the first that fails, or is still unknown when it is the last time."""
    tasks = [asyncio.create_task(_evaluate(session, where, ctx, gate)) for gate in gates]
    try:
        for done in asyncio.as_completed(tasks):
            gate, result = await done
            if gate.on_fail == "continue":
                continue
            if result.verdict is Verdict.FAIL or (final and result.verdict is Verdict.UNKNOWN):
                raise StepFailedError(
                    f"gate {gate.title!r} at weight {session.state.weight}: {result.verdict}: {result.summary}",
                    result.verdict,
                    gate.on_fail,
                )
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _evaluate(session: Session, where: tuple[str, int], ctx: StepContext, gate: Gate) -> tuple[Gate, Result]:
    started = time.monotonic()
    result = await measure(gate, ctx)
    if not result.passed:
        _keep(session, where, gate, result)
    session.emit(
        e.GateEvaluated(
            phase=where[0],
            index=where[1],
            gate=gate.title,
            verdict=result.verdict,
            summary=result.summary,
            weight=session.state.weight,
            seconds=time.monotonic() - started,
            figures=result.figures,
        )
    )
    return gate, result


def _keep(session: Session, where: tuple[str, int], gate: Gate, result: Result) -> None:
    """What a gate saw when it did not pass; the figures of those that passed are in the journal."""
    name = f"gates/{where[0]}-{where[1] + 1}-{gate.type}-{session.journal_seq}.json"
    session.artifacts_note(session.artifacts.write_json(name, result.to_json()))


async def hold(
    session: Session, where: tuple[str, int], ctx: StepContext, seconds: float, gates: Sequence[Gate], every: float
) -> None:
    """Stay at this weight for so long as the gates pass and nobody else changes the proxy."""
    weight = session.state.weight
    session.emit(e.HoldStarted(weight, seconds, len(gates)))
    started = time.monotonic()
    try:
        while True:
            tick = time.monotonic()
            final = tick >= started + seconds
            await check_drift(session)
            await evaluate_all(session, where, ctx, gates, final=final)
            if final:
                break
            next_tick = min(tick + every, started + seconds)
            await asyncio.sleep(max(0.0, next_tick - time.monotonic()))
    except StepFailedError as failure:
        session.emit(e.HoldEnded(weight, passed=False, reason=failure.message))
        raise
    session.emit(e.HoldEnded(weight, passed=True))
