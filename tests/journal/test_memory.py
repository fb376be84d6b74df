from __future__ import annotations

from pathlib import Path

import pytest

from cutover.errors import UsageError
from cutover.journal import MemoryJournal, SqliteJournal, open_journal
from cutover.journal.base import Journal, Recorded
from cutover.redact import redactor


def count(state: int, event: Recorded) -> int:
    return state + 1


def folded(journal: Journal, run: str) -> int:
    return journal.fold("api", run, 0, count, version="1", dump=lambda s: {"n": s}, load=lambda d: d["n"])


def test_it_answers_like_a_journal() -> None:
    journal = MemoryJournal()
    redactor.add("marked-secret-0817")
    one = journal.append("api", "r1", "Told", {"text": "marked-secret-0817", "previous": "marked-secret-0817"},
                         epoch=3, exact=frozenset({"previous"}))  # fmt: skip
    two = journal.append("api", "r2", "Told", {})
    journal.append("web", "r3", "Told", {})
    assert one.data == {"text": "***", "previous": "marked-secret-0817"}
    assert list(journal.events("api")) == [one, two]
    assert list(journal.events("api", "r2")) == [two]
    assert list(journal.events("api", after=one.seq)) == [two]
    assert journal.runs("api") == ["r1", "r2"]
    assert folded(journal, "r1") == 1
    assert journal.holder("api") is None


def test_it_goes_on_from_what_can_still_be_read(store: str) -> None:
    written = open_journal(store, "api")
    old = written.append("api", "r1", "Counted", {})
    journal, folder = MemoryJournal.instead(store, "api")
    new = journal.append("api", "r1", "Counted", {})
    assert folder == written.folder
    assert new.seq > old.seq
    assert list(journal.events("api", "r1")) == [old, new]
    assert folded(journal, "r1") == 2
    assert journal.runs("api") == ["r1"]
    assert len(list(written.events("api"))) == 1


@pytest.mark.parametrize("content", [b"no database at all, really not one" * 50, b""])
def test_it_stands_in_for_a_journal_that_is_lost(content: bytes, store: str) -> None:
    Path(store).write_bytes(content)
    journal, folder = MemoryJournal.instead(store, "api")
    journal.append("api", "r1", "Counted", {})
    assert journal.runs("api") == ["r1"]
    assert folded(journal, "r1") == 1
    assert bool(journal.troubles) == bool(content)
    assert not folder.path.exists()
    assert Path(store).read_bytes() == content


def test_a_journal_that_fails_while_it_is_read_becomes_a_trouble(journal: SqliteJournal) -> None:
    with journal.transaction() as connection:
        connection.execute("INSERT INTO events VALUES (1, 'api', 'r1', 0, 'Counted', '{torn')")
    memory = MemoryJournal(journal)
    event = memory.append("api", "r1", "Counted", {})
    assert list(memory.events("api", "r1")) == [event]
    assert folded(memory, "r1") == 1
    assert len(memory.troubles) == 1
    assert "damaged" in memory.troubles[0]


def test_a_store_that_cannot_be_one_is_still_a_mistake() -> None:
    with pytest.raises(UsageError):
        MemoryJournal.instead("postgres://db", "api")
