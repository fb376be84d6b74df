from __future__ import annotations

import os
from pathlib import Path

import pytest

from cutover.errors import UsageError
from cutover.journal.store import file_system, locate, refuse_network


def test_the_default_is_a_journal_in_the_state_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    location = locate(None, "api")
    assert location.file == tmp_path / "cutover/api/journal.db"
    assert location.folder.path == tmp_path / "cutover/api"


@pytest.mark.parametrize("home", ["", "relative/state"])
def test_a_state_home_that_is_no_absolute_path_is_not_used(home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", home)
    monkeypatch.setenv("HOME", "/home/anna")
    assert locate("", "api").file == Path("/home/anna/.local/state/cutover/api/journal.db")


@pytest.mark.parametrize(
    ("store", "file"),
    [
        ("/srv/cutover", "/srv/cutover/journal.db"),
        ("/srv/cutover/", "/srv/cutover/journal.db"),
        ("/srv/x.db", "/srv/x.db"),
        ("/srv/x.sqlite", "/srv/x.sqlite"),
        ("sqlite:////srv/x.sqlite3", "/srv/x.sqlite3"),
        ("sqlite:///srv/cutover/x.db", "/srv/cutover/x.db"),
        ("sqlite://localhost/srv/cutover", "/srv/cutover/journal.db"),
        ("file:///srv/with%20space/x.db", "/srv/with space/x.db"),
        ("SQLite:///srv/a/x.db", "/srv/a/x.db"),
        ("~/state", "/home/anna/state/journal.db"),
    ],
)
def test_a_store_names_a_file_or_a_folder(store: str, file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/anna")
    assert locate(store, "api").file == Path(file)


@pytest.mark.parametrize("store", ["state/x.db", "./state/x.db", "sqlite:state/x.db", "sqlite:///./state/x.db"])
def test_a_relative_store_lies_below_the_working_folder(
    store: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert locate(store, "api").file == tmp_path / "state/x.db"


@pytest.mark.parametrize(
    "store",
    [
        "postgres://db/cutover",
        "redis://localhost",
        "sqlite://host/srv/x.db",
        "sqlite:///srv/x.db?mode=ro",
        "sqlite:///srv/x.db#x",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        ":memory:",
        "sqlite:///journal.db",
    ],
)
def test_a_store_that_cannot_be_one_is_refused_with_a_cure(store: str) -> None:
    with pytest.raises(UsageError) as refused:
        locate(store, "api")
    assert refused.value.hint


@pytest.mark.parametrize("plan", ["", ".", "..", "a/b", "../api"])
def test_a_plan_name_leads_nowhere_else(plan: str) -> None:
    with pytest.raises(UsageError):
        locate(None, plan)


@pytest.mark.parametrize("store", ["/srv/cutover", "/srv/x.db"])
def test_plans_that_share_a_store_have_state_folders_of_their_own(store: str) -> None:
    one, two = locate(store, "one"), locate(store, "two")
    assert one.file == two.file
    assert one.folder.path != two.folder.path


MOUNTS = """\
/dev/sda1 / ext4 rw 0 0
server:/x /mnt/with\\040space nfs4 rw 0 0
//server/share /mnt/share cifs rw 0 0
/dev/sdb1 /mnt/share/inner xfs rw 0 0
anna@host:/ /mnt/ssh fuse.sshfs rw 0 0
systemd-1 /mnt/auto autofs rw 0 0
server:/y /mnt/auto nfs rw 0 0
C: /mnt/c 9p rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/srv/x.db", "ext4"),
        ("/mnt/with space/a/b.db", "nfs4"),
        ("/mnt/share/x.db", "cifs"),
        ("/mnt/shared/x.db", "ext4"),
        ("/mnt/share/inner/x.db", "xfs"),
        ("/mnt/auto/x.db", "nfs"),
    ],
)
def test_the_innermost_and_latest_mount_holds_a_path(path: str, kind: str, tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(MOUNTS)
    assert file_system(Path(path), mounts) == kind


@pytest.mark.parametrize("file", ["/mnt/with space/x.db", "/mnt/share/x.db", "/mnt/ssh/x.db", "/mnt/c/x.db"])
def test_a_network_file_system_is_refused(file: str, tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(MOUNTS)
    with pytest.raises(UsageError, match="network file system"):
        refuse_network(Path(file), mounts)


def test_a_local_file_system_is_not_refused(tmp_path: Path) -> None:
    refuse_network(tmp_path / "not/there/yet.db")


def test_a_link_into_a_mount_counts_as_the_mount(tmp_path: Path) -> None:
    (tmp_path / "mounts").write_text(f"/dev/a / ext4 rw 0 0\nserver:/x {os.path.realpath(tmp_path)}/far nfs rw 0 0\n")
    (tmp_path / "far").mkdir()
    (tmp_path / "link").symlink_to("far")
    assert file_system(tmp_path / "link/x.db", tmp_path / "mounts") == "nfs"
