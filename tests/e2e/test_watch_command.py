"""``cutover watch``: gates outside the phases of a run."""

from __future__ import annotations

import json
import signal
import subprocess
import time

import pytest

from tests.support.site import Site

HEALTH = "gates: [{http: {backend: new, path: /health}}]"
PHASES = f"shift:\n  - shift: {{to: 50}}\nask:\n  - approve: go on?\nsoak:\n  - watch: {{for: 1h, {HEALTH}}}\n"
LIMIT_S = 30.0


def waiting(site: Site, phases: str = PHASES) -> None:
    """A run that waits for a person, with half of the traffic on new."""
    site.write_plan(phases)
    site.cutover("run", expect=4)


def begun(site: Site, *options: str) -> subprocess.Popen[str]:
    """A watch that has evaluated its gates."""
    process = site.start("watch", "--json", *options)
    assert process.stdout is not None
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline and (line := process.stdout.readline()):
        if json.loads(line)["event"] == "GateEvaluated":
            return process
    pytest.fail(f"nothing was watched: {process.communicate()}")


def test_it_watches_a_run_that_waits_and_leaves_it_waiting(quick: Site) -> None:
    waiting(quick)
    done = quick.cutover("watch", "--for", "1s", "--every", "100ms")
    assert "watch   50 % for 1s, 1 gate" in done.stdout
    assert 5 <= quick.new.seen["/health"] <= 12
    status = quick.status()
    assert (status["state"], status["next"]) == ("waiting", "cutover approve")
    assert "watched 50 %" in quick.cutover("report").stdout
    quick.cutover("approve")
    assert quick.status()["next"] == "cutover resume"


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopped_it_leaves_the_weight_and_the_runs_state(site: Site, signum: int, code: int) -> None:
    waiting(site)
    process = begun(site)
    process.send_signal(signum)
    _, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode == code, err
    assert "traffic is at weight 50" in err
    assert site.status()["state"] == "waiting"
    assert site.status()["weight"] == {"intended": 50, "live": 50}


def test_after_a_kill_the_run_is_interrupted_before_while_and_after_it_is_watched(site: Site) -> None:
    site.write_plan(f"shift:\n  - shift: {{to: 50, hold: 1h, {HEALTH}}}\n")
    run = site.start("run")
    site.wait_for_state("holding")
    run.kill()
    run.communicate(timeout=LIMIT_S)
    assert site.status()["state"] == "interrupted"
    process = begun(site)
    assert (site.status()["state"], site.status()["hold"]) == ("interrupted", None)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=LIMIT_S)
    assert (site.status()["state"], site.status()["next"]) == ("interrupted", "cutover run")


def test_a_breach_brings_traffic_back_and_ends_the_run(site: Site) -> None:
    waiting(site)
    process = begun(site, "--every", "200ms")
    site.new.status = 500
    _, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 1
    assert "traffic was brought back from weight 50 to old, verified" in err
    assert site.status()["state"] == "rolled_back"
    assert site.share_of_new(20) == 0


def test_without_rollback_a_breach_is_only_told(quick: Site) -> None:
    waiting(quick)
    quick.new.status = 500
    told = quick.cutover("watch", "--no-rollback", expect=1)
    assert "traffic stays at weight 50" in told.stderr
    assert quick.status()["state"] == "waiting"
    assert quick.status()["weight"] == {"intended": 50, "live": 50}


def test_it_holds_the_lock_which_a_rollback_by_hand_takes_from_it(site: Site) -> None:
    waiting(site)
    process = begun(site)
    assert "(watch, in " in site.cutover("shift", "--weight", "0", expect=3).stderr
    site.cutover("rollback")
    process.communicate(timeout=LIMIT_S)
    assert process.returncode == 3
    assert site.status()["state"] == "rolled_back"


def test_without_a_watch_it_takes_the_gates_of_the_last_shift(quick: Site) -> None:
    quick.write_plan(
        "shift:\n  - shift: {to: 10, gates: [{http: {backend: new, path: /first}}]}\n"
        f"  - shift: {{to: 50, {HEALTH}}}\n  - shift: {{to: 60}}\n"
    )
    quick.cutover("run")
    seen = quick.new.seen["/first"]
    assert quick.status()["state"] == "done"
    quick.cutover("watch", "--for", "200ms")
    assert quick.new.seen["/first"] == seen
    assert quick.status()["state"] == "done"
    quick.new.status = 500
    quick.cutover("watch", expect=1)
    assert quick.status()["weight"] == {"intended": 0, "live": 0}


def test_traffic_that_an_abort_left_on_new_is_watched_in_a_run_of_its_own(quick: Site) -> None:
    waiting(quick)
    quick.cutover("abort", "--yes")
    before = quick.status()["run"]
    quick.cutover("watch", "--for", "200ms")
    assert quick.status()["run"] != before
    quick.new.status = 500
    quick.cutover("watch", expect=1)
    assert quick.status()["state"] == "rolled_back"


def test_there_is_nothing_to_watch_without_gates_or_while_all_is_on_old(quick: Site) -> None:
    quick.write_plan("shift:\n  - shift: {to: 50}\n")
    assert "no gates to watch" in quick.cutover("watch", expect=2).stderr
    quick.write_plan(PHASES)
    quick.cutover("proxy", "start")
    assert "all traffic is on old" in quick.cutover("watch", expect=2).stderr
    assert "--every: 0s" in quick.cutover("watch", "--every", "0s", expect=2).stderr


def test_a_gate_that_pauses_a_run_is_only_told(quick: Site) -> None:
    waiting(quick, PHASES.replace("/health}}", "/health}, on_fail: pause}"))
    quick.new.status = 500
    assert "traffic stays at weight 50" in quick.cutover("watch", expect=1).stderr
    assert quick.status()["weight"]["live"] == 50
