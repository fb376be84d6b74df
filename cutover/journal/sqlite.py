"""The journal in SQLite: write-ahead log, fsync at every commit, several processes at once."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, overload

from cutover.errors import CutoverError, LockedError
from cutover.files import file_trouble
from cutover.journal.base import Holder, Recorded
from cutover.journal.schema import close_to_others, connect, create_file, refuse_unwritable, writable
from cutover.journal.store import Location, locate, refuse_network
from cutover.journal.trouble import in_words
from cutover.journal.words import taken_over
from cutover.paths import StateFolder
from cutover.redact import redactor

StateT = TypeVar("StateT")

SNAPSHOT_EVERY = 1_000
CHUNK_EVENTS = 5_000

_OF_RUN = """
    SELECT seq, run, at, kind, data FROM events INDEXED BY events_of_run
    WHERE plan = ? AND run = ? AND seq > ? ORDER BY seq LIMIT ?
"""
_OF_PLAN = """
    SELECT seq, run, at, kind, data FROM events NOT INDEXED
    WHERE plan = ? AND seq > ? ORDER BY seq LIMIT ?
"""
# Leaps from run to run along the index: a run may have a million events.
_RUNS = """
    WITH RECURSIVE leap (run) AS (
        SELECT MIN(run) FROM events WHERE plan = :plan
        UNION ALL
        SELECT (SELECT MIN(run) FROM events WHERE plan = :plan AND run > leap.run) FROM leap WHERE run IS NOT NULL
    )
    SELECT run FROM leap WHERE run IS NOT NULL
    ORDER BY (SELECT MIN(seq) FROM events WHERE plan = :plan AND run = leap.run)
"""
_HOLDER = """
    SELECT pid, started, host, user, command, since, refreshed, epoch, machine, folder FROM lock WHERE plan = ?
"""
_KEEP_SNAPSHOT = """
    INSERT INTO snapshots (plan, run, version, seq, state) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (plan, run) DO UPDATE SET version = excluded.version, seq = excluded.seq, state = excluded.state
"""


@overload
def open_journal(store: str | None, plan: str) -> SqliteJournal: ...
@overload
def open_journal(store: str | None, plan: str, *, create: bool) -> SqliteJournal | None: ...
def open_journal(store: str | None, plan: str, *, create: bool = True) -> SqliteJournal | None:
    """The journal of a plan; ``store`` is a path, ``sqlite:///path`` or None for the default place.

    Without ``create`` it is opened to be read: None where there is none, nothing is made, and one that can't be
    written is good enough. Raises ``UsageError`` for a store that can't be one, ``CutoverError`` for one that fails.
    """
    location = locate(store, plan)
    refuse_network(location.file)
    with _files_in_words(location.file):
        begun = location.file.exists() and location.file.stat().st_size > 0
    if not begun and not create:
        return None
    if create:
        location.folder.make()
    if not begun:
        create_file(location.file)
    return SqliteJournal(location) if create else _open_to_read(location)


def _open_to_read(location: Location) -> SqliteJournal:
    if not writable(location.file):
        return SqliteJournal(location, read_only=True)
    try:
        return SqliteJournal(location)
    except CutoverError:
        # A full disk has no room for SQLite's shared memory.
        with suppress(CutoverError):
            return SqliteJournal(location, read_only=True)
        raise


def known_plans(store: str | None) -> list[str]:
    """The names of the plans that have state in a store: for a command whose plan file is gone."""
    location = locate(store, "any")
    names = {folder.parent.name for folder in location.folder.path.parent.glob("*/emergency")}
    if location.file.parent == location.folder.path:
        names |= {file.parent.name for file in location.file.parent.parent.glob(f"*/{location.file.name}")}
    elif journal := open_journal(store, "any", create=False):
        names |= {plan for (plan,) in journal.query("SELECT plan FROM lock")}
        journal.close()
    return sorted(names)


class SqliteJournal:
    """A ``Journal`` in one file, which may serve several plans; ``folder`` is the state folder of one of them.

    May be used from several threads.
    """

    def __init__(self, location: Location, *, read_only: bool = False) -> None:
        self.file: Path = location.file
        self.folder: StateFolder = location.folder
        self._thread = threading.RLock()
        self._unsaved: dict[tuple[str, str], tuple[int, Callable[[], object]]] = {}
        with in_words(self.file), _files_in_words(self.file):
            if not read_only:
                refuse_unwritable(self.file)
                close_to_others(self.file)
            self._connection = connect(self.file, read_only=read_only)
            self._end = weakref.finalize(self, self._connection.close)
            self._inode = self.file.stat().st_ino

    def close(self) -> None:
        with self._thread, in_words(self.file):
            self._end()

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
        kept = redactor.data(dict(data), exact=exact)
        text = json.dumps(kept, separators=(",", ":"))
        with self.transaction() as connection:
            if epoch is not None:
                self._refuse_old_epoch(plan, epoch)
            at = time.time()
            seq = connection.execute(
                "INSERT INTO events (plan, run, at, kind, data) VALUES (?, ?, ?, ?, ?)", (plan, run, at, kind, text)
            ).lastrowid
        recorded = Recorded(seq or 0, run, at, kind, json.loads(text))
        self._snapshot_when_due(plan, run)
        return recorded

    def events(self, plan: str, run: str | None = None, after: int = 0) -> Iterator[Recorded]:
        while True:
            if run is None:
                rows = self.query(_OF_PLAN, (plan, after, CHUNK_EVENTS))
            else:
                rows = self.query(_OF_RUN, (plan, run, after, CHUNK_EVENTS))
            with in_words(self.file):
                chunk = [Recorded(seq, of, at, kind, json.loads(data)) for seq, of, at, kind, data in rows]
            yield from chunk
            if len(chunk) < CHUNK_EVENTS:
                return
            after = chunk[-1].seq

    def runs(self, plan: str) -> list[str]:
        return [run for (run,) in self.query(_RUNS, {"plan": plan})]

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
        state, seq, far = initial, 0, 0
        if snapshot := self._snapshot(plan, run, version):
            seq, state = snapshot[0], load(snapshot[1])
        for event in self.events(plan, run, after=seq):
            state, seq, far = step(state, event), event.seq, far + 1
        again = partial(self.fold, plan, run, initial, step, version=version, dump=dump, load=load)
        self._unsaved[plan, run] = (far, again)
        if far >= SNAPSHOT_EVERY:
            self._unsaved[plan, run] = (0, again)
            # A snapshot only saves time: the state must be known on a full disk and from a journal that is read-only.
            with suppress(CutoverError), self.transaction() as connection:
                connection.execute(_KEEP_SNAPSHOT, (plan, run, version, seq, json.dumps(dump(state))))
        return state

    def holder(self, plan: str) -> Holder | None:
        rows = self.query(f"{_HOLDER} AND held", (plan,))
        return Holder(*rows[0]) if rows else None

    def last_holder(self, plan: str) -> Holder | None:
        """Who took the lock last, whether it is still held or not."""
        rows = self.query(_HOLDER, (plan,))
        return Holder(*rows[0]) if rows else None

    def query(self, sql: str, parameters: tuple[Any, ...] | dict[str, Any] = ()) -> list[tuple[Any, ...]]:
        with self._thread, in_words(self.file):
            return self._connection.execute(sql, parameters).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Write alone; on the disk when the context ends, and undone when it raises."""
        with self._thread, in_words(self.file):
            self._refuse_lost_file()
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                # SQLite has ended the transaction itself where the disk is full or failed.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def _refuse_old_epoch(self, plan: str, epoch: int) -> None:
        last = self.last_holder(plan)
        if last is None or last.epoch != epoch:
            raise LockedError(*taken_over(plan, last, epoch))

    def _refuse_lost_file(self) -> None:
        """What is written to a file that has been removed is gone."""
        with _files_in_words(self.file):
            if self.file.exists() and self.file.stat().st_ino == self._inode:
                return
        raise CutoverError(f"the journal {self.file} was removed or replaced meanwhile", "run the command again")

    def _snapshot(self, plan: str, run: str, version: str) -> tuple[int, Mapping[str, Any]] | None:
        rows = self.query(
            "SELECT seq, state FROM snapshots WHERE plan = ? AND run = ? AND version = ?", (plan, run, version)
        )
        try:
            return (rows[0][0], json.loads(rows[0][1])) if rows else None
        except json.JSONDecodeError:
            return None  # The events are the truth.

    def _snapshot_when_due(self, plan: str, run: str) -> None:
        """Who has folded a run goes on to leave snapshots of it, so that its next reader has never far to go."""
        if (plan, run) in self._unsaved:
            far, fold_again = self._unsaved[plan, run]
            self._unsaved[plan, run] = (far + 1, fold_again)
            if far + 1 >= SNAPSHOT_EVERY:
                fold_again()


@contextmanager
def _files_in_words(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise file_trouble("open the journal", file, error) from error
