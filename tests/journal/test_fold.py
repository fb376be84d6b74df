"""State is the fold of the events; snapshots change only how long it takes."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cutover.journal import SqliteJournal, open_journal
from cutover.journal.base import Recorded

EMPTY = ("", 0)


def chain(state: tuple[str, int], event: Recorded) -> tuple[str, int]:
    """Depends on every event and on their order."""
    text = f"{state[0]}{event.seq}{event.run}{event.kind}{event.data}"
    return hashlib.sha256(text.encode()).hexdigest(), state[1] + 1


def dump(state: tuple[str, int]) -> dict[str, Any]:
    return {"hash": state[0], "count": state[1]}


def fold(journal: SqliteJournal, run: str, version: str = "1") -> tuple[str, int]:
    return journal.fold("api", run, EMPTY, chain, version=version, dump=dump, load=lambda d: (d["hash"], d["count"]))


def plain(journal: SqliteJournal, run: str) -> tuple[str, int]:
    return reduce(chain, journal.events("api", run), EMPTY)


def snapshots(journal: SqliteJournal) -> list[tuple[str, str, int]]:
    return [(run, version, seq) for run, version, seq in journal.query("SELECT run, version, seq FROM snapshots")]


@contextmanager
def snapshots_every(count: int) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cutover.journal.sqlite.SNAPSHOT_EVERY", count)
        yield


ACTS = st.lists(
    st.tuples(st.sampled_from(["append", "fold", "reopen"]), st.sampled_from("ab"), st.sampled_from(["1", "2"])),
    max_size=40,
)


@settings(max_examples=40, deadline=None)
@given(acts=ACTS, every=st.integers(1, 5))
def test_snapshots_never_change_the_answer(acts: list[tuple[str, str, str]], every: int) -> None:
    with tempfile.TemporaryDirectory() as folder, snapshots_every(every):
        journal = open_journal(folder, "api")
        for number, (act, run, version) in enumerate(acts):
            if act == "append":
                journal.append("api", run, "Counted", {"number": number})
            elif act == "reopen":
                journal.close()
                journal = open_journal(folder, "api")
            else:
                assert fold(journal, run, version) == plain(journal, run)
        for run in "ab":
            assert fold(journal, run) == fold(journal, run) == plain(journal, run)
        journal.close()


def test_a_long_fold_leaves_a_snapshot_and_a_short_one_does_not(journal: SqliteJournal) -> None:
    with snapshots_every(10):
        for number in range(9):
            journal.append("api", "short", "Counted", {"number": number})
            journal.append("api", "long", "Counted", {"number": number})
        journal.append("api", "long", "Counted", {})
        fold(journal, "short")
        fold(journal, "long")
        assert snapshots(journal) == [("long", "1", 19)]


def test_the_next_fold_reads_only_what_came_after_the_snapshot(journal: SqliteJournal) -> None:
    with snapshots_every(10):
        for number in range(25):
            journal.append("api", "r1", "Counted", {"number": number})
        fold(journal, "r1")
        seen: list[int] = []

        def count(state: int, event: Recorded) -> int:
            seen.append(event.seq)
            return state + 1

        journal.append("api", "r1", "Counted", {})
        assert journal.fold("api", "r1", 0, count, version="1", dump=lambda _: {}, load=lambda d: d["count"]) == 26
        assert seen == [26]


def test_who_has_folded_leaves_snapshots_while_appending(journal: SqliteJournal, store: str) -> None:
    with snapshots_every(10):
        fold(journal, "r1")
        for number in range(35):
            journal.append("api", "r1", "Counted", {"number": number})
    assert snapshots(journal) == [("r1", "1", 30)]
    assert fold(open_journal(store, "api"), "r1") == plain(journal, "r1")


def test_a_snapshot_of_another_version_is_not_used(journal: SqliteJournal) -> None:
    with snapshots_every(1):
        journal.append("api", "r1", "Counted", {})
        fold(journal, "r1", "old")
        with journal.transaction() as connection:
            connection.execute("UPDATE snapshots SET state = ?", ('{"hash": "wrong", "count": -1}',))
        assert fold(journal, "r1", "old")[0] == "wrong"
        assert fold(journal, "r1", "new") == plain(journal, "r1")


def test_a_torn_snapshot_is_not_used(journal: SqliteJournal) -> None:
    with snapshots_every(1):
        journal.append("api", "r1", "Counted", {})
        fold(journal, "r1")
        with journal.transaction() as connection:
            connection.execute("UPDATE snapshots SET state = '{torn'")
        assert fold(journal, "r1") == plain(journal, "r1")


def test_a_fold_succeeds_where_its_snapshot_cannot_be_written(store: str, tmp_path: Path) -> None:
    journal = open_journal(store, "api")
    for number in range(5):
        journal.append("api", "r1", "Counted", {"number": number})
    journal.query("PRAGMA query_only = ON")
    with snapshots_every(2):
        assert fold(journal, "r1") == plain(journal, "r1")
    assert snapshots(journal) == []
