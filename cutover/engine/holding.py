"""A hold: gates asked at once, each at its own interval, and a last time at the end, while nobody changes the proxy."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from cutover.checks.base import Check, Result
from cutover.engine import events as e
from cutover.engine.failures import StepFailedError
from cutover.engine.gates import all_of, evaluated, failure_of, keep, measure_patiently
from cutover.engine.session import Session
from cutover.engine.shifting import check_drift
from cutover.engine.tally import Tally
from cutover.errors import ProxyError
from cutover.plan.step import Gate, GateOnFail
from cutover.plan.thresholds import Verdict
from cutover.plan.units import format_duration

if TYPE_CHECKING:
    from cutover.engine.context import StepContext

PATIENCE_S = 30.0
"""How long a proxy that can't be asked, or a gate that can't be measured at the very end, is waited for."""

ASK_AGAIN_S = 2.0
"""How often it is asked meanwhile."""

LATE_S = 1.0
"""By how much an evaluation may be late and the time before it still counts as watched."""

MILDER: tuple[GateOnFail | None, ...] = ("step_back", "pause", "continue")
"""Than a rollback, the milder the later."""

ASKED_ONCE_MORE_S = 5.0

MOST_STARTS = 5
"""A managed nginx that ends again and again is not started for ever."""

KEPT_RESULTS = 20
"""Results of one gate that did not pass, kept one by one in a hold; of those that follow only the newest is."""


class Clock:
    """The time of a hold that was really watched: it stands still while this process, or its machine, does.

    All times in seconds. ``interval`` is the shortest between two looks.
    """

    def __init__(self, seconds: float, held: float, interval: float) -> None:
        self.seconds = seconds
        self._held = held
        self._longest = interval + LATE_S
        self._seen = time.monotonic()

    def now(self) -> float:
        seen = time.monotonic()
        self._held += min(seen - self._seen, self._longest)
        self._seen = seen
        return self._held

    @property
    def over(self) -> bool:
        return self.now() >= self.seconds

    async def until(self, at: float) -> None:
        """Sleep until the hold was watched for so long, or to its end."""
        while (left := min(at, self.seconds) - self.now()) > 0:  # noqa: ASYNC110 - time is what is waited for
            await asyncio.sleep(min(left, self._longest))


@dataclass
class Watched:
    """One gate with what it needs: the step whose gate it is, its ``number`` there, and its interval in seconds."""

    ctx: StepContext
    number: int
    gate: Gate
    every: float
    tally: Tally = field(default_factory=Tally)
    kept: Counter[str] = field(default_factory=Counter)
    silent_since: float | None = None
    under_way: bool = False
    """An evaluation was begun, and has not come to its end."""


async def hold(ctx: StepContext, seconds: float, gates: Sequence[Gate], every: float) -> None:
    """Stay at this weight for so long as the gates pass; what an earlier process watched of this hold counts."""
    session, weight = ctx.session, ctx.weight
    left = session.state.unfinished_at(ctx.of, weight)
    held = seconds if weight in session.state.held_in(ctx.of) else min(left["held"] if left else 0.0, seconds)
    session.emit(e.HoldStarted(weight, seconds, len(gates), ctx.of, held))
    watched = [
        Watched(ctx, number, gate, gate.every or every, Tally.of(left, number))
        for number, gate in enumerate(gates, start=1)
    ]
    try:
        await watch(session, watched, seconds=seconds, held=held, every=every)
    except StepFailedError as failure:
        session.emit(e.HoldEnded(weight, passed=False, reason=failure.message))
        raise
    session.emit(e.HoldEnded(weight, passed=True))


async def watch(
    session: Session, watched: Sequence[Watched], *, seconds: float, held: float = 0.0, every: float = math.inf
) -> None:
    """Every gate at its interval, and the proxy at the shortest, until the time is over; raise at what ends it.

    ``every`` is how often the proxy is looked at where there are no gates.
    """
    shortest = min((one.every for one in watched), default=every)
    clock = Clock(seconds, held, shortest)
    works = [_ask(one, clock) for one in watched]
    looking = _look_for_drift(session, clock, shortest, alone=not watched)
    tasks = [asyncio.create_task(work) for work in (looking, *works)]
    try:
        await all_of(tasks)
    except StepFailedError as failure:
        if failure.on_fail not in MILDER:
            raise
        raise await _gravest(failure, tasks, watched, clock) from failure


async def _gravest(
    failure: StepFailedError, tasks: Sequence[asyncio.Task[None]], watched: Sequence[Watched], clock: Clock
) -> StepFailedError:
    """Of several gates that fail at once, the one with the gravest consequence decides, whichever was asked first.

    Those whose answer was cut short by the first are asked once more, for a short time.
    """
    ended = [task.exception() for task in tasks if task.done() and not task.cancelled()]
    failures = [failure, *(error for error in ended if isinstance(error, StepFailedError))]

    async def ask(one: Watched) -> None:
        result, count = await _evaluate(one, clock)
        # What passed before and is unknown at the very end would be waited for: here it decides nothing.
        if one.tally.ends(one.gate, result.verdict, final=clock.over and not one.tally.passed):
            failures.append(failure_of(one.ctx, one.gate, result, count))

    with suppress(TimeoutError):
        async with asyncio.timeout(ASKED_ONCE_MORE_S):
            await all_of([asyncio.create_task(ask(one)) for one in watched if one.under_way])
    return min(failures, key=lambda one: MILDER.index(one.on_fail) if one.on_fail in MILDER else -1)


async def _ask(one: Watched, clock: Clock) -> None:
    patience = PATIENCE_S
    while True:
        final, at = clock.over, clock.now()
        result, count = await _evaluate(one, clock)
        waits = final and result.verdict is Verdict.UNKNOWN and one.tally.passed > 0 and patience > 0
        if not waits and one.tally.ends(one.gate, result.verdict, final=final):
            raise failure_of(one.ctx, one.gate, result, count)
        if waits:
            pause = min(one.every, ASK_AGAIN_S)
            patience -= pause
            await asyncio.sleep(pause)
        elif final:
            return
        else:
            await clock.until(at + one.every)


async def _evaluate(one: Watched, clock: Clock) -> tuple[Result, str]:
    """Ask the gate once, and count it; how the count stands, in words."""
    started = time.monotonic()
    one.under_way = True
    result = _excused(one, await measure_patiently(one.gate, one.ctx))
    one.under_way = False
    one.tally = one.tally.then(result.verdict)
    if not result.passed:
        one.kept[one.gate.title] += 1
        keep(one.ctx, one.number, one.gate, result, "" if one.kept[one.gate.title] <= KEPT_RESULTS else "latest")
    event = replace(
        evaluated(one.ctx, one.number, one.gate, result, time.monotonic() - started),
        held=clock.now(),
        passed=one.tally.passed,
        failed=one.tally.failed,
        in_a_row=one.tally.in_a_row,
        failures=one.gate.most_failures or 0,
        failures_in_a_row=one.gate.in_a_row or 0,
    )
    one.ctx.session.emit(event)
    return result, event.count


def _excused(one: Watched, result: Result) -> Result:
    """A proxy that takes no connection, being restarted for instance, says nothing of new: not for a while."""
    assert isinstance(one.gate.settings, Check)  # noqa: S101 - gates are checks by the model
    if not result.silent or one.gate.settings.judged != "proxy":
        one.silent_since = None
        return result
    if one.silent_since is None:
        one.silent_since = time.monotonic()
    if time.monotonic() - one.silent_since >= PATIENCE_S:
        return result
    return replace(result, verdict=Verdict.UNKNOWN)


async def _start_again(session: Session) -> bool:
    """Whether it could be. One that can't is waited for, as those are that are not ours to start."""
    # Raises where the lock is no longer ours: whoever took it may want nginx down.
    session.emit(e.ProxyStarting())
    try:
        await session.proxy.host.start()
    except ProxyError as error:
        hint = f" ({error.hint})" if error.hint else ""
        session.emit(e.ProxyLost(f"{error.message}{hint}"))
        return False
    return True


async def _look_for_drift(session: Session, clock: Clock, every: float, *, alone: bool) -> None:
    """A change from elsewhere ends the hold at once; a proxy that can't be asked is given time to come back.

    ``alone``: no gate says how long the hold was watched.
    """
    lost: float | None = None
    starts = MOST_STARTS
    while True:
        final, at = clock.over, clock.now()
        try:
            await check_drift(session)
        except ProxyError as error:
            if lost is None:
                lost = time.monotonic()
                session.emit(e.ProxyLost(error.message))
            pause = min(every, ASK_AGAIN_S)
            if starts and await session.proxy.has_ended():
                starts -= 1
                if await _start_again(session):
                    continue
                pause = ASK_AGAIN_S
            if (gone := time.monotonic() - lost) >= PATIENCE_S:
                failure = StepFailedError(f"for {format_duration(round(gone))} {error.message}", Verdict.UNKNOWN)
                failure.hint = error.hint
                raise failure from error
            await asyncio.sleep(pause)
            continue
        if lost is not None:
            session.emit(e.ProxyFound(time.monotonic() - lost))
            lost = None
        if alone and clock.seconds:
            session.emit(e.HoldWatched(session.state.weight, clock.now()))
        if final:
            return
        await clock.until(at + every)
