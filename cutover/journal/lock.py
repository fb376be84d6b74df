"""One mutating command per plan at a time: a row in the store, with an epoch that only grows.

That lock says who may work, and a rollback can take it from a living holder. ``exclusive`` is a second one, held only
while the proxy is being changed: who took the first waits there until a holder in the middle of a change is through.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import astuple, fields

from cutover.errors import CutoverError, LockedError
from cutover.files import file_trouble
from cutover.journal import identity
from cutover.journal.base import Holder
from cutover.journal.sqlite import SqliteJournal
from cutover.journal.words import locked, taken_over
from cutover.paths import StateFolder
from cutover.redact import redact

REFRESH_EVERY_S = 5.0
GONE_AFTER_S = 30.0
WATCH_EVERY_S = 0.5
EXCLUSIVE_TIMEOUT_S = 10.0
_RETRY_S = 0.02

_COLUMNS = [field.name for field in fields(Holder)]
_TAKE = f"""
    INSERT INTO lock (plan, held, {", ".join(_COLUMNS)}) VALUES (?, 1, {", ".join("?" * len(_COLUMNS))})
    ON CONFLICT (plan) DO UPDATE SET held = 1, {", ".join(f"{name} = excluded.{name}" for name in _COLUMNS)}
"""  # noqa: S608 - our own column names


class PlanLock:
    """The lock of a plan. ``command`` is how others are told of us.

    ``epoch`` is for ``append``; ``took_over`` is whose lock was ended: of a holder who is gone, or (``steal``) of a
    living one.
    """

    def __init__(self, journal: SqliteJournal, plan: str, command: str) -> None:
        self._journal = journal
        self._plan = plan
        self._command = command
        self.epoch: int | None = None
        self.took_over: Holder | None = None
        self.trouble: CutoverError | None = None
        """Why the latest look or refresh by ``keep`` failed; it goes on trying."""

    def acquire(self) -> int:
        """Take a free lock, or that of a holder who is gone; raises ``LockedError`` that names a living one."""
        return self._take(by_force=False)

    def steal(self) -> int:
        """Take the lock even from a living holder, who finds out within a second: for ``rollback`` and ``abort``."""
        return self._take(by_force=True)

    def held(self) -> bool:
        """Whether it is still ours; takes some 20 µs."""
        holder = self._journal.holder(self._plan)
        return holder is not None and holder.epoch == self.epoch

    def ensure(self) -> None:
        """Raise ``LockedError``, naming who took it, if it is no longer ours."""
        if not self.held():
            raise LockedError(*taken_over(self._plan, self._journal.last_holder(self._plan), self.epoch))

    def refresh(self) -> None:
        """Say that we live; raises like ``ensure``."""
        with self._journal.transaction() as connection:
            changed = connection.execute(
                "UPDATE lock SET refreshed = ? WHERE plan = ? AND held AND epoch = ?",
                (time.time(), self._plan, self.epoch),
            ).rowcount
        if not changed:
            self.ensure()

    def release(self) -> None:
        """Let go, if it is still ours."""
        # On a store that fails the lock frees itself: its holder will be gone.
        with suppress(CutoverError), self._journal.transaction() as connection:
            connection.execute("UPDATE lock SET held = 0 WHERE plan = ? AND epoch = ?", (self._plan, self.epoch))

    async def keep(self, lost: Callable[[LockedError], None]) -> None:
        """Run beside the work until cancelled: refreshes, and calls ``lost`` once when the lock was taken away."""
        refreshed = time.monotonic()
        while True:
            await asyncio.sleep(WATCH_EVERY_S)
            due = time.monotonic() - refreshed >= REFRESH_EVERY_S
            try:
                await asyncio.to_thread(self.refresh if due else self.ensure)
            except LockedError as error:
                lost(error)
                return
            except CutoverError as error:
                self.trouble = error
            else:
                self.trouble = None
                refreshed = time.monotonic() if due else refreshed

    def _take(self, *, by_force: bool) -> int:
        with self._journal.transaction() as connection:
            holder = self._journal.holder(self._plan)
            if holder and not by_force and alive(holder):
                raise LockedError(*locked(self._plan, holder))
            last = self._journal.last_holder(self._plan)
            ours = self._ourselves(epoch=last.epoch + 1 if last else 1)
            connection.execute(_TAKE, (self._plan, *astuple(ours)))
        self.took_over, self.epoch = holder, ours.epoch
        return ours.epoch

    def _ourselves(self, epoch: int) -> Holder:
        now = time.time()
        return Holder(
            pid=os.getpid(),
            started=identity.start_of(os.getpid()) or 0.0,
            host=identity.host(),
            user=identity.user(),
            command=redact(self._command),
            since=now,
            refreshed=now,
            epoch=epoch,
            machine=identity.machine(),
            folder=redact(identity.folder()),
        )


def alive(holder: Holder) -> bool:
    """Here: whether that very process lives. Elsewhere, another container included: whether it refreshed lately."""
    if holder.machine == identity.machine():
        # A process that the system hides from us is judged like one elsewhere.
        with suppress(PermissionError):
            return identity.start_of(holder.pid) == holder.started
    # A stamp far in the future was made before the clock was set back.
    return abs(time.time() - holder.refreshed) < GONE_AFTER_S


@asynccontextmanager
async def exclusive(
    folder: StateFolder, *, required: bool = True, timeout_s: float = EXCLUSIVE_TIMEOUT_S
) -> AsyncIterator[str | None]:
    """Be the only one who changes the proxy. What is locked is the folder itself, so nothing needs to be written.

    Gives None, or, where not ``required``, a sentence that says why others are not kept out. Where it is required,
    raises ``CutoverError`` for a folder that can't be opened and ``LockedError`` after ``timeout_s``.
    """
    trouble: CutoverError | None = None
    try:
        descriptor = os.open(folder.path, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        trouble = file_trouble("lock", folder.path, error)
    if trouble is not None:
        if required:
            raise trouble
        yield f"{trouble.message}; nothing keeps another cutover from changing the proxy meanwhile"
        return
    try:
        locked = await _locked(descriptor, timeout_s)
        if not locked and required:
            raise LockedError(
                f"another cutover is in the middle of a change and has not finished it for {timeout_s:g}s",
                f"find it with: fuser -v {folder.path}",
            )
        yield None if locked else f"another cutover has been in the middle of a change for over {timeout_s:g}s"
    finally:
        os.close(descriptor)


async def _locked(descriptor: int, timeout_s: float) -> bool:
    give_up = time.monotonic() + timeout_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= give_up:
                return False
            await asyncio.sleep(_RETRY_S)
        else:
            return True
