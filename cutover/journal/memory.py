"""The last resort of a rollback: a journal that goes on where the store does not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Self, TypeVar

from cutover.errors import CutoverError
from cutover.journal.base import Holder, Journal, Recorded
from cutover.journal.sqlite import open_journal
from cutover.journal.store import locate
from cutover.paths import StateFolder
from cutover.redact import redactor

StateT = TypeVar("StateT")

# Behind every number that a store has given.
_FIRST_SEQ = 1 << 62


class MemoryJournal:
    """A ``Journal`` that ends with its process, and that no lock goes with.

    ``behind`` is the plan's own journal where that can still be read: its events come first. ``troubles`` are
    sentences for people, about what could not be read.
    """

    def __init__(self, behind: Journal | None = None) -> None:
        self._behind = behind
        self._events: list[tuple[str, Recorded]] = []
        self.troubles: list[str] = []

    @classmethod
    def instead(cls, store: str | None, plan: str) -> tuple[Self, StateFolder]:
        """In place of a journal that can't be written, and the plan's state folder; raises ``UsageError`` at most."""
        folder = locate(store, plan).folder
        try:
            return cls(open_journal(store, plan, create=False)), folder
        except CutoverError as error:
            journal = cls()
            journal._note(error)
            return journal, folder

    def append(
        self,
        plan: str,
        run: str,
        kind: str,
        data: Mapping[str, Any],
        *,
        epoch: int | None = None,  # noqa: ARG002 - there is no lock to ask
        exact: frozenset[str] = frozenset(),
    ) -> Recorded:
        kept = redactor.data(dict(data), exact=exact)
        event = Recorded(_FIRST_SEQ + len(self._events), run, time.time(), kind, kept)
        self._events.append((plan, event))
        return event

    def events(self, plan: str, run: str | None = None, after: int = 0) -> Iterator[Recorded]:
        if self._behind is not None:
            try:
                yield from self._behind.events(plan, run, after)
            except CutoverError as error:
                self._note(error)
        yield from self._own(plan, run, after)

    def runs(self, plan: str) -> list[str]:
        known = self._read(lambda journal: journal.runs(plan)) or []
        return list(dict.fromkeys([*known, *(event.run for event in self._own(plan))]))

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
        folded = self._read(
            lambda journal: (journal.fold(plan, run, initial, step, version=version, dump=dump, load=load),)
        )
        (state,) = folded or (initial,)
        for event in self._own(plan, run):
            state = step(state, event)
        return state

    def holder(self, plan: str) -> Holder | None:
        return self._read(lambda journal: journal.holder(plan))

    def _own(self, plan: str, run: str | None = None, after: int = 0) -> list[Recorded]:
        return [event for of, event in self._events if of == plan and run in {None, event.run} and event.seq > after]

    def _read(self, ask: Callable[[Journal], StateT]) -> StateT | None:
        if self._behind is None:
            return None
        try:
            return ask(self._behind)
        except CutoverError as error:
            self._note(error)
            return None

    def _note(self, error: CutoverError) -> None:
        if error.message not in self.troubles:
            self.troubles.append(error.message)
