"""The table of exit codes, where other tests do not hold it already, and rollbacks at every odd moment."""

from __future__ import annotations

import re
import subprocess
import sys
from contextlib import suppress

import pytest

from cutover.load.program import find_k6
from tests.support.forks import ROOT
from tests.support.site import Backend, Site, Traffic
from tests.support.trouble import wait_until

DEFECTIVE = ROOT / "tests/support/defective.py"
HOLDING = "shift:\n  - shift: {to: 50, hold: 60s, every: 200ms, gates: [{http: {backend: new, path: /health}}]}\n"
BREAKING = "shift:\n  - shift: {to: 50}\n  - http: {backend: new, path: /defect}\n"
DONE = "shift:\n  - shift: {to: 100}\ncleanup:\n  - http: {backend: new, path: /health}\n"
STEADY = f"shift:\n  - shift: {{through: {list(range(1, 60))}}}\n"


def defective(site: Site, defects: str, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(DEFECTIVE), defects, *args], cwd=site.folder,
        env={**site.env(), "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def journalled(site: Site, kind: str) -> bool:
    for file in site.state.glob("journal.db*"):
        # What SQLite writes ahead goes when the last process is through.
        with suppress(FileNotFoundError):
            if kind.encode() in file.read_bytes():
                return True
    return False


def finished(process: subprocess.Popen[str]) -> tuple[int, str]:
    out, err = process.communicate(timeout=60)
    assert "Traceback" not in out + err, out + err
    return process.returncode, out + err


@pytest.mark.parametrize("command", ["run", "preflight", "shift --weight 10", "proxy start", "rollback"])
def test_a_plan_with_a_mistake_is_2_and_leaves_nothing_behind(quick: Site, command: str) -> None:
    quick.write_plan(HOLDING, extra="nonsense: 1\n")
    assert "nonsense" in quick.cutover(*command.split(), expect=2).stderr
    assert not (quick.folder / "state").exists()


def test_the_lock_is_tested_before_anything_else_that_could_refuse(quick: Site) -> None:
    quick.write_plan(HOLDING)
    process = quick.start("run")
    quick.wait_for_state("holding")
    for command in ("run --only nowhere", "preflight", "approve", "resume", "proxy stop", "proxy start"):
        assert f"process {process.pid}" in quick.cutover(*command.split(), expect=3).stderr
    good = quick.plan_file.read_text()
    for broken in (f"{good}nonsense: 1\n", f"{good}\t[", good.replace("managed: {}", "docker: {container: edge}")):
        quick.plan_file.write_text(broken)
        for command in ("run", "shift --weight 0", "proxy stop"):
            quick.cutover(*command.split(), expect=3)
    assert process.poll() is None


def test_a_question_that_nobody_can_answer_is_2_and_stops_nobody(quick: Site) -> None:
    quick.write_plan(HOLDING)
    process = quick.start("run")
    quick.wait_for_state("holding")
    assert "without a terminal" in quick.cutover("abort", expect=2).stderr
    with pytest.raises(subprocess.TimeoutExpired):
        process.communicate(timeout=1.5)
    process.kill()
    process.communicate()
    assert "without a terminal" in quick.cutover("proxy", "stop", expect=2).stderr
    assert quick.get()[0] == 200


def test_a_defect_before_traffic_moved_is_70(quick: Site) -> None:
    quick.write_plan("preflight:\n  - http: {backend: new, path: /defect}\n")
    done = defective(quick, "check", "run")
    assert done.returncode == 70, done.stderr
    assert "traffic is safe" in done.stderr
    assert quick.share_of_new(5) == 0


def test_a_defect_with_traffic_moved_brings_it_back_first(quick: Site) -> None:
    quick.write_plan(BREAKING)
    done = defective(quick, "check", "run")
    assert done.returncode == 70, done.stderr
    assert "a defect of cutover: RuntimeError" in done.stderr
    assert "traffic is safe" in done.stderr
    assert quick.share_of_new(10) == 0
    assert quick.status()["state"] == "rolled_back"
    quick.write_plan(BREAKING.replace("defect", "health"))
    quick.cutover("run")
    assert 0 < quick.share_of_new(20) < 100


def test_a_defect_that_also_breaks_the_rollback_is_5(quick: Site) -> None:
    quick.write_plan(BREAKING)
    done = defective(quick, "check,rollback", "run")
    assert done.returncode == 5, done.stderr
    assert "could not be brought to a verified safe state" in done.stderr
    assert quick.status()["weight"]["live"] == 50
    quick.cutover("rollback")
    assert quick.share_of_new(10) == 0


def test_a_rollback_by_hand_with_a_defect_is_5(quick: Site) -> None:
    quick.write_plan(BREAKING.replace("defect", "health"))
    quick.cutover("run")
    assert defective(quick, "change", "rollback").returncode == 5
    assert quick.status()["weight"]["live"] == 50


def test_a_rollback_before_any_run_serves_old(quick: Site) -> None:
    quick.write_plan(HOLDING)
    quick.cutover("rollback")
    assert quick.share_of_new(5) == 0
    quick.cutover("rollback")
    assert quick.status()["weight"] == {"intended": 0, "live": 0}
    assert quick.status()["state"] == "rolled_back"


@pytest.mark.parametrize("by", ["request", "client"])
def test_a_rollback_after_a_run_that_is_done_asks_whether_old_is_there(quick: Site, by: str) -> None:
    quick.write_plan(DONE, split=f"{{by: {by}}}")
    quick.cutover("run")
    quick.old.stop()
    assert "old does not answer" in quick.cutover("rollback", expect=5).stderr
    assert quick.share_of_new(10) == 100
    quick.cutover("rollback", "--force")
    assert quick.get()[0] == 502
    quick.old = Backend("old", quick.old.port)
    assert quick.share_of_new(10) == 0
    quick.cutover("run")
    assert quick.share_of_new(10) == 100
    quick.cutover("rollback")
    assert quick.share_of_new(10) == 0
    quick.old.stop()


@pytest.mark.parametrize("by", ["request", "client"])
def test_a_rollback_in_the_middle_of_changes_has_the_last_word(quick: Site, by: str) -> None:
    quick.write_plan(STEADY, split=f"{{by: {by}}}")
    quick.cutover("proxy", "start")
    with Traffic(quick.port, clients=2) as traffic:
        process = quick.start("run")
        wait_until(lambda: journalled(quick, "ShiftVerified"))
        quick.cutover("rollback")
        code, said = finished(process)
    assert code == 3, said
    assert quick.status()["weight"] == {"intended": 0, "live": 0}
    assert quick.status()["state"] == "rolled_back"
    assert quick.share_of_new(10) == 0
    assert traffic.failed == []


def test_of_two_rollbacks_at_once_one_does_it(quick: Site) -> None:
    quick.write_plan(HOLDING)
    quick.cutover("shift", "--weight", "50")
    codes = sorted(finished(process)[0] for process in [quick.start("rollback"), quick.start("rollback")])
    assert codes in ([0, 0], [0, 3])
    assert quick.share_of_new(10) == 0
    assert quick.status()["weight"] == {"intended": 0, "live": 0}
    quick.write_plan(BREAKING.replace("defect", "health"))
    quick.cutover("run")


def test_doctor_names_the_k6_of_a_load_and_that_it_is_not_there(quick: Site) -> None:
    loads = ["{backend: new, engine: k6}", "{backend: new, engine: k6, binary: /nowhere/k6}", "{backend: new}"]
    quick.write_plan("preflight:\n" + "".join(f"  - load: {load}\n" for load in loads))
    said = quick.cutover("doctor", expect=1).stdout
    assert re.findall(r"^(\w+) +k6 +(.*)$", said, re.MULTILINE) == [
        ("ok", find_k6(None)),
        ("problem", "/nowhere/k6 is no program that can be run here: correct binary, or install k6"),
    ]


def test_doctor_notes_an_engine_that_is_not_there(quick: Site) -> None:
    quick.write_plan("preflight:\n  - http: {backend: old, path: /health}\n")
    quick.environ["DOCKER_HOST"] = f"unix://{quick.folder}/no.sock"
    done = quick.cutover("doctor")
    assert re.search(r"^note +docker +the Docker engine at unix:.* can't be reached", done.stdout, re.MULTILINE)
