"""One weight change, with its conditions, its journal entries and what follows a death in its middle."""

from __future__ import annotations

from cutover.engine import events as e
from cutover.engine.failures import DriftError, StepFailedError
from cutover.engine.lapse import settle_ended
from cutover.engine.observing import log_end
from cutover.engine.session import Session
from cutover.errors import CheckFailedError, ProxyError, UnsafeError
from cutover.journal import identity
from cutover.proxy.base import Changed, Intent
from cutover.proxy.lease import LeaseEndedError

VALIDATE_PHASE = "validate"


async def shift_to(session: Session, weight: int, *, settle: bool = False) -> Changed | None:
    """Make ``weight`` live, verified. None where it already was.

    Toward new it needs a passed ``validate`` and a proxy that nobody else changed; toward old it is always allowed.
    """
    if weight > await weight_for_sure(session):
        require_validated(session)
        await check_drift(session)
    elif not settle:
        await _note_drift(session)
    if weight == session.state.weight and not settle and await _is_live(session, weight):
        return None
    before = session.state.weight
    try:
        changed = await session.proxy.change(weight, session.guard, settle=settle)
    except ProxyError as error:
        if session.state.pending is not None:
            session.emit(e.ShiftFailed(weight, before, error.message))
        raise
    except UnsafeError as error:
        session.emit(e.ShiftFailed(weight, None, error.message))
        raise
    await keep_live_config(session, weight)
    session.emit(
        e.ShiftVerified(
            weight=weight,
            revision=changed.live.revision,
            from_weight=before,
            timings=changed.timings,
            draining=changed.draining,
            log=await log_end(session),
        )
    )
    return changed


async def weight_for_sure(session: Session) -> int:
    """The lower of what the journal intends and what the proxy says: what goes beyond it goes toward new."""
    live = await session.proxy.live()
    return session.state.weight if live.weight is None else min(session.state.weight, live.weight)


async def keep_live_config(session: Session, weight: int) -> None:
    """The file as it now stands, for the artifacts."""
    try:
        text = await session.proxy.current()
    except ProxyError as error:
        session.artifacts_note(f"the configuration was not kept: {error.message}")
        return
    if text is not None:
        session.keep_config(weight, text)


async def recover(session: Session) -> None:
    """Finish what a killed process had begun: find which configuration serves, and write down that it does."""
    if await settle_ended(session):
        return
    pending = session.state.pending
    if pending is None:
        return
    live = await session.proxy.recover(Intent(**pending), session.guard)
    weight = session.state.weight if live.weight is None else live.weight
    log = await log_end(session)
    session.emit(e.ShiftVerified(weight, live.revision, session.state.weight, recovered=True, log=log))


def require_validated(session: Session) -> None:
    """Raise unless ``validate``, where the plan has one, has passed in this run for this very plan."""
    if VALIDATE_PHASE not in session.plan.phases:
        return
    if session.state.passed_under(VALIDATE_PHASE, session.plan_hash):
        return
    stale = VALIDATE_PHASE in session.state.passed
    obstacle = (
        "validate passed for another version of this plan, not for this one"
        if stale
        else "validate has not passed in this run"
    )
    if session.force_reason is not None:
        session.emit(e.ForcedPast(obstacle, session.force_reason, identity.user()))
        return
    raise CheckFailedError(
        f"{obstacle}; traffic stays at weight {session.state.weight}",
        "run `cutover validate`, or override with --force --reason TEXT",
    )


async def check_drift(session: Session) -> None:
    """Raise ``DriftError`` when the proxy is not as cutover last left it, ``ProxyError`` when it can't be asked.

    And, where a lease has ended, a failure that nothing but a rollback follows.
    """
    try:
        message = await session.proxy.drift(session.expected)
    except LeaseEndedError as error:
        session.emit(e.DriftFound(error.message))
        raise StepFailedError(error.message, on_fail="rollback") from error
    if message is None:
        return
    session.emit(e.DriftFound(message))
    raise DriftError(message)


async def _note_drift(session: Session) -> None:
    """Toward old nothing is refused, but it is told."""
    try:
        message = await session.proxy.drift(session.expected)
    except LeaseEndedError as error:
        message = error.message
    except ProxyError as error:
        message = f"what stands cannot be compared: {error.message}"
    if message is not None:
        session.emit(e.DriftFound(message))


async def _is_live(session: Session, weight: int) -> bool:
    live = await session.proxy.live()
    return live.weight == weight and live.revision == session.state.revision
