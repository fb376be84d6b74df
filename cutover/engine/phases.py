"""Phases, in the order in which the plan writes them."""

from __future__ import annotations

import asyncio
import time
from difflib import get_close_matches
from typing import NoReturn

from cutover.engine import events as e
from cutover.engine.failures import StepFailedError
from cutover.engine.rollback import roll_back
from cutover.engine.session import Session
from cutover.engine.shifting import shift_to
from cutover.engine.steps import run_step
from cutover.errors import EXIT_FAILED, CheckFailedError, CutoverError, ProxyError, UsageError, WaitingError
from cutover.plan.model import Plan
from cutover.plan.step import Step

CUTOVER_PHASE = "cutover"
CLEANUP_PHASE = "cleanup"
FULL_WEIGHT = 100
AFTER_A_ROLLBACK = "`cutover report` tells what was seen; when it is mended, `cutover run` begins anew"


def choose_phases(plan: Plan, only: str | None, first: str | None, last: str | None) -> list[str]:
    """The forward phases that ``--only``, ``--from`` and ``--until`` name, in the plan's order."""
    names = plan.forward_phases
    for asked in (only, first, last):
        if asked is not None and asked not in names:
            close = get_close_matches(asked, names, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"it has: {', '.join(names)}"
            raise UsageError(f"the plan has no phase {asked!r}", hint)
    if only is not None:
        return [only]
    start = names.index(first) if first else 0
    end = names.index(last) + 1 if last else len(names)
    if start >= end:
        raise UsageError(f"phase {last!r} comes before {first!r}")
    return names[start:end]


async def run_phases(session: Session, names: list[str], *, again: bool = False) -> None:
    """Run phases in order; those that passed in this run for this very plan are not run twice unless ``again``."""
    try:
        for name in names:
            if not again and session.state.passed_under(name, session.plan_hash):
                session.emit(e.PhaseSkipped(name, "passed in this run for this very plan"))
                continue
            await run_phase(session, name)
        await end_if_done(session)
    except CutoverError as error:
        if error.exit_code == EXIT_FAILED and session.unrecorded and session.state.moved:
            await roll_back_and_raise(session, error.message, error)
        raise


async def run_phase(session: Session, name: str) -> None:
    steps = session.plan.phases.get(name, [])
    session.emit(e.PhaseStarted(name, session.plan_hash, len(steps)))
    started = time.monotonic()
    try:
        if name == CLEANUP_PHASE:
            await settle(session)
        for index, step in enumerate(steps):
            await _step(session, name, index, step)
        if name == CUTOVER_PHASE:
            await _release_lease(session, name)
    except CheckFailedError as failure:
        if session.state.status not in {"rolled_back", "failed"}:
            session.emit(e.PhaseFailed(name, failure.message))
        raise
    session.emit(e.PhasePassed(name, session.plan_hash, time.monotonic() - started))


async def _release_lease(session: Session, phase: str) -> None:
    """All has passed: traffic stays on new for good."""
    try:
        await session.lease.release()
    except ProxyError as error:
        session.emit(e.PhaseFailed(phase, error.message))
        await roll_back_and_raise(session, error.message, error)


async def settle(session: Session) -> None:
    """New-only for good: nothing that gets lost or restarted can send anyone to a backend that is gone."""
    if session.state.weight != FULL_WEIGHT:
        raise CheckFailedError(
            f"cleanup needs all traffic on new, and it is at weight {session.state.weight}",
            "run `cutover promote` first",
        )
    try:
        await session.lease.release()
        await shift_to(session, FULL_WEIGHT, settle=True)
    except ProxyError as error:
        raise CheckFailedError(f"new could not be made permanent: {error.message}", error.hint) from error


async def _step(session: Session, phase: str, index: int, step: Step) -> None:
    try:
        await run_step(session, phase, index, step)
    except StepFailedError as failure:
        consequence = _consequence(session, step, failure)
        if consequence == "continue":
            return
        if consequence == "pause":
            session.emit(e.RunPaused(phase, index, failure.message))
            raise WaitingError(
                f"paused: {failure.message}; traffic stays at weight {session.state.weight}",
                "`cutover resume` tries again, `cutover rollback` brings traffic back",
            ) from failure
        if consequence == "rollback":
            session.emit(e.PhaseFailed(phase, failure.message))
            await roll_back_and_raise(session, f"{_where(phase, step)}: {failure.message}", failure)
        where = f"{_where(phase, step)}: {failure.message}"
        stays = "traffic never moved" if not session.state.moved else f"traffic stays at weight {session.state.weight}"
        raise CheckFailedError(f"{where}; {stays}", failure.hint) from failure


def _where(phase: str, step: Step) -> str:
    return step.title if step.title.startswith(f"{phase}: ") else f"{phase}: {step.title}"


def _consequence(session: Session, step: Step, failure: StepFailedError) -> str:
    usual = "rollback" if session.state.moved else "stop"
    # Without a journal there is nothing to resume from, and no lock to go on with.
    return usual if session.unrecorded else failure.on_fail or step.on_fail or usual


async def roll_back_and_raise(session: Session, reason: str, failure: CutoverError) -> NoReturn:
    was = session.state.weight
    await finish(roll_back(session, reason, automatic=True))
    raise CheckFailedError(
        f"{reason}; traffic was brought back from weight {was} to old, verified", failure.hint or AFTER_A_ROLLBACK
    ) from failure


async def finish(work: object) -> None:
    """Run something to its end although this task is cancelled meanwhile; the cancellation follows after it."""
    task = asyncio.ensure_future(work)  # type: ignore[call-overload]
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            if task.cancelled():
                raise
            cancelled = error
        except BaseException:
            if not task.done():
                raise
    task.result()
    if cancelled is not None:
        raise cancelled


async def end_if_done(session: Session) -> None:
    """A run ends with cleanup, or when all its phases have passed for this very plan: traffic stays for good."""
    plan_phases = session.plan.forward_phases
    passed = [p for p in plan_phases if session.state.passed_under(p, session.plan_hash)]
    if session.state.open and (passed == plan_phases or CLEANUP_PHASE in passed):
        await _release_lease(session, plan_phases[-1])
        settled = CLEANUP_PHASE in plan_phases
        session.emit(e.RunEnded("done", session.state.weight, settled))


async def back_after_defect(session: Session, error: BaseException) -> bool:
    """A defect of cutover itself: bring traffic back first if it had moved. Whether it is safe now."""
    if not session.state.moved:
        return True
    try:
        await finish(roll_back(session, f"a defect of cutover: {type(error).__name__}", automatic=True))
    except (CheckFailedError, asyncio.CancelledError):
        # Both come after traffic was brought back.
        return True
    except Exception as failure:  # noqa: BLE001 - the same defect, perhaps: what matters is that traffic is not safe
        error.add_note(f"and traffic could not be brought back: {type(failure).__name__}: {failure}")
        return False
    return True
