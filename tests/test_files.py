from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from cutover.errors import CutoverError
from cutover.files import make_private_folder, write_private


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_is_written_exactly_and_closed_to_others(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "file.conf"
    text = "tabs\tand\r\nline ends\n" + os.fsdecode(b"raw \xff bytes")
    write_private(path, text)
    assert path.read_bytes() == os.fsencode(text)
    assert mode(path) == 0o600
    assert mode(path.parent) == mode(path.parent.parent) == 0o700
    assert list(path.parent.iterdir()) == [path]


def test_a_file_is_replaced_whole_and_the_earlier_one_stays_with_who_has_it_open(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_private(path, "before")
    path.chmod(0o644)
    with path.open() as earlier:
        write_private(path, "after")
        assert earlier.read() == "before"
    assert path.read_text() == "after"
    assert mode(path) == 0o600


def test_a_link_is_replaced_not_followed(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("theirs")
    (tmp_path / "link").symlink_to("target")
    write_private(tmp_path / "link", "ours")
    assert (tmp_path / "target").read_text() == "theirs"
    assert (tmp_path / "link").read_text() == "ours"


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(CutoverError, match="cannot write") as refused:
        write_private(tmp_path / "taken", "text")
    assert str(tmp_path / "taken") in refused.value.message
    assert list(tmp_path.iterdir()) == [tmp_path / "taken"]


def test_a_file_in_the_way_of_a_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(CutoverError, match="cannot make the folder") as refused:
        write_private(tmp_path / "file" / "inner" / "x", "text")
    assert refused.value.hint is not None


def test_only_missing_folders_get_our_mode_unless_closing_is_asked(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    theirs.chmod(0o755)
    make_private_folder(theirs / "ours")
    assert (mode(theirs), mode(theirs / "ours")) == (0o755, 0o700)
    make_private_folder(theirs, close=True)
    assert mode(theirs) == 0o700
