"""What the commands that work on a run do, each as the procedure it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from cutover.engine import events as e
from cutover.engine.context import StepContext
from cutover.engine.failures import StepFailedError
from cutover.engine.gates import evaluate_once
from cutover.engine.lapse import go_on_leased
from cutover.engine.old import trouble_with_old
from cutover.engine.opening import Options, work_on, work_on_wreck
from cutover.engine.overview import status
from cutover.engine.phases import CLEANUP_PHASE, choose_phases, finish, run_phases
from cutover.engine.rollback import roll_back
from cutover.engine.session import Session
from cutover.engine.shifting import shift_to, weight_for_sure
from cutover.engine.steps import early_gates, go_back, refuse_obstacles
from cutover.errors import CheckFailedError, UsageError, WaitingError
from cutover.journal import exclusive
from cutover.plan.step import Gate, Step
from cutover.plan.thresholds import Verdict
from cutover.proxy import emergency

OUTCOMES = frozenset({"done", "rolled_back", "aborted"})
Ask = Callable[[str], bool]


async def run(options: Options, *, only: str | None, first: str | None, last: str | None) -> Session:
    """Run phases in order; continues the open run."""

    async def work(session: Session) -> None:
        names = choose_phases(session.plan, only, first, last)
        if _is_done(session):
            session.emit(e.PhaseSkipped(names[-1], f"run {session.state.run} of this very plan is done"))
            return
        _refuse_while_waiting(session)
        await open_or_continue(session, names)
        await run_phases(session, names)

    return await work_on(options, "run", work)


async def phase(options: Options, name: str) -> Session:
    """One phase, also when it passed before."""

    async def work(session: Session) -> None:
        if name not in session.plan.phases and name != CLEANUP_PHASE:
            known = ", ".join(session.plan.forward_phases)
            raise UsageError(f"the plan has no phase {name!r}", f"it has: {known}")
        _refuse_while_waiting(session)
        await open_or_continue(session, [name], reopen=name == CLEANUP_PHASE)
        await run_phases(session, [name], again=True)
        if name == CLEANUP_PHASE and session.state.open:
            session.emit(e.RunEnded("done", session.state.weight, settled=True))

    return await work_on(options, "promote" if name == "cutover" else name, work)


async def shift(options: Options, weight: int, hold_s: float) -> Session:
    """One weight change: toward new gated by the plan, toward old always allowed."""

    async def work(session: Session) -> None:
        _refuse_while_waiting(session)
        await open_or_continue(session, [])
        now = await weight_for_sure(session)
        if weight < now or not weight or (weight == now and not hold_s):
            await shift_to(session, weight)
            return
        step = gating_step(session, weight)
        gates: list[Gate] = list(getattr(step.settings, "gates", ())) if step else []
        every = float(getattr(step.settings, "every", 5.0)) if step else 5.0
        ctx = StepContext(session, "shift", 0, on_fail=step.on_fail if step is not None else None)
        base = session.state.weight
        lease = getattr(step.settings, "lease", None) if step else None
        try:
            async with session.lease.kept():
                await evaluate_once(ctx, early_gates(gates))
                await _judge_so_far(session, ctx, gates, hold_s)
                if lease is not None:
                    await ctx.lease(lease)
                await ctx.shift(weight)
                # Without a hold there is no traffic to judge yet: the next change by hand does.
                await ctx.hold(hold_s, gates if hold_s else early_gates(gates), every)
        except StepFailedError as failure:
            await _failed_shift(session, failure, step, base)
        except asyncio.CancelledError:
            await go_back(session, base)
            raise

    return await work_on(options, f"shift --weight {weight}", work)


async def _judge_so_far(session: Session, ctx: StepContext, gates: list[Gate], hold_s: float) -> None:
    """The gates on traffic, over what was seen at the weight that is to be left. Too little seen changes nothing."""
    early = early_gates(gates)
    try:
        if hold_s:
            await refuse_obstacles(ctx, gates, hold_s)
        if session.state.weight:
            await evaluate_once(ctx, [gate for gate in gates if gate not in early])
    except StepFailedError as failure:
        if failure.verdict is not Verdict.UNKNOWN or not session.state.weight:
            raise
        raise CheckFailedError(
            f"{failure.message}; traffic stays at weight {session.state.weight}", "try again when more requests came"
        ) from failure


async def _failed_shift(session: Session, failure: StepFailedError, step: Step | None, base: int) -> None:
    usual = "rollback" if session.state.moved else "stop"
    consequence = failure.on_fail or (step.on_fail if step is not None else None) or usual
    if consequence == "continue":
        return
    if consequence == "step_back" and base < session.state.weight and await trouble_with_old(session) is None:
        was = session.state.weight
        await shift_to(session, base)
        session.emit(e.SteppedBack("shift", 0, was, base, failure.message))
        raise CheckFailedError(f"{failure.message}; traffic was brought back from weight {was} to {base}, verified")
    if consequence == "pause":
        session.emit(e.RunPaused("shift", 0, failure.message))
        raise WaitingError(f"paused: {failure.message}", "`cutover resume`, or `cutover rollback`") from failure
    if not session.state.moved:
        raise CheckFailedError(f"{failure.message}; traffic never moved", failure.hint) from failure
    was = session.state.weight
    await finish(roll_back(session, failure.message, automatic=True))
    raise CheckFailedError(
        f"{failure.message}; traffic was brought back from weight {was} to old, verified", failure.hint
    ) from failure


def gating_step(session: Session, weight: int) -> Step | None:
    """The plan's first shift step that goes at least so far: its gates guard a change by hand."""
    shifts = [s for p in session.plan.forward_phases for s in session.plan.phases[p] if s.type == "shift"]
    for step in shifts:
        through = getattr(step.settings, "through", None) or [getattr(step.settings, "to", 0)]
        if max(through) >= weight:
            return step
    return shifts[-1] if shifts else None


async def rollback(options: Options, *, reason: str, force: bool) -> Session:
    """Weight 0 now, verified, then the ``rollback`` phase; with or without an open run."""

    async def work(session: Session) -> None:
        if not session.state.open and session.state.outcome != "done":
            live = await session.proxy.live()
            session.open_run(session.state.weight if live.weight is None else live.weight, [])
        await finish(roll_back(session, reason, automatic=False, force=force))

    return await work_on_wreck(options, "rollback", work)


async def abort(options: Options, *, reason: str, ask: Ask) -> Session:
    """End the run and stop who works on it; traffic stays where it is."""
    # Asked before the lock is taken: until there is an answer, who works on the run goes on.
    found = await status(options)
    if found["run"] is None or found["state"] in OUTCOMES:
        raise UsageError("there is no open run to abort")
    live, intended = found["weight"]["live"], found["weight"]["intended"]
    stays = intended if live is None else live
    if stays and not ask(f"traffic stays at weight {stays}, watched by nobody. Abort all the same?"):
        raise UsageError("not aborted", "`cutover rollback` brings traffic back and ends the run")

    async def work(session: Session) -> None:
        if not session.state.open:
            raise UsageError("there is no open run to abort")
        # Whoever is in the middle of a change is through with it then: what is told is what stays.
        async with exclusive(session.folder, required=False):
            live = await session.proxy.live()
            weight = session.state.weight if live.weight is None else live.weight
            await session.lease.stay()
            session.emit(e.RunEnded("aborted", weight, reason=reason))

    return await work_on_wreck(options, "abort", work)


async def approve(options: Options, *, by: str, reason: str) -> Session:
    """Record that a person approved what the run waits for."""

    async def work(session: Session) -> None:
        if session.state.status != "waiting" or not session.state.waiting_for:
            raise UsageError("nothing waits for an approval", "see `cutover status`")
        session.emit(e.Approved(by, reason))

    return await work_on(options, "approve", work)


async def resume(options: Options, *, by: str, skip: bool) -> Session:
    """Go on after a pause or an approval, with the phases that the waiting command was to run."""

    async def work(session: Session) -> None:
        state = session.state
        if not state.open or not (state.waiting or state.approved_here):
            raise UsageError("the run does not wait; nothing to resume", "`cutover run` goes on after an interruption")
        if state.asks_approval:
            raise WaitingError(f"still waiting for approval: {state.waiting_for}", "`cutover approve`")
        skipped = state.once_started if skip else ""
        session.emit(e.RunResumed(by, skipped))
        scope = list(state.scope)
        await open_or_continue(session, scope)
        await run_phases(session, scope)

    return await work_on(options, "resume", work)


async def open_or_continue(session: Session, scope: list[str], *, reopen: bool = False) -> None:
    """The open run, or a new one; the proxy up, with what a rollback needs written down."""
    state = session.state
    if state.open and state.rolling_back:
        raise CheckFailedError(
            f"a rollback was cut short ({state.rolling_back}); traffic stays at weight {state.weight}",
            "`cutover rollback` finishes it",
        )
    fresh = not (state.open or (reopen and state.outcome == "done"))
    if fresh:
        follows = state.outcome == "done" and set(state.new_servers) == set(session.plan.backends.old.servers)
        await session.lease.clear()
        live = await session.proxy.live()
        session.open_run(live.weight or 0, scope)
    else:
        session.emit(e.RunContinued(scope, state.weight))
    if not _needs_proxy(session, scope):
        return
    live = await session.proxy.ensure(session.guard)
    await go_on_leased(session, scope)
    if fresh or session.state.revision is None or session.state.pending is not None:
        session.emit(e.ProxyReady(live.weight, live.revision))
        if fresh and follows and live.weight:
            await shift_to(session, 0)
    if fresh or not emergency.written(session.folder):
        # Not anew for a plan that was edited since: what was tried and found good is what a rollback falls back on.
        await emergency.write(session.proxy, session.folder, session.plan.backends.old.url)
    _keep_plan(session)


def _needs_proxy(session: Session, scope: list[str]) -> bool:
    """Comparing two backends needs no proxy: ``validate`` runs from a laptop. A managed one is started all the same."""
    if scope != ["validate"] or session.plan.proxy.control.kind == "managed":
        return True
    return any(getattr(s.settings, "backend", "") == "proxy" for s in session.plan.phases["validate"])


def _keep_plan(session: Session) -> None:
    if session.loaded is not None:
        session.artifacts_note(session.artifacts.write("plan.yml", session.loaded.resolved_yaml()))


def _is_done(session: Session) -> bool:
    state = session.state
    return state.outcome == "done" and all(
        state.passed_under(p, session.plan_hash) for p in session.plan.forward_phases
    )


def _refuse_while_waiting(session: Session) -> None:
    state = session.state
    if state.open and state.waiting:
        hint = "`cutover approve`, then `cutover resume`" if state.asks_approval else "`cutover resume`"
        raise WaitingError(f"the run waits: {state.waiting_for}", hint)
