"""One step back: a gate failed at a weight, and traffic goes to the last one that held, is watched there, and waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cutover.engine import events as e
from cutover.engine.failures import StepFailedError
from cutover.engine.old import trouble_with_old
from cutover.engine.shifting import shift_to
from cutover.plan.step import Step

if TYPE_CHECKING:
    from cutover.engine.context import StepContext


async def step_back(ctx: StepContext, step: Step, failure: StepFailedError) -> StepFailedError:
    """Do it, and return how the step ends: paused at that weight, or all the way back.

    Where there is no lower weight that held, or old can't take more, it is a failure as any.
    """
    session, failed = ctx.session, ctx.weight
    weight = last_that_held(ctx)
    if session.unrecorded or weight is None or await trouble_with_old(session) is not None:
        failure.on_fail = None
        return failure
    session.emit(e.StepBackDecided(ctx.phase, ctx.index, failed, weight, failure.message, ctx.of))
    return await stay_back(ctx, step)


def last_that_held(ctx: StepContext) -> int | None:
    """Below the present weight: in this step, else before it."""
    state = ctx.session.state
    base = [] if state.step_base is None else [state.step_base]
    return max((weight for weight in (*state.held_in(ctx.of), *base) if weight < state.weight), default=None)


async def stay_back(ctx: StepContext, step: Step) -> StepFailedError:
    """Another hold at the weight that was gone back to, then a pause; who fails there too goes back all the way."""
    session = ctx.session
    stepped = session.state.stepped_back or {}
    first, failed, weight = stepped["reason"], stepped["from_weight"], stepped["weight"]
    if session.state.weight != weight:
        if (trouble := await trouble_with_old(session)) is not None:
            return StepFailedError(f"{first}; old can't take more, it does not answer ({trouble})")
        await shift_to(session, weight)
    if not stepped.get("done"):
        session.emit(e.SteppedBack(ctx.phase, ctx.index, failed, weight, first, ctx.of))
    try:
        if weight:
            gates, seconds, every = (getattr(step.settings, name) for name in ("gates", "hold", "every"))
            await ctx.hold(seconds, gates, every)
    except StepFailedError as failure:
        message = f"{first}; stepped back to {weight}, where {failure.message}"
        return StepFailedError(message, failure.verdict, "rollback")
    return StepFailedError(f"{first}; stepped back from {failed} to {weight}", on_fail="pause")


def has_stepped_back(ctx: StepContext) -> bool:
    """Whether an earlier process decided to go back in this very step, and did not get to its end."""
    stepped = ctx.session.state.stepped_back
    return stepped is not None and stepped["of"] == ctx.of
