from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutover.artifacts import MAX_ARTIFACT_BYTES, Artifacts
from cutover.redact import redactor

SECRET = "marked-secret-0818"


@pytest.fixture
def artifacts(tmp_path: Path) -> Artifacts:
    redactor.add(SECRET)
    return Artifacts(tmp_path / "runs" / "r1")


def test_what_is_kept_is_redacted_and_closed_to_others(artifacts: Artifacts) -> None:
    assert artifacts.write("configs/a.conf", f"set {SECRET};\n") is None
    assert artifacts.write_json("steps/1.json", {"url": f"/?token={SECRET}", "path": Path(SECRET), SECRET: 1}) is None
    kept = artifacts.folder / "configs/a.conf"
    assert kept.read_text() == "set ***;\n"
    assert SECRET not in (artifacts.folder / "steps/1.json").read_text()
    for path in (artifacts.folder, *artifacts.folder.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "..", "", "a/../../b", "~/x", ".hidden", "a\0b", "//"]
)
def test_no_name_leads_out_of_the_folder(name: str, artifacts: Artifacts, tmp_path: Path) -> None:
    assert artifacts.write(name, "text") is None
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 1
    assert files[0].is_relative_to(artifacts.folder)


@given(st.text())
def test_any_name_gives_a_path_below_the_folder(name: str) -> None:
    path = Artifacts(Path("/state/run")).path(name)
    assert path.is_relative_to("/state/run")
    assert ".." not in path.parts
    assert path != Path("/state/run")


def test_of_a_long_text_the_end_is_kept(artifacts: Artifacts) -> None:
    text = "ü" * MAX_ARTIFACT_BYTES + "the end"
    artifacts.write("log", text)
    kept = (artifacts.folder / "log").read_text()
    assert kept.endswith("üthe end")
    assert "left out" in kept.splitlines()[0]
    assert len(kept.encode()) < MAX_ARTIFACT_BYTES + 200


def test_long_json_stays_json(artifacts: Artifacts) -> None:
    artifacts.write_json("samples.json", ["x" * 100] * (MAX_ARTIFACT_BYTES // 100))
    kept = json.loads((artifacts.folder / "samples.json").read_text())
    assert kept["truncated"] is True
    assert kept["tail"].endswith("]")
    assert kept["characters"] > MAX_ARTIFACT_BYTES


def test_text_that_was_no_utf8_is_kept(artifacts: Artifacts) -> None:
    assert artifacts.write("body", "lone \ud800 and \udcff") is None
    assert artifacts.write_json("body.json", {"x": "\ud800"}) is None


def test_what_cannot_be_written_is_a_sentence_not_an_error(artifacts: Artifacts) -> None:
    artifacts.folder.parent.mkdir(parents=True)
    artifacts.folder.write_text("a file in the way")
    problem = artifacts.write("a", "text")
    assert problem is not None
    assert str(artifacts.folder) in problem
    assert artifacts.write_json("a", {}) is not None
