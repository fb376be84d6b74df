from __future__ import annotations

import json
import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from cutover.errors import CutoverError, LockedError, UsageError
from cutover.files import write_private
from cutover.journal import PlanLock, SqliteJournal, known_plans, open_journal
from cutover.redact import redactor

WRITER = """
import sys
from cutover.journal import open_journal
store, run, count, epoch = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
journal = open_journal(store, "api")
for number in range(count):
    event = journal.append("api", run, "Counted", {"number": number, "text": "x" * (number % 5000)}, epoch=epoch)
    print(event.seq, number, flush=True)
"""


def writer(store: str, run: str, count: int, epoch: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, store, run, str(count), str(epoch)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_events_come_back_in_order_and_whole(journal: SqliteJournal) -> None:
    written = [journal.append("api", "r1", "Counted", {"number": n, "deep": {"ü": [None, 1.5]}}) for n in range(5)]
    assert list(journal.events("api", "r1")) == written
    assert [event.seq for event in written] == [1, 2, 3, 4, 5]
    assert list(journal.events("api", after=3)) == written[3:]


def test_plans_and_runs_are_kept_apart(journal: SqliteJournal) -> None:
    for plan, run in [("api", "r2"), ("web", "r9"), ("api", "r1"), ("api", "r2")]:
        journal.append(plan, run, "Counted", {})
    assert journal.runs("api") == ["r2", "r1"]
    assert journal.runs("web") == ["r9"]
    assert journal.runs("other") == []
    assert [event.seq for event in journal.events("api")] == [1, 3, 4]
    assert [event.seq for event in journal.events("api", "r2")] == [1, 4]


def test_more_events_than_one_reading_takes_come_back(journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cutover.journal.sqlite.CHUNK_EVENTS", 3)
    for number in range(9):
        journal.append("api", "r1", "Counted", {"number": number})
    assert [event.data["number"] for event in journal.events("api")] == list(range(9))
    assert [event.data["number"] for event in journal.events("api", "r1")] == list(range(9))


def test_what_is_appended_while_reading_is_read_too(journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cutover.journal.sqlite.CHUNK_EVENTS", 2)
    for number in range(3):
        journal.append("api", "r1", "Counted", {"number": number})
    reading = journal.events("api")
    next(reading)
    journal.append("api", "r1", "Counted", {"number": 3})
    assert [event.data["number"] for event in reading] == [1, 2, 3]


def test_secrets_are_not_written_but_under_exact_keys(store: str) -> None:
    secret = "marked-secret-0815"
    redactor.add(secret)
    journal = open_journal(store, "api")
    data = {"text": f"is {secret}", "intent": {"previous": f"set {secret}"}}
    event = journal.append("api", "r1", "Told", data, exact=frozenset({"previous"}))
    assert event.data == {"text": "is ***", "intent": {"previous": f"set {secret}"}}
    assert list(journal.events("api")) == [event]


def test_events_can_be_neither_changed_nor_removed(journal: SqliteJournal) -> None:
    journal.append("api", "r1", "Counted", {})
    for sql in ("DELETE FROM events", "UPDATE events SET kind = 'Other'"):
        with pytest.raises(CutoverError, match="append-only"), journal.transaction() as connection:
            connection.execute(sql)
    assert [event.kind for event in journal.events("api")] == ["Counted"]


def test_every_commit_reaches_the_disk(journal: SqliteJournal) -> None:
    full = 2
    assert journal.query("PRAGMA synchronous") == [(full,)]
    assert journal.query("PRAGMA journal_mode") == [("wal",)]


def test_files_are_closed_to_others(journal: SqliteJournal, tmp_path: Path) -> None:
    journal.append("api", "r1", "Counted", {})
    for file in tmp_path.glob("journal.db*"):
        wanted = 0o700 if file.is_dir() else 0o600
        assert stat.S_IMODE(file.stat().st_mode) == wanted, file
    assert journal.folder.path.is_dir()
    assert stat.S_IMODE(journal.folder.path.stat().st_mode) == 0o700


def test_an_open_journal_is_closed_to_others_again(store: str) -> None:
    open_journal(store, "api").close()
    Path(store).chmod(0o644)
    open_journal(store, "api").close()
    assert stat.S_IMODE(Path(store).stat().st_mode) == 0o600


def test_a_folder_of_the_users_keeps_its_mode(tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    folder.chmod(0o755)
    open_journal(str(folder), "api").close()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755


def test_asking_for_a_journal_that_is_not_there_makes_nothing(tmp_path: Path) -> None:
    assert open_journal(str(tmp_path / "state"), "api", create=False) is None
    assert list(tmp_path.iterdir()) == []


def test_two_openings_see_each_other(store: str) -> None:
    one, two = open_journal(store, "api"), open_journal(store, "api")
    one.append("api", "r1", "Counted", {})
    assert len(list(two.events("api"))) == 1


def test_an_append_under_an_old_epoch_is_refused_with_the_name_of_the_taker(journal: SqliteJournal) -> None:
    epoch = PlanLock(journal, "api", "cutover run").acquire()
    journal.append("api", "r1", "Counted", {}, epoch=epoch)
    PlanLock(journal, "api", "cutover rollback").steal()
    with pytest.raises(LockedError, match=r"taken over by .*cutover rollback"):
        journal.append("api", "r1", "Counted", {}, epoch=epoch)
    assert len(list(journal.events("api"))) == 1


def test_a_killed_writer_loses_nothing_that_it_was_told_is_written(store: str) -> None:
    acknowledged: dict[int, int] = {}
    epoch = PlanLock(open_journal(store, "api"), "api", "cutover run").acquire()
    for kill_after in (1, 7, 40, 90, 3):
        process = writer(store, "r1", 10_000, epoch)
        assert process.stdout is not None
        for _ in range(kill_after):
            seq, number = process.stdout.readline().split()
            acknowledged[int(seq)] = int(number)
        process.kill()
        for line in process.stdout.read().splitlines(keepends=True):
            if line.endswith("\n"):
                seq, number = line.split()
                acknowledged[int(seq)] = int(number)
        process.stdout.close()
        process.wait(timeout=10)
    found = {event.seq: event.data for event in open_journal(store, "api").events("api", "r1")}
    assert set(acknowledged) <= set(found)
    assert sorted(found) == list(range(1, len(found) + 1))
    assert acknowledged == {seq: found[seq]["number"] for seq in acknowledged}
    assert all(data["text"] == "x" * (data["number"] % 5000) for data in found.values())


def test_several_processes_append_at_once_without_a_loss(store: str) -> None:
    epoch = PlanLock(open_journal(store, "api"), "api", "cutover run").acquire()
    writers = {run: writer(store, run, 60, epoch) for run in ("r1", "r2", "r3", "r4")}
    for process in writers.values():
        process.communicate(timeout=60)
        assert process.returncode == 0
    journal = open_journal(store, "api")
    assert [event.seq for event in journal.events("api")] == list(range(1, 241))
    for run in writers:
        assert [event.data["number"] for event in journal.events("api", run)] == list(range(60))


@pytest.mark.parametrize("content", [b"this is no database, but long enough to look like one" * 100, b"PK\x03\x04"])
def test_a_file_that_is_no_database_is_refused_and_left_alone(content: bytes, store: str) -> None:
    Path(store).write_bytes(content)
    for create in (True, False):
        with pytest.raises(CutoverError, match="no SQLite database") as refused:
            open_journal(store, "api", create=create)
        assert refused.value.hint
    assert Path(store).read_bytes() == content


def test_the_database_of_another_program_is_refused_and_left_alone(store: str) -> None:
    with sqlite3.connect(store) as connection:
        connection.execute("CREATE TABLE songs (title TEXT)")
    connection.close()
    before = Path(store).read_bytes()
    with pytest.raises(CutoverError, match="another program"):
        open_journal(store, "api")
    assert Path(store).read_bytes() == before


def test_a_damaged_journal_says_so(store: str) -> None:
    journal = open_journal(store, "api")
    for number in range(300):
        journal.append("api", "r1", "Counted", {"number": number, "text": "x" * 500})
    journal.close()
    data = bytearray(Path(store).read_bytes())
    data[8192:-4096] = b"\xff" * (len(data) - 12288)
    Path(store).write_bytes(data)
    with pytest.raises(CutoverError, match="damaged") as refused:
        list(open_journal(store, "api").events("api", "r1"))
    assert refused.value.hint is not None
    assert f"mv {store}" in refused.value.hint


def test_a_row_that_is_no_json_is_damage(journal: SqliteJournal) -> None:
    with journal.transaction() as connection:
        connection.execute("INSERT INTO events VALUES (1, 'api', 'r1', 0, 'Counted', '{torn')")
    with pytest.raises(CutoverError, match="damaged"):
        list(journal.events("api"))


def test_a_newer_format_is_refused_with_words(store: str) -> None:
    journal = open_journal(store, "api")
    with journal.transaction() as connection:
        connection.execute("PRAGMA user_version = 99")
    journal.close()
    with pytest.raises(CutoverError, match="newer cutover"):
        open_journal(store, "api")


def test_a_creation_that_was_killed_half_way_is_finished(store: str) -> None:
    Path(store).touch()
    assert open_journal(store, "api", create=False) is None
    with sqlite3.connect(store) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    connection.close()
    journal = open_journal(store, "api")
    journal.append("api", "r1", "Counted", {})


def test_a_journal_that_is_removed_meanwhile_takes_no_events(journal: SqliteJournal, store: str) -> None:
    journal.append("api", "r1", "Counted", {})
    Path(store).unlink()
    with pytest.raises(CutoverError, match="removed"):
        journal.append("api", "r1", "Counted", {})


def test_a_full_database_is_told_and_undone(journal: SqliteJournal) -> None:
    journal.append("api", "r1", "Counted", {})
    (pages,) = journal.query("PRAGMA page_count")[0]
    journal.query(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(CutoverError, match="disk is full"):
        journal.append("api", "r1", "Counted", {"text": "x" * 100_000})
    journal.query(f"PRAGMA max_page_count = {pages + 100}")
    assert journal.append("api", "r1", "Counted", {}).seq == 2


def test_a_full_disk_is_told_and_can_still_be_read(small_disk: Path) -> None:
    journal = open_journal(str(small_disk), "api")
    with pytest.raises(CutoverError, match="disk is full") as refused:
        append_many(journal, 1000)
    assert refused.value.hint is not None
    assert "free some space" in refused.value.hint
    written = len(list(journal.events("api")))
    journal.close()
    with pytest.raises(CutoverError):
        write_private(small_disk / "rest", "x" * 2_000_000)
    fill(small_disk / "fill")
    again = open_journal(str(small_disk), "api", create=False)
    assert again is not None
    assert len(list(again.events("api"))) == written > 0


def test_a_journal_closed_in_good_order_can_be_read_on_a_full_disk(small_disk: Path) -> None:
    journal = open_journal(str(small_disk), "api")
    journal.append("api", "r1", "Counted", {})
    journal.close()
    fill(small_disk / "fill")
    with pytest.raises(CutoverError, match="disk is full"):
        open_journal(str(small_disk), "api")
    read = open_journal(str(small_disk), "api", create=False)
    assert read is not None
    assert [event.kind for event in read.events("api")] == ["Counted"]


def append_many(journal: SqliteJournal, count: int) -> None:
    for _ in range(count):
        journal.append("api", "r1", "Counted", {"text": "x" * 5000})


def fill(file: Path) -> None:
    with file.open("wb", buffering=0) as filler:
        for size in (65536, 4096, 1):
            try:
                while filler.write(b"x" * size) == size:
                    pass
            except OSError:
                continue


def test_no_room_for_a_journal_at_all_is_told(small_disk: Path) -> None:
    fill(small_disk / "fill")
    with pytest.raises(CutoverError, match=r"full|No space"):
        open_journal(str(small_disk), "api")


def test_a_read_only_disk_can_be_read_but_not_written(small_disk: Path) -> None:
    journal = open_journal(str(small_disk), "api")
    journal.append("api", "r1", "Counted", {})
    journal.close()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], timeout=10, check=True)
    with pytest.raises(CutoverError):
        open_journal(str(small_disk), "api")
    read = open_journal(str(small_disk), "api", create=False)
    assert read is not None
    assert [event.kind for event in read.events("api")] == ["Counted"]
    with pytest.raises(CutoverError, match="cannot be written"):
        read.append("api", "r1", "Counted", {})


@pytest.mark.parametrize("store", ["file/state", "file/x.db"])
def test_a_folder_that_cannot_be_made_is_told(store: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CutoverError, match=r"cannot (make|open)"):
        open_journal(str(tmp_path / store), "api")


def test_a_folder_in_the_place_of_the_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.db").mkdir()
    (tmp_path / "x.db" / "theirs").touch()
    with pytest.raises(CutoverError):
        open_journal(str(tmp_path / "x.db"), "api")


def test_a_wrong_store_is_a_mistake_of_usage() -> None:
    with pytest.raises(UsageError):
        open_journal("postgres://db/x", "api")


def test_plans_with_state_are_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert known_plans(None) == []
    for plan in ("web", "api"):
        open_journal(None, plan).close()
    assert known_plans(None) == ["api", "web"]


def test_plans_of_a_shared_store_are_known(store: str) -> None:
    assert known_plans(store) == []
    journal = open_journal(store, "api")
    PlanLock(journal, "api", "cutover run").acquire()
    other = open_journal(store, "web").folder
    (other.emergency).mkdir()
    assert known_plans(store) == ["api", "web"]


def test_data_that_json_spells_oddly_survives(journal: SqliteJournal) -> None:
    data = {"lone": "\udc80", "big": 2**70, "text": 'quote " and \u2028', "none": None}
    assert journal.append("api", "r1", "Counted", data).data == data
    assert next(journal.events("api")).data == data
    assert json.loads(json.dumps(data)) == data


def test_another_users_journal_is_named_as_the_trouble(store: str, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("becoming another user needs root")
    open_journal(store, "api").close()
    for folder in (tmp_path, *tmp_path.parents[:-2]):
        folder.chmod(folder.stat().st_mode | 0o011)
    os.seteuid(65534)
    try:
        with pytest.raises(CutoverError) as refused:
            open_journal(store, "api")
    finally:
        os.seteuid(0)
    assert refused.value.hint is not None
    assert "who owns it" in refused.value.hint
