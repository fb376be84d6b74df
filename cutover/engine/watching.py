"""``cutover watch``: the plan's gates at the weight there is, outside the phases of a run."""

from __future__ import annotations

import asyncio
import math
import signal

from cutover.engine import events as e
from cutover.engine.commands import open_or_continue
from cutover.engine.context import StepContext
from cutover.engine.failures import StepFailedError
from cutover.engine.holding import Watched
from cutover.engine.holding import watch as keep_watch
from cutover.engine.opening import Options, work_on
from cutover.engine.phases import roll_back_and_raise
from cutover.engine.session import Session
from cutover.errors import EXIT_FAILED, CheckFailedError, CutoverError, ProxyError, UsageError
from cutover.plan.model import Plan
from cutover.plan.step import Gate, Step
from cutover.proxy.lease import LeaseEndedError

Place = tuple[str, int, Step]


async def watch(options: Options, *, seconds: float | None, every: float | None, rolls_back: bool) -> Session:
    """Until stopped, or for so many ``seconds``. A breach brings traffic back as in a run, or is only told.

    ``every`` goes before what the plan says. The state of the run is left as it is.
    """

    async def work(session: Session) -> None:
        places = watched_steps(session.plan)
        if not places:
            raise UsageError("the plan has no gates to watch", "give a watch or a shift some gates")
        await _require_traffic_on_new(session)
        watched = [
            Watched(
                StepContext(session, phase, index, on_fail=step.on_fail),
                number,
                gate,
                every or gate.every or step_every(step),
            )
            for phase, index, step in places
            for number, gate in enumerate(gates_of(step), start=1)
        ]
        await _watch(session, watched, seconds, rolls_back=rolls_back)

    return await work_on(options, "watch", work)


def watched_steps(plan: Plan) -> list[Place]:
    """The ``watch`` steps; where there is none the last ``shift`` that has gates."""
    steps = [(phase, i, step) for phase in plan.forward_phases for i, step in enumerate(plan.phases[phase])]
    watches = [place for place in steps if place[2].type == "watch"]
    return watches or [place for place in steps if place[2].type == "shift" and gates_of(place[2])][-1:]


def gates_of(step: Step) -> list[Gate]:
    return list(getattr(step.settings, "gates", ()))


def step_every(step: Step) -> float:
    return float(getattr(step.settings, "every"))  # noqa: B009 - of both that have gates


async def _require_traffic_on_new(session: Session) -> None:
    """In the open run, or the one that is done; a new one only where somebody left traffic on new without a run."""
    state = session.state
    if state.open and state.rolling_back:
        raise CheckFailedError(
            f"a rollback was cut short ({state.rolling_back}); traffic stays at weight {state.weight}",
            "`cutover rollback` finishes it",
        )
    recorded = state.open or state.outcome == "done"
    if not await session.proxy.host.running():
        await session.proxy.host.start()
    live = await session.proxy.live()
    if live.weight is None and not recorded:
        raise ProxyError(f"the proxy can't be asked what it runs: {live.reason}")
    if not (state.weight if recorded else live.weight):
        raise UsageError(
            "all traffic is on old: there is nothing to watch", "`cutover shift` or `cutover run` moves it"
        )
    if not recorded:
        await open_or_continue(session, [])


async def _watch(session: Session, watched: list[Watched], seconds: float | None, *, rolls_back: bool) -> None:
    weight = session.state.weight
    session.emit(e.WatchStarted(weight, seconds, len(watched), rolls_back))
    try:
        async with session.lease.kept():
            await keep_watch(session, watched, seconds=math.inf if seconds is None else seconds)
    except StepFailedError as failure:
        session.emit(e.WatchEnded(weight, passed=False, reason=failure.message))
        if not rolls_back and isinstance(failure.__cause__, LeaseEndedError):
            raise CheckFailedError(failure.message, "`cutover run` shifts anew, `cutover rollback` ends") from failure
        if not rolls_back or failure.on_fail == "pause":
            raise CheckFailedError(
                f"{failure.message}; traffic stays at weight {weight}", "`cutover rollback` brings it back"
            ) from failure
        await roll_back_and_raise(session, failure.message, failure)
    except asyncio.CancelledError:
        if session.signum is None:
            raise
        # Not the run is interrupted, only who looked on: its state stays what it was.
        session.emit(e.WatchEnded(weight, passed=True, reason=f"stopped by {signal.Signals(session.signum).name}"))
        raise session.interrupted(f"traffic is at weight {weight}") from None
    except CutoverError as error:
        if rolls_back and error.exit_code == EXIT_FAILED and session.unrecorded:
            await roll_back_and_raise(session, error.message, error)
        raise
    session.emit(e.WatchEnded(weight, passed=True))
