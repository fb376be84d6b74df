"""The last resort of a rollback: a journal and a lock that go on where the store does not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from cutover.errors import CutoverError, LockedError, UsageError
from cutover.journal.base import Holder, Lock, Recorded
from cutover.journal.lock import PlanLock
from cutover.journal.sqlite import SqliteJournal, open_journal
from cutover.journal.store import locate
from cutover.paths import StateFolder
from cutover.redact import redactor

StateT = TypeVar("StateT")

RETRY_AFTER_S = 5.0
# Behind every number that a store has given.
_FIRST_SEQ = 1 << 62


def journal_for_rollback(store: str | None, plan: str) -> MemoryJournal:
    """A journal that does not fail: the plan's own as far as it can be read and written, memory for the rest.

    Only a store that cannot be one raises, ``UsageError``.
    """
    folder = locate(store, plan).folder
    try:
        return MemoryJournal(folder, open_journal(store, plan))
    except UsageError:
        raise
    except CutoverError as error:
        trouble = error
    try:
        journal = MemoryJournal(folder, open_journal(store, plan, create=False))
    except CutoverError:
        journal = MemoryJournal(folder)
    journal.note(trouble)
    return journal


def steal_for_rollback(journal: MemoryJournal, plan: str, command: str) -> Lock:
    """The plan's lock, taken by force, or one that only looks like it; the journal's ``troubles`` say why."""
    if journal.behind is None:
        return NoLock()
    lock = PlanLock(journal.behind, plan, command)
    try:
        lock.steal()
    except CutoverError as error:
        journal.note(error)
        return NoLock()
    return lock


class MemoryJournal:
    """A ``Journal`` that keeps in memory what the one ``behind`` it does not take, and hands it over later if it can.

    ``troubles`` are sentences for people: what failed. ``lost`` are the events that no disk has.
    """

    def __init__(self, folder: StateFolder, behind: SqliteJournal | None = None) -> None:
        self.folder = folder
        self.behind = behind
        self.troubles: list[str] = []
        self.lost: list[Recorded] = []
        self._waiting: list[tuple[str, int | None, frozenset[str]]] = []
        self._failed_at: float | None = None
        self._seq = _FIRST_SEQ

    def note(self, error: CutoverError) -> None:
        if error.message not in self.troubles:
            self.troubles.append(error.message)

    def append(
        self,
        plan: str,
        run: str,
        kind: str,
        data: Mapping[str, Any],
        *,
        epoch: int | None = None,
        exact: frozenset[str] = frozenset(),
    ) -> Recorded:
        self._seq += 1
        event = Recorded(self._seq, run, time.time(), kind, redactor.data(dict(data), exact=exact))
        self.lost.append(event)
        self._waiting.append((plan, epoch, exact))
        return self._hand_over() or event

    def close(self) -> None:
        """Try a last time to hand over what the disk did not take."""
        self._failed_at = None
        self._hand_over()
        if self.behind is not None:
            self.behind.close()

    def events(self, plan: str, run: str | None = None, after: int = 0) -> Iterator[Recorded]:
        if self.behind is not None:
            try:
                yield from self.behind.events(plan, run, after)
            except CutoverError as error:
                self.note(error)
        yield from self._in_memory(plan, run, after)

    def runs(self, plan: str) -> list[str]:
        nothing: list[str] = []
        known = self._asked(lambda journal: journal.runs(plan), nothing)
        return list(dict.fromkeys([*known, *(event.run for event in self._in_memory(plan))]))

    def fold(
        self,
        plan: str,
        run: str,
        initial: StateT,
        step: Callable[[StateT, Recorded], StateT],
        *,
        version: str,
        dump: Callable[[StateT], Mapping[str, Any]],
        load: Callable[[Mapping[str, Any]], StateT],
    ) -> StateT:
        state = self._asked(
            lambda journal: journal.fold(plan, run, initial, step, version=version, dump=dump, load=load), initial
        )
        for event in self._in_memory(plan, run):
            state = step(state, event)
        return state

    def holder(self, plan: str) -> Holder | None:
        return self._asked(lambda journal: journal.holder(plan), None)

    def _in_memory(self, plan: str, run: str | None = None, after: int = 0) -> list[Recorded]:
        return [
            event
            for event, (of, _, _) in zip(self.lost, self._waiting, strict=True)
            if of == plan and run in {None, event.run} and event.seq > after
        ]

    def _asked(self, ask: Callable[[SqliteJournal], StateT], otherwise: StateT) -> StateT:
        if self.behind is None:
            return otherwise
        try:
            return ask(self.behind)
        except CutoverError as error:
            self.note(error)
            return otherwise

    def _hand_over(self) -> Recorded | None:
        """Write what waits, in its order, and return the last as it was written; None if some of it still waits."""
        written = None
        if self.behind is None or (self._failed_at and time.monotonic() - self._failed_at < RETRY_AFTER_S):
            return None
        while self.lost:
            event, (plan, epoch, exact) = self.lost[0], self._waiting[0]
            try:
                written = self.behind.append(plan, event.run, event.kind, event.data, epoch=epoch, exact=exact)
            except LockedError:
                self._forget_first()
                raise
            except CutoverError as error:
                self.note(error)
                self._failed_at = time.monotonic()
                return None
            self._forget_first()
        self._failed_at = None
        return written

    def _forget_first(self) -> None:
        del self.lost[0], self._waiting[0]


class NoLock:
    """A ``Lock`` that keeps nobody out. For a rollback whose store is lost, and for nothing else."""

    def __init__(self) -> None:
        self.epoch: int | None = None
        self.took_over: Holder | None = None

    def acquire(self) -> int:
        return 0

    def steal(self) -> int:
        return 0

    def held(self) -> bool:
        return True

    def ensure(self) -> None:
        return None

    def refresh(self) -> None:
        return None

    def release(self) -> None:
        return None

    async def keep(self, lost: Callable[[LockedError], None]) -> None:  # noqa: ARG002 - nobody can take it
        await asyncio.Event().wait()
