"""Gates, one evaluation of them: within its time limit, told, and kept where it did not pass."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from cutover.checks.base import Check, CheckContext, Result
from cutover.engine import events as e
from cutover.engine.failures import StepFailedError
from cutover.engine.variables import UnsavedError
from cutover.plan.step import Gate, Step
from cutover.plan.thresholds import Verdict
from cutover.plan.units import format_duration

if TYPE_CHECKING:
    from cutover.engine.context import StepContext

GRACE_S = 60.0
CANCEL_AGAIN_S = 1.0


def time_limit(step: Step) -> float:
    """Seconds after which a step that hangs is given up: its own ``timeout``, else well over what it needs."""
    if step.timeout is not None:
        return step.timeout
    retried = step.retry.for_ if step.retry else 0.0
    return retried + 2 * step.settings.least_seconds() + GRACE_S


async def measure_patiently(
    check: Step, ctx: StepContext, again: Callable[[Result, int], None] = lambda _result, _attempt: None
) -> Result:
    """Run a check, as often as its ``retry`` says until it passes; ``again`` is told before each further try."""
    retry, started, attempt = check.retry, time.monotonic(), 1
    while True:
        result = await measure(check, ctx)
        if result.passed or retry is None or time.monotonic() + retry.every > started + retry.for_:
            return result if result.passed or attempt == 1 else _after(attempt, result)
        again(result, attempt)
        attempt += 1
        await asyncio.sleep(retry.every)


def _after(attempts: int, result: Result) -> Result:
    return replace(result, summary=f"{result.summary} (after {attempts} tries)")


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


async def evaluate_once(ctx: StepContext, gates: Sequence[Gate]) -> None:
    """All gates side by side, before a weight changes: raise at the first that does not pass."""
    await all_of([asyncio.create_task(_must_pass(ctx, number, gate)) for number, gate in enumerate(gates, start=1)])


async def _must_pass(ctx: StepContext, number: int, gate: Gate) -> None:
    started = time.monotonic()
    result = await measure_patiently(gate, ctx)
    if not result.passed:
        keep(ctx, number, gate, result)
    ctx.session.emit(evaluated(ctx, number, gate, result, time.monotonic() - started))
    if not result.passed and gate.consequence(result.verdict) != "continue":
        raise failure_of(ctx, gate, result)


async def all_of(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Side by side; the first that raises ends the others."""
    try:
        for done in asyncio.as_completed(tasks):
            await done
    finally:
        await _end(tasks)


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancelled until they do end: a check's library may swallow it once."""
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=CANCEL_AGAIN_S)
    await asyncio.gather(*tasks, return_exceptions=True)


def evaluated(ctx: StepContext, number: int, gate: Gate, result: Result, seconds: float) -> e.GateEvaluated:
    return e.GateEvaluated(
        phase=ctx.phase,
        index=ctx.index,
        gate=gate.title,
        verdict=result.verdict,
        summary=result.summary,
        weight=ctx.weight,
        seconds=seconds,
        figures=result.figures,
        number=number,
        limit=gate.settings.summary(),
        backends=result.backends,
    )


def failure_of(ctx: StepContext, gate: Gate, result: Result, count: str = "") -> StepFailedError:
    counted = f" ({count})" if count else ""
    summary = result.summary.removeprefix(f"{result.verdict}: ")
    return StepFailedError(
        f"gate {gate.title!r} at weight {ctx.weight}: {result.verdict}: {summary}{counted}",
        result.verdict,
        gate.consequence(result.verdict) or ctx.on_fail,
    )


def keep(ctx: StepContext, number: int, gate: Gate, result: Result, stamp: str = "") -> None:
    """What a gate saw when it did not pass; the figures of those that passed are in the journal."""
    session = ctx.session
    name = f"gates/{ctx.phase}-{ctx.index + 1}-{number}-{gate.type}-{stamp or session.journal_seq}.json"
    session.artifacts_note(session.artifacts.write_json(name, result.to_json()))
