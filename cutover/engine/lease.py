"""A lease during a command: granted by a step, renewed beside all work, released for good or left to its end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from cutover.engine import events as e
from cutover.engine.failures import StepFailedError
from cutover.errors import EXIT_LOCKED, EXIT_WAITING, CutoverError
from cutover.proxy import lease as on_proxy
from cutover.proxy.lease import Lease, LeaseEndedError

if TYPE_CHECKING:
    from cutover.engine.session import Session

RENEW_EVERY_S = 10.0
RENEWALS_IN_A_LEASE = 4
WRITTEN_TIMEOUT_S = 3.0
GIVE_UP_AFTER = 0.5
"""The part of a lease without a renewal after which the step fails: what is left is for the way back."""


class Leasing:
    """The lease of a session; idle where no step asked for one."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._seconds = 0.0
        self._renewer: asyncio.Task[None] | None = None
        self._renewing: asyncio.Task[Lease] | None = None
        self._scopes: set[asyncio.Timeout] = set()
        self._give_up_at: float | None = None
        self._trouble = ""

    async def grant(self, seconds: float) -> None:
        """Traffic goes to new on this lease from now on, which is renewed until it is released or the command ends."""
        if self._renewer is not None and seconds == self._seconds:
            await self.renew()
            return
        renewed = self._renewer is not None
        await self._stop()
        # Written down before: a lease that nobody knows of would end unexplained.
        self._session.emit(e.LeaseGranted(seconds))
        try:
            lease = await on_proxy.grant(self._session.proxy, seconds)
        except LeaseEndedError as error:
            raise _over(error) from error
        except CutoverError as error:
            if renewed:
                self._session.emit(e.LeaseGranted(self._seconds))
                self._keep(self._seconds, None, error.message)
            raise
        self._keep(seconds, lease)

    async def take_up(self) -> None:
        """Go on with the lease on which an earlier command left traffic."""
        state = self._session.state
        if self._renewer is not None or state.lease is None or not state.weight:
            return
        if not self._session.proxy.spec.by_client:
            return
        seconds = float(state.lease["seconds"])
        try:
            lease = await on_proxy.renew(self._session.proxy, seconds, anew=True)
        except LeaseEndedError:
            # The next look at the proxy tells.
            return
        except CutoverError as error:
            self._keep(seconds, None, error.message)
            return
        self._keep(seconds, lease)

    async def renew(self) -> None:
        """Where there is a lease; raises where nginx has none any more."""
        if self._renewer is None:
            return
        try:
            self._renewed(await on_proxy.renew(self._session.proxy, self._seconds))
        except LeaseEndedError as error:
            raise _over(error) from error

    async def release(self, *, ended_too: bool = False) -> None:
        """Traffic stays where it is, for good. Raises where nginx has returned it to old, unless that is expected."""
        await self._stop()
        if self._session.state.lease is None:
            return
        await on_proxy.release(self._session.proxy, ended_too=ended_too)
        self._session.emit(e.LeaseReleased(self._session.state.weight))

    async def clear(self) -> None:
        """After a rollback: nothing is left that the next run could trip over. What can't be done is only told."""
        await self._stop()
        session = self._session
        try:
            if session.proxy.spec.by_client and (await session.proxy.live()).lease is not None:
                await on_proxy.release(session.proxy, ended_too=True)
        except CutoverError as error:
            session.problems.append(f"the files of the lease stay: {error.message}")

    async def stay(self) -> str:
        """Old can't take the traffic that nginx would return to it: no lease any more. Where traffic is then."""
        session = self._session
        where = f"traffic stays at weight {session.state.weight}"
        if session.state.lease is None:
            return where
        try:
            live = await session.proxy.live()
            if live.lease == "ended":
                return on_proxy.ended(await on_proxy.read(session.proxy, live))
            await self.release()
        except CutoverError as error:
            return f"{where} until the lease ends and nginx returns it to old: it can't be released, {error.message}"
        return where

    async def end(self, exit_code: int) -> None:
        """The command ends: a lease is left to its end, which is told; one that holds nothing is released."""
        await self._stop()
        session = self._session
        if session.state.lease is None or exit_code == EXIT_LOCKED:
            return
        try:
            if not session.state.moved:
                await self.release(ended_too=True)
                return
            lease = await self._last(anew=exit_code in {0, EXIT_WAITING})
            if lease is not None:
                session.emit(e.LeaseLeft(lease.until, session.state.weight))
        except CutoverError as error:
            session.problems.append(f"nginx returns all traffic to old when the lease ends: {error.message}")

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Around a step: it fails when the lease, granted before or within, was not renewed for too long."""
        scope = asyncio.timeout_at(self._give_up_at)
        try:
            async with scope:
                self._scopes.add(scope)
                yield
        except TimeoutError:
            if not scope.expired():
                raise
            raise StepFailedError(
                f"the lease could not be renewed: {self._trouble or 'the proxy does not answer'}", on_fail="rollback"
            ) from None
        finally:
            self._scopes.discard(scope)

    def _keep(self, seconds: float, lease: Lease | None, trouble: str = "") -> None:
        """``lease`` None: it could not be renewed yet, for ``trouble``; the time until that is given up runs."""
        self._seconds = seconds
        self._renewer = asyncio.create_task(self._renew_on())
        if lease is not None:
            self._renewed(lease)
            return
        self._trouble = trouble
        self._set_give_up(asyncio.get_running_loop().time() + GIVE_UP_AFTER * seconds)

    async def _stop(self) -> None:
        renewer, self._renewer = self._renewer, None
        if renewer is not None:
            renewer.cancel()
            await asyncio.gather(renewer, return_exceptions=True)
        # What it was just writing is written all the same: files of a lease that is over must not come after its end.
        if self._renewing is not None:
            await asyncio.wait([self._renewing], timeout=WRITTEN_TIMEOUT_S)
        self._set_give_up(None)

    async def _renew_on(self) -> None:
        every = min(RENEW_EVERY_S, self._seconds / RENEWALS_IN_A_LEASE)
        while True:
            await asyncio.sleep(every)
            self._renewing = asyncio.create_task(on_proxy.renew(self._session.proxy, self._seconds))
            try:
                lease = await asyncio.shield(self._renewing)
            except LeaseEndedError as error:
                self._trouble = error.message
                self._set_give_up(asyncio.get_running_loop().time())
                return
            except CutoverError as error:
                self._trouble = error.message
            else:
                self._renewed(lease)

    def _renewed(self, lease: Lease) -> None:
        self._trouble = ""
        # By our clock: the proxy's is not ours to the second.
        self._session.emit(e.LeaseRenewed(time.time() + lease.left_s))
        self._set_give_up(asyncio.get_running_loop().time() + GIVE_UP_AFTER * self._seconds)

    def _set_give_up(self, at: float | None) -> None:
        self._give_up_at = at
        for scope in self._scopes:
            if not scope.expired():
                scope.reschedule(at)

    async def _last(self, *, anew: bool) -> Lease | None:
        proxy = self._session.proxy
        if anew:
            return await on_proxy.renew(proxy, float((self._session.state.lease or {})["seconds"]))
        return await on_proxy.read(proxy, await proxy.live())


def _over(error: LeaseEndedError) -> StepFailedError:
    """All traffic is back on old: whatever the plan says of failures, the run can't go on from here."""
    return StepFailedError(error.message, on_fail="rollback")
