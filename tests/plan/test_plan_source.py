"""Whatever is no plan's file is one clear mistake, within a second."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cutover.errors import EXIT_USAGE, PlanError
from cutover.plan import load_plan
from cutover.plan.source import MAX_PLAN_BYTES, position, read_plan
from cutover.plan.step import StepTypes

Write = Callable[[str | bytes], Path]
LIMIT_S = 1.0


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root may read everything, and must not for a moment."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


def refused(path: Path, step_types: StepTypes) -> str:
    """The one mistake of a file, without its name."""
    began = time.process_time()
    with pytest.raises(PlanError) as error:
        load_plan(path, step_types, {})
    assert time.process_time() - began < LIMIT_S
    assert error.value.exit_code == EXIT_USAGE
    (mistake,) = error.value.mistakes
    assert mistake.file == str(path)
    return str(mistake).removeprefix(str(path))


def test_a_missing_file_says_how_to_begin(tmp_path: Path, step_types: StepTypes) -> None:
    assert "there is no such file" in refused(tmp_path / "no.yml", step_types)
    assert "cutover init" in refused(tmp_path / "no.yml", step_types)


def test_a_folder_is_no_plan(tmp_path: Path, step_types: StepTypes) -> None:
    assert "this is a folder" in refused(tmp_path, step_types)


def test_a_path_through_a_file_is_no_plan(write: Write, step_types: StepTypes) -> None:
    assert "can't be opened: Not a directory" in refused(write("x") / "plan.yml", step_types)


def test_a_path_with_a_null_byte_is_no_plan(step_types: StepTypes) -> None:
    assert "can't be opened" in refused(Path("a\0b"), step_types)


def test_an_unreadable_file_says_so(write: Write, step_types: StepTypes) -> None:
    path = write("version: 1")
    path.chmod(0)
    with as_nobody():
        assert "Permission denied" in refused(path, step_types)


def test_a_file_that_cannot_be_read_says_why(step_types: StepTypes) -> None:
    """The memory of a process is a regular file whose first byte can't be read."""
    assert "can't be read" in refused(Path("/proc/self/mem"), step_types)


def test_a_fifo_without_a_writer_does_not_wait(tmp_path: Path, step_types: StepTypes) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    assert "not a regular file" in refused(fifo, step_types)


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null"])
def test_a_device_is_no_plan(device: str, step_types: StepTypes) -> None:
    assert "not a regular file" in refused(Path(device), step_types)


def test_ten_megabytes_are_no_plan(write: Write, step_types: StepTypes) -> None:
    assert "larger than 1024 kB" in refused(write(b"a: b\n" * 2_000_000), step_types)


def test_the_limit_itself_is_read(write: Write) -> None:
    text = "#" * MAX_PLAN_BYTES
    assert read_plan(write(text)) == text
    with pytest.raises(PlanError):
        read_plan(write(text + "#"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a: b\nc: \xff\xfe\n", ":2:4: the file is not UTF-8 text"),
        (b"\x7fELF\x02\x01\x01\x00\x00", ":1:1: the file holds the control character U+007F"),
        (b"a: b\nc: d\x00\n", ":2:5: the file holds the control character U+0000"),
        (b"caf\xe9: 1\n", ":1:4: the file is not UTF-8 text"),
        ("a: b\n".encode("utf-16"), " the file is UTF-16 (save it as UTF-8)"),
        (b"", " the plan is empty"),
        (b"\n\n   \n", " the plan is empty"),
        (b"# nothing\n# but comments\n", " the plan is empty"),
        (b"---\n", " the plan is empty"),
        (b"---\n...\n", " the plan is empty"),
        (b"~\n", " the plan is empty"),
        (b"\xef\xbb\xbf", " the plan is empty"),
        (b"- a\n- b\n", ":1:1: a plan is a mapping (name: ..., backends: ...), not a list"),
        (b"hello\n", ":1:1: a plan is a mapping (name: ..., backends: ...), not the single value 'hello'"),
        (b"a: b\n---\nc: d\n", ":2:1: a second document begins here"),
    ],
)
def test_what_is_no_plan_is_told_where_and_why(content: bytes, said: str, write: Write, step_types: StepTypes) -> None:
    assert said in refused(write(content), step_types)


def test_a_byte_order_mark_and_windows_line_ends_are_fine(write: Write, whole: str, step_types: StepTypes) -> None:
    content = b"\xef\xbb\xbf" + whole.replace("\n", "\r\n").encode()
    loaded = load_plan(write(content), step_types, {"OLD_TOKEN": "t0ken-of-old"})
    assert loaded.plan.name == "medical-api"


def test_positions_are_right_after_windows_line_ends(write: Write, whole: str, step_types: StepTypes) -> None:
    content = b"\xef\xbb\xbf" + whole.replace("version: 1", "version: 2").replace("\n", "\r\n").encode()
    with pytest.raises(PlanError) as error:
        load_plan(write(content), step_types, {"OLD_TOKEN": "t0ken-of-old"})
    assert [(m.line, m.column) for m in error.value.mistakes] == [(1, 10)]


def test_position_counts_lines_and_columns_from_one() -> None:
    assert position("", 0) == (1, 1)
    assert position("ab\ncd", 4) == (2, 2)
    assert position("ab\r\ncd\re", 7) == (3, 1)
