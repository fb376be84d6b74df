"""A log is read once, whatever becomes of it: it grows, is rotated, truncated, made anew."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cutover.errors import ProxyError
from cutover.hosts.base import LogCursor
from cutover.hosts.logs import LocalLogs, end, read_on

LIMIT = 1024 * 1024


class Log:
    """A log, and a reader that has seen it up to some point."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "access.log"
        self.path.write_text("before\n" * 300)
        self.cursor = end(LocalLogs(), str(self.path))
        self.notes: list[str] = []

    def write(self, *lines: str, end: str = "\n") -> None:
        with self.path.open("a") as file:
            file.write("".join(f"{line}{end}" for line in lines))

    def read(self, limit: int = LIMIT) -> list[str]:
        """All that is new."""
        found = b""
        for _ in range(1000):
            read = read_on(LocalLogs(), str(self.path), self.cursor, limit)
            found, self.cursor = found + read.data, read.cursor
            if read.note:
                self.notes.append(read.note)
            if not read.behind:
                return found.decode().splitlines()
        raise AssertionError("it never came to the end")


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path)


def test_only_what_is_new_is_read(log: Log) -> None:
    assert log.read() == []
    log.write("a", "b")
    assert log.read() == ["a", "b"]
    assert log.read() == []
    log.write("c")
    assert log.read() == ["c"]
    assert log.notes == []


def test_a_line_that_is_not_whole_is_waited_for(log: Log) -> None:
    log.write("a", "b", end="")
    assert log.read() == []
    log.write("c")
    assert log.read() == ["abc"]


def test_the_end_is_behind_a_whole_line(log: Log) -> None:
    log.write("half", end="")
    log.cursor = end(LocalLogs(), str(log.path))
    log.write(" and half", "next")
    assert log.read() == ["half and half", "next"]


def test_a_line_beyond_all_limits_does_not_stop_the_reader(log: Log) -> None:
    log.write("x" * 5000, "after")
    assert log.read(limit=1000)[-1].endswith("after")


def test_a_log_that_does_not_exist_yet_is_read_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    cursor = end(LocalLogs(), str(path))
    with pytest.raises(ProxyError, match="there is no access log at"):
        read_on(LocalLogs(), str(path), cursor, LIMIT)
    path.write_text("first\n")
    assert read_on(LocalLogs(), str(path), cursor, LIMIT).data == b"first\n"


@pytest.mark.parametrize("suffix", [".1", "-20260131", "-20260131.1"])
def test_rotation_loses_nothing(log: Log, suffix: str) -> None:
    log.write("a")
    assert log.read() == ["a"]
    log.write("last of the earlier")
    earlier = log.path.with_name(log.path.name + suffix)
    log.path.rename(earlier)
    assert log.read() == ["last of the earlier"]
    log.path.touch()
    with earlier.open("a") as still_written:
        still_written.write("later still\n")
    assert log.read() == ["later still"]
    log.write("first of the new")
    assert log.read() == ["first of the new"]
    assert log.notes == []


def test_rotation_while_nobody_reads_loses_nothing_however_often(log: Log) -> None:
    log.write("a")
    for name in ("b", "c", "d"):
        for number in (2, 1, 0):
            earlier = log.path.with_name(f"access.log.{number}" if number else "access.log")
            if earlier.exists():
                earlier.rename(log.path.with_name(f"access.log.{number + 1}"))
        log.write(name)
    found: list[str] = []
    for _ in range(6):
        found += log.read(limit=4096)
    assert (found, log.notes) == (["a", "b", "c", "d"], [])


def test_rotation_by_dates_while_nobody_reads_loses_nothing(log: Log) -> None:
    log.write("a")
    for day, name in (("20260131", "b"), ("20260201", "c"), ("20260202", "d")):
        log.path.rename(log.path.with_name(f"access.log-{day}"))
        log.write(name)
        time.sleep(0.01)
    found: list[str] = []
    for _ in range(6):
        found += log.read(limit=4096)
    assert (found, log.notes) == (["a", "b", "c", "d"], [])


@pytest.mark.parametrize("offset", [1, 6, 7, 8, 13, 699, 700])
def test_a_cursor_without_a_digest_begins_with_the_next_whole_line(log: Log, offset: int) -> None:
    content = log.path.read_bytes()
    read = read_on(LocalLogs(), str(log.path), LogCursor(log.path.stat().st_ino, offset), LIMIT)
    assert read.data == content[(offset + 6) // 7 * 7 :]
    other = read_on(LocalLogs(), str(log.path), LogCursor(1, offset), LIMIT)
    assert (other.data, bool(other.note)) == (content, True)


def test_rotation_of_an_empty_log_loses_nothing(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.path.write_text("")
    log.cursor = end(LocalLogs(), str(log.path))
    log.write("a")
    log.path.rename(log.path.with_name("access.log.1"))
    log.write("b")
    assert log.read() + log.read() == ["a", "b"]


def test_copy_and_truncate_loses_nothing_that_was_copied(log: Log) -> None:
    log.write("a")
    shutil.copy(log.path, log.path.with_name("access.log.1"))
    os.truncate(log.path, 0)
    log.write("b")
    assert log.read() + log.read() == ["a", "b"]


@pytest.mark.parametrize("more", [1, 5000])
def test_a_truncated_log_is_read_from_its_beginning_and_said(log: Log, more: int) -> None:
    log.write("a")
    log.read()
    os.truncate(log.path, 0)
    log.write(*(f"new {n}" for n in range(more)))
    assert log.read() == [f"new {n}" for n in range(more)]
    assert log.notes == ["the log was truncated or made anew"]


def test_a_log_that_was_removed_is_said_and_read_when_it_is_back(log: Log) -> None:
    log.path.unlink()
    with pytest.raises(ProxyError, match="there is no access log at"):
        log.read()
    log.path.write_text("back\n")
    assert log.read() == ["back"]


def test_what_is_no_file_is_said(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "access.log")
    with pytest.raises(ProxyError, match="is no file"):
        end(LocalLogs(), str(tmp_path / "access.log"))


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["write", "read", "rotate"]), st.integers(0, 40)), min_size=1, max_size=25
    ),
    limit=st.integers(700, 4000),
)
def test_every_line_is_read_once_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]], limit: int
) -> None:
    log = Log(tmp_path_factory.mktemp("log"))
    written: list[str] = []
    seen: list[str] = []
    rotations = 0
    for what, number in steps:
        if what == "write":
            lines = [f"line {len(written) + n} " + "." * (7 * n) for n in range(number)]
            written += lines
            log.write(*lines)
        elif what == "read":
            seen += log.read(limit)
        else:
            # One rotation at most between two evaluations is what a gate has to bear.
            seen += log.read(limit)
            rotations += 1
            log.path.rename(log.path.with_name(f"access.log.{rotations}"))
            log.path.touch()
    seen += log.read(limit)
    seen += log.read(limit)
    assert seen == written


def test_a_cursor_is_plain_data() -> None:
    assert LogCursor(**vars(LogCursor(3, 4, "ab"))) == LogCursor(3, 4, "ab")
