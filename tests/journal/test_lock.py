from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cutover.errors import EXIT_LOCKED, CutoverError, LockedError
from cutover.journal import PlanLock, SqliteJournal, exclusive, open_journal
from cutover.journal.identity import start_of
from cutover.journal.lock import GONE_AFTER_S, alive
from cutover.paths import StateFolder
from cutover.redact import redactor

HOLDER = """
import sys, time
from cutover.journal import PlanLock, open_journal
print(PlanLock(open_journal(sys.argv[1], "api"), "api", "cutover run").acquire(), flush=True)
time.sleep(60)
"""
CHANGER = """
import asyncio, sys
from pathlib import Path
from cutover.journal import exclusive
from cutover.paths import StateFolder
async def main():
    async with exclusive(StateFolder(Path(sys.argv[1]))):
        print("in", flush=True)
        await asyncio.sleep(60)
asyncio.run(main())
"""


@contextmanager
def process(code: str, *arguments: str, prefix: tuple[str, ...] = ()) -> Iterator[subprocess.Popen[str]]:
    """Another process, as soon as it has said its first line."""
    command = [*prefix, sys.executable, "-c", code, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        try:
            if not started.stdout.readline() and prefix:
                pytest.skip(f"{prefix[0]} is not allowed here")
            yield started
        finally:
            started.kill()
            started.wait(timeout=10)


async def until(met: Callable[[], bool]) -> None:
    while not met():
        await asyncio.sleep(0.005)


def move(source: str, target: str) -> None:
    Path(source).rename(target)


def set_holder(journal: SqliteJournal, **values: object) -> None:
    with journal.transaction() as connection:
        for name, value in values.items():
            connection.execute(f"UPDATE lock SET {name} = ?", (value,))  # noqa: S608 - our own column names


def test_a_living_holder_keeps_others_out_and_is_named(journal: SqliteJournal, store: str) -> None:
    with process(HOLDER, store) as holder, pytest.raises(LockedError) as refused:
        PlanLock(journal, "api", "cutover shift").acquire()
    assert refused.value.exit_code == EXIT_LOCKED
    told = refused.value.message
    assert all(part in told for part in (str(holder.pid), os.uname().nodename, "cutover run", str(Path.cwd()), "since"))
    assert refused.value.hint is not None


def test_a_killed_holders_lock_is_taken_over_and_told(journal: SqliteJournal, store: str) -> None:
    with process(HOLDER, store) as holder:
        holder.kill()
        holder.wait(timeout=10)
        lock = PlanLock(journal, "api", "cutover run")
        assert lock.acquire() == 2
        assert lock.took_over is not None
        assert lock.took_over.pid == holder.pid
        assert lock.held()


def test_a_holder_that_nobody_has_buried_is_gone(journal: SqliteJournal, store: str) -> None:
    with process(HOLDER, store) as holder:
        holder.kill()
        deadline = time.monotonic() + 10
        while start_of(holder.pid) is not None and time.monotonic() < deadline:
            os.sched_yield()
        assert Path(f"/proc/{holder.pid}").exists()
        assert PlanLock(journal, "api", "cutover run").acquire() == 2


def test_a_stopped_holder_is_not_gone(journal: SqliteJournal, store: str) -> None:
    with process(HOLDER, store) as holder:
        holder.send_signal(signal.SIGSTOP)
        set_holder(journal, refreshed=0)
        with pytest.raises(LockedError):
            PlanLock(journal, "api", "cutover run").acquire()


def test_another_process_with_the_holders_pid_is_not_the_holder(journal: SqliteJournal) -> None:
    PlanLock(journal, "api", "cutover run").acquire()
    (started,) = journal.query("SELECT started FROM lock")[0]
    set_holder(journal, started=started - 1)
    assert PlanLock(journal, "api", "cutover run").acquire() == 2


def test_a_holder_elsewhere_is_gone_when_it_has_not_refreshed_for_a_while(journal: SqliteJournal) -> None:
    PlanLock(journal, "api", "cutover run").acquire()
    set_holder(journal, machine="another", refreshed=time.time() - GONE_AFTER_S + 5)
    with pytest.raises(LockedError):
        PlanLock(journal, "api", "cutover run").acquire()
    set_holder(journal, refreshed=time.time() - GONE_AFTER_S - 1)
    assert PlanLock(journal, "api", "cutover run").acquire() == 2


def test_a_clock_that_was_set_back_does_not_keep_a_gone_holder_alive(journal: SqliteJournal) -> None:
    PlanLock(journal, "api", "cutover run").acquire()
    set_holder(journal, machine="another", refreshed=time.time() + 3600)
    assert PlanLock(journal, "api", "cutover run").acquire() == 2


def test_a_holder_in_another_pid_namespace_counts_as_elsewhere(journal: SqliteJournal, store: str) -> None:
    with process(HOLDER, store, prefix=("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")):
        holder = journal.holder("api")
        assert holder is not None
        assert holder.pid == 1
        assert alive(holder)
        with pytest.raises(LockedError):
            PlanLock(journal, "api", "cutover run").acquire()


def test_stealing_ends_a_living_holder_by_its_epoch(journal: SqliteJournal, store: str) -> None:
    first = PlanLock(journal, "api", "cutover run")
    first.acquire()
    second = PlanLock(open_journal(store, "api"), "api", "cutover rollback")
    assert second.steal() == 2
    assert second.took_over is not None
    assert second.took_over.command == "cutover run"
    assert second.held()
    assert not first.held()
    for lost in (first.ensure, first.refresh):
        with pytest.raises(LockedError, match=r"taken over by .*cutover rollback"):
            lost()
    first.release()
    assert second.held()


def test_a_released_lock_is_free_and_its_epoch_does_not_go_back(journal: SqliteJournal) -> None:
    lock = PlanLock(journal, "api", "cutover run")
    lock.acquire()
    lock.release()
    assert journal.holder("api") is None
    assert not lock.held()
    with pytest.raises(LockedError, match="released"):
        lock.ensure()
    again = PlanLock(journal, "api", "cutover run")
    assert again.acquire() == 2
    assert again.took_over is None


def test_plans_have_locks_of_their_own(journal: SqliteJournal) -> None:
    PlanLock(journal, "api", "cutover run").acquire()
    assert PlanLock(journal, "web", "cutover run").acquire() == 1


def test_of_several_at_once_one_gets_the_lock(store: str) -> None:
    open_journal(store, "api").close()
    code = HOLDER.replace("print(", "sys.stdin.readline()\nprint(")
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", code, store],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(4)
    ]  # fmt: skip
    try:
        for racer in racers:
            assert racer.stdin is not None
            racer.stdin.write("go\n")
            racer.stdin.flush()
        said = [racer.stdout.readline().strip() for racer in racers if racer.stdout]
        assert sorted(said) == ["", "", "", "1"]
    finally:
        for racer in racers:
            racer.kill()
            racer.communicate(timeout=10)


def test_the_command_is_named_without_its_secrets(journal: SqliteJournal) -> None:
    redactor.add("marked-secret-0816")
    PlanLock(journal, "api", "cutover run --store marked-secret-0816").acquire()
    holder = journal.holder("api")
    assert holder is not None
    assert holder.command == "cutover run --store ***"


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["acquire", "steal", "release"]), st.integers(0, 2)), max_size=20))
def test_epochs_only_grow_and_at_most_one_holds(acts: list[tuple[str, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        journal = open_journal(folder, "api")
        locks = [PlanLock(journal, "api", f"cutover {number}") for number in range(3)]
        last = 0
        for act, number in acts:
            try:
                epoch = getattr(locks[number], act)()
            except LockedError:
                assert any(lock.held() for lock in locks)
                continue
            if act != "release":
                assert epoch == last + 1
                last = epoch
                assert locks[number].held()
            assert sum(lock.held() for lock in locks) <= 1
        journal.close()


async def test_keeping_refreshes_and_tells_of_the_loss_once(
    journal: SqliteJournal, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cutover.journal.lock.WATCH_EVERY_S", 0.01)
    monkeypatch.setattr("cutover.journal.lock.REFRESH_EVERY_S", 0.0)
    lock = PlanLock(journal, "api", "cutover run")
    lock.acquire()
    set_holder(journal, refreshed=0.0)
    lost: asyncio.Queue[LockedError] = asyncio.Queue()
    keeping = asyncio.create_task(lock.keep(lost.put_nowait))
    async with asyncio.timeout(10):
        await until(lambda: journal.query("SELECT refreshed FROM lock") != [(0.0,)])
        PlanLock(open_journal(store, "api"), "api", "cutover abort").steal()
        error = await lost.get()
        await keeping
    assert "cutover abort" in error.message
    assert lost.empty()


async def test_keeping_outlasts_a_store_that_fails_for_a_while(
    journal: SqliteJournal, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cutover.journal.lock.WATCH_EVERY_S", 0.01)
    monkeypatch.setattr("cutover.journal.lock.REFRESH_EVERY_S", 0.0)
    lock = PlanLock(journal, "api", "cutover run")
    lock.acquire()
    lost: list[LockedError] = []
    keeping = asyncio.create_task(lock.keep(lost.append))
    async with asyncio.timeout(10):
        move(store, f"{store}.away")
        await until(lambda: lock.trouble is not None)
        move(f"{store}.away", store)
        await until(lambda: lock.trouble is None)
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    assert lost == []
    assert lock.held()


@pytest.fixture
async def folder(tmp_path: Path) -> AsyncIterator[StateFolder]:
    async with asyncio.timeout(30):
        yield StateFolder(tmp_path)


async def test_only_one_changes_the_proxy_at_a_time(folder: StateFolder) -> None:
    inside = 0

    async def change() -> None:
        nonlocal inside
        async with exclusive(folder) as problem:
            assert problem is None
            inside += 1
            await asyncio.sleep(0.01)
            assert inside == 1
            inside -= 1

    await asyncio.gather(*(change() for _ in range(4)))


async def test_another_process_in_the_middle_of_a_change_is_waited_for_until_it_dies(folder: StateFolder) -> None:
    with process(CHANGER, str(folder.path)) as changer:
        with pytest.raises(LockedError, match="middle of a change"):
            async with exclusive(folder, timeout_s=0.1):
                pytest.fail("two at once")
        changer.kill()
        async with exclusive(folder) as problem:
            assert problem is None


async def test_a_rollback_goes_on_past_a_process_that_hangs_in_a_change(folder: StateFolder) -> None:
    with process(CHANGER, str(folder.path)):
        async with exclusive(folder, required=False, timeout_s=0.1) as problem:
            assert problem is not None
            assert "middle of a change" in problem


async def test_a_rollback_goes_on_without_its_folder(tmp_path: Path) -> None:
    gone = StateFolder(tmp_path / "gone")
    async with exclusive(gone, required=False) as problem:
        assert problem is not None
        assert str(gone.path) in problem
    with pytest.raises(CutoverError, match="cannot lock"):
        async with exclusive(gone):
            pytest.fail("not locked")
    assert not gone.path.exists()


async def test_nothing_is_written_to_be_alone(read_only_disk: Path) -> None:
    async with exclusive(StateFolder(read_only_disk)) as problem:
        assert problem is None


async def test_a_child_process_does_not_inherit_being_alone(folder: StateFolder) -> None:
    async with exclusive(folder):
        child = await asyncio.create_subprocess_exec("sleep", "30")
    try:
        async with exclusive(folder, timeout_s=0.1) as problem:
            assert problem is None
    finally:
        child.kill()
        await child.wait()
