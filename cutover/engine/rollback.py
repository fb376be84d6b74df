"""Everything back to old, verified: the last thing to fail."""

from __future__ import annotations

import time
from contextlib import suppress

from cutover.engine import events as e
from cutover.engine.failures import StepFailedError
from cutover.engine.old import trouble_with_old
from cutover.engine.session import Session
from cutover.engine.shifting import keep_live_config
from cutover.engine.steps import run_step
from cutover.errors import CheckFailedError, CutoverError, LockedError, ProxyError, UnsafeError
from cutover.plan.model import ROLLBACK_PHASE
from cutover.proxy import emergency
from cutover.proxy.base import Changed


async def roll_back(session: Session, reason: str, *, automatic: bool, force: bool = False) -> None:
    """Weight 0, verified, then the ``rollback`` phase, then the end of the run.

    Raises ``UnsafeError`` when old does not answer (unless ``force``) or weight 0 could not be verified;
    ``CheckFailedError`` when only the steps of the ``rollback`` phase failed.
    """
    session.last_resort = True
    session.emit(e.RollbackStarted(reason, automatic))
    if not force:
        await _require_old(session)
    await _to_zero(session)
    failures = await _rollback_phase(session)
    session.emit(e.RunEnded("rolled_back", 0))
    if failures:
        raise CheckFailedError(
            "traffic is back at old, verified; but steps of the rollback phase failed: " + "; ".join(failures),
            "run those steps by hand",
        )


async def _require_old(session: Session) -> None:
    problem = await trouble_with_old(session)
    if problem is None:
        return
    message = f"old does not answer ({problem}): {await session.lease.stay()}"
    session.emit(e.RollbackFailed(message))
    raise UnsafeError(message, "bring old back and run `cutover rollback`, or `cutover rollback --force` all the same")


async def _to_zero(session: Session) -> None:
    started = time.monotonic()
    before = session.state.weight
    try:
        changed = await _change(session)
    except (ProxyError, UnsafeError) as error:
        session.emit(e.RollbackFailed(error.message))
        raise UnsafeError(
            f"traffic could not be brought back to old: {error.message}", await _by_hand(session, error)
        ) from error
    await session.lease.clear()
    await keep_live_config(session, 0)
    await _note_absence(session)
    session.emit(
        e.RolledBack(
            revision=changed.live.revision,
            from_weight=before,
            seconds=time.monotonic() - started,
            draining=changed.draining,
        )
    )


async def _note_absence(session: Session) -> None:
    """By client the way back is a rename, which workers without a master follow: it is no reason to touch them."""
    with suppress(ProxyError):
        if (why := await session.proxy.host.absence()) is not None:
            session.problems.append(f"all traffic is on old, but {why.message}; {why.hint}")


async def _change(session: Session) -> Changed:
    """By the plan as it is now; where that fails, by the settings of the run's start, if they are others."""
    try:
        return await session.proxy.change(0, session.guard)
    except ProxyError as error:
        try:
            before = emergency.load(session.folder)
        except CutoverError:
            raise error from None
        if before.spec == session.proxy.spec:
            raise
        session.problems.append(
            f"with the plan as it is now, {error.message}: the settings of the run's start are used"
        )
        session.proxy = before
        return await before.change(0, session.guard)


async def _by_hand(session: Session, error: CutoverError) -> str | None:
    if isinstance(error, UnsafeError):
        return error.hint
    commands = await session.proxy.by_hand(0)
    again = "run `cutover rollback` again, or by hand:"
    return "\n".join([f"{error.hint}; then {again}" if error.hint else again, *commands])


async def _rollback_phase(session: Session) -> list[str]:
    """Every step is tried, whatever became of the one before; the summaries of those that failed."""
    if session.loaded is None:
        return []
    steps = session.plan.phases.get(ROLLBACK_PHASE, [])
    if not steps:
        return []
    started = time.monotonic()
    session.emit(e.PhaseStarted(ROLLBACK_PHASE, session.plan_hash, len(steps)))
    failures: list[str] = []
    for index, step in enumerate(steps):
        try:
            await run_step(session, ROLLBACK_PHASE, index, step)
        except LockedError:
            raise
        except (StepFailedError, CutoverError) as failure:
            if step.on_fail != "continue":
                failures.append(f"{step.title}: {failure.message}")
    if failures:
        session.emit(e.PhaseFailed(ROLLBACK_PHASE, "; ".join(failures)))
    else:
        session.emit(e.PhasePassed(ROLLBACK_PHASE, session.plan_hash, time.monotonic() - started))
    return failures
