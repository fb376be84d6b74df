"""``cutover init``: a plan to begin with, that takes the place of none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cutover.plan.starters import starter, starters

TIMEOUT_S = 30


def cutover(folder: Path, *args: str, stdin: int = subprocess.DEVNULL, expect: int = 0) -> tuple[str, str]:
    """What it printed on standard output and on standard error."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("CUTOVER_", "XDG_"))}
    done = subprocess.run(
        [sys.executable, "-m", "cutover", *args], cwd=folder, env={**env, "XDG_STATE_HOME": str(folder / "state")},
        stdin=stdin, capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
    )  # fmt: skip
    assert done.returncode == expect, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


def test_writes_a_starter_that_is_a_valid_plan_as_it_stands(tmp_path: Path) -> None:
    out, _ = cutover(tmp_path, "init")
    assert "wrote cutover.yml" in out
    assert (tmp_path / "cutover.yml").read_text() == starter("starter")
    assert "no mistakes" in cutover(tmp_path, "check")[0]


@pytest.mark.parametrize("name", starters())
def test_writes_any_shipped_plan_to_any_file(tmp_path: Path, name: str) -> None:
    out, _ = cutover(tmp_path, "init", "--template", name, "--plan", "mine.yml", "--json")
    assert json.loads(out) == {"plan": "mine.yml"}
    assert (tmp_path / "mine.yml").read_text() == starter(name)


def test_lists_names_and_titles(tmp_path: Path) -> None:
    out, _ = cutover(tmp_path, "init", "--list")
    assert [line.split()[0] for line in out.splitlines()] == list(starters())
    assert json.loads(cutover(tmp_path, "init", "--list", "--json")[0]) == starters()
    assert list(tmp_path.iterdir()) == []


def test_leaves_a_plan_alone_unless_told_otherwise(tmp_path: Path) -> None:
    plan = tmp_path / "cutover.yml"
    plan.write_text("mine")
    _, err = cutover(tmp_path, "init", expect=2)
    assert "cutover.yml exists" in err
    assert "--yes" in err
    assert plan.read_text() == "mine"
    cutover(tmp_path, "init", "-y")
    assert plan.read_text() == starter("starter")


@pytest.mark.parametrize(("answer", "code"), [("n", 2), ("y", 0)])
def test_asks_before_it_overwrites_where_somebody_can_answer(tmp_path: Path, answer: str, code: int) -> None:
    plan = tmp_path / "cutover.yml"
    plan.write_text("mine")
    ours, theirs = os.openpty()
    try:
        os.write(ours, f"{answer}\n".encode())
        _, err = cutover(tmp_path, "init", stdin=theirs, expect=code)
    finally:
        os.close(ours)
        os.close(theirs)
    assert "Overwrite it?" in err
    assert plan.read_text() == ("mine" if code else starter("starter"))


def test_suggests_a_name_for_one_that_does_not_exist(tmp_path: Path) -> None:
    _, err = cutover(tmp_path, "init", "--template", "medical_api", expect=2)
    assert "did you mean 'medical-api'?" in err
    _, err = cutover(tmp_path, "init", "--template", "zzz", expect=2)
    assert all(name in err for name in starters())
    _, err = cutover(tmp_path, "init", "--template", "../plans/starter", expect=2)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "target", ["missing/cutover.yml", "file/cutover.yml", "folder", "/sys/cutover.yml", "/dev/full"]
)
def test_says_that_a_plan_could_not_be_written(tmp_path: Path, target: str) -> None:
    """No folder, none either, one that is not writable to anybody, and a full disk."""
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    _, err = cutover(tmp_path, "init", "-y", "--plan", target, expect=2)
    assert f"{target} could not be written: " in err
