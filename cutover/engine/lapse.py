"""A lease that ended while nobody worked on the run: what is left of what the run had reached."""

from __future__ import annotations

from cutover.engine import events as e
from cutover.engine.observing import log_end
from cutover.engine.session import Session
from cutover.errors import CheckFailedError
from cutover.proxy import lease as on_proxy


async def settle_ended(session: Session) -> bool:
    """Where a lease ended with nobody there, traffic is at old: make that the weight, so that no renewal moves it.

    What phases had reached is gone: those that shift have to pass again.
    """
    state = session.state
    if state.lease is None:
        return False
    live = await session.proxy.live()
    if live.lease != "ended":
        return False
    lease = await on_proxy.read(session.proxy, live)
    if state.moved:
        session.emit(e.LeaseEnded(lease.until if lease else 0.0, state.weight, _undone(session)))
        changed = await session.proxy.change(0, session.guard)
        log = await log_end(session)
        session.emit(e.ShiftVerified(0, changed.live.revision, state.weight, changed.timings, log=log))
    await session.lease.release(ended_too=True)
    return bool(state.moved)


async def go_on_leased(session: Session, scope: list[str]) -> None:
    """The proxy is up, perhaps only now: whether a lease ended meanwhile, and what may be done then.

    Raises where phases would shift from 0 that were to go on from what an ended lease undid.
    """
    if not await settle_ended(session):
        await session.lease.take_up()
    missing = [phase for phase in session.state.undone if phase not in scope]
    if missing and any(step.type == "shift" for phase in scope for step in session.plan.phases.get(phase, [])):
        raise CheckFailedError(
            f"the lease ended and nginx returned all traffic to old: {', '.join(missing)} has to run again first",
            "run `cutover run`",
        )


def _undone(session: Session) -> list[str]:
    """The phases that shifted traffic: those that passed, and the present one."""
    state = session.state
    return [
        name
        for name in session.plan.forward_phases
        if (name in state.passed or name == state.phase) and any(s.type == "shift" for s in session.plan.phases[name])
    ]
