"""Signals, locks, people: who may stop a run, and where traffic is then."""

from __future__ import annotations

import json
import signal
import time

import pytest

from tests.support.site import Site, Traffic

HOLDING = """\
preflight:
  - http: {backend: new, path: /health}
shift:
  - shift: {to: 10}
  - shift: {to: 50, hold: 60s, every: 200ms, gates: [{http: {backend: new, path: /health}}]}
"""


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_in_a_hold_returns_to_the_weight_before_the_step(site: Site, signum: int, code: int) -> None:
    site.write_plan(HOLDING)
    site.cutover("proxy", "start")
    with Traffic(site.port) as traffic:
        process = site.start("run")
        site.wait_for_state("holding")
        started = time.monotonic()
        process.send_signal(signum)
        out, err = process.communicate(timeout=20)
        took = time.monotonic() - started
    assert process.returncode == code, out + err
    assert took < 5
    status = site.status()
    assert status["state"] == "interrupted"
    assert status["weight"] == {"intended": 10, "live": 10}
    assert status["next"] == "cutover run"
    assert traffic.failed == []


def test_a_signal_in_a_hold_that_was_gone_on_with_returns_to_the_weight_before_the_step(site: Site) -> None:
    site.write_plan("shift:\n  - shift: {through: [10, 50], hold: 60s}\n")
    for signum in (signal.SIGKILL, signal.SIGTERM):
        # Its own word for it: to a status, the run that was killed held until the next one said otherwise.
        run = site.start("run", "--json")
        assert run.stdout is not None
        assert any(json.loads(line)["event"] == "HoldStarted" for line in run.stdout)
        run.send_signal(signum)
        run.communicate(timeout=30)
    assert run.returncode == 143
    assert site.status()["weight"] == {"intended": 0, "live": 0}


def test_a_signal_in_a_watch_leaves_the_weight(site: Site) -> None:
    site.write_plan(
        "shift:\n  - shift: {to: 50}\nsoak:\n"
        "  - watch: {for: 60s, every: 200ms, gates: [{http: {backend: new, path: /health}}]}\n"
    )
    process = site.start("run")
    site.wait_for_state("holding")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert process.returncode == 143
    assert site.status()["weight"] == {"intended": 50, "live": 50}


def test_a_second_command_is_told_who_holds_the_lock_and_since_when(site: Site) -> None:
    site.write_plan(HOLDING)
    process = site.start("run")
    site.wait_for_state("holding")
    refused = site.cutover("shift", "--weight", "0", expect=3)
    assert str(process.pid) in refused.stderr
    assert "since" in refused.stderr
    site.plan_file.write_text(site.plan_file.read_text() + "nonsense: 1\n")
    assert site.cutover("run", expect=3).stderr == refused.stderr
    process.kill()
    process.communicate()


def test_a_rollback_takes_the_lock_from_a_living_holder_who_stops(site: Site) -> None:
    site.write_plan(HOLDING)
    process = site.start("run")
    site.wait_for_state("holding")
    site.cutover("rollback")
    out, err = process.communicate(timeout=10)
    assert process.returncode == 3, out + err
    assert "rollback" in err
    assert site.status()["state"] == "rolled_back"
    assert site.status()["weight"] == {"intended": 0, "live": 0}


def test_an_abort_stops_a_living_holder_and_leaves_traffic(site: Site) -> None:
    site.write_plan(HOLDING)
    process = site.start("run")
    site.wait_for_state("holding")
    assert "without a terminal" in site.cutover("abort", expect=2).stderr
    site.cutover("abort", "--yes")
    process.communicate(timeout=10)
    assert process.returncode == 3
    status = site.status()
    assert status["state"] == "aborted"
    assert status["weight"]["live"] == 50


def test_a_dead_holders_lock_is_taken_over(site: Site) -> None:
    site.write_plan(HOLDING)
    process = site.start("run")
    site.wait_for_state("holding")
    process.kill()
    process.communicate()
    assert site.status()["state"] == "interrupted"
    assert site.status()["lock"] is None
    site.cutover("shift", "--weight", "0")
    assert site.status()["weight"] == {"intended": 0, "live": 0}


def test_an_approval_lets_the_run_wait_for_a_person(site: Site) -> None:
    site.write_plan("ask:\n  - approve: is it quiet enough?\nshift:\n  - shift: {to: 50}\n")
    waiting = site.cutover("run", expect=4)
    assert "is it quiet enough?" in waiting.stderr
    assert site.status()["state"] == "waiting"
    site.cutover("resume", expect=4)
    site.cutover("approve", "--reason", "quiet")
    site.cutover("resume")
    assert site.status()["weight"] == {"intended": 50, "live": 50}
    assert site.status()["state"] == "done"
    site.cutover("approve", expect=2)


def test_a_pause_keeps_the_weight_until_somebody_resumes(site: Site) -> None:
    site.write_plan(
        "shift:\n  - shift: {to: 50, hold: 3s, every: 100ms, gates: [{http: {backend: new, path: /health}}]}\n"
        "    on_fail: pause\n"
    )
    site.cutover("proxy", "start")
    process = site.start("run")
    log = site.state / "journal.db-wal"
    while not log.exists() or b"HoldStarted" not in log.read_bytes():
        assert process.poll() is None
        time.sleep(0.02)
    site.new.status = 500
    out, err = process.communicate(timeout=20)
    assert process.returncode == 4, out + err
    assert site.status()["state"] == "waiting"
    assert site.status()["weight"]["live"] == 50
    site.new.status = 200
    site.cutover("resume")
    assert site.status()["state"] == "done"


def test_a_pause_that_somebody_approved_is_resumed_with_all_that_was_to_run(quick: Site) -> None:
    quick.write_plan(
        "shift:\n  - shift: {to: 50, hold: 200ms, every: 1h, gates: [{http: {backend: new, path: /gate}}]}\n"
        "    on_fail: pause\nsoak:\n  - http: {backend: new, path: /after}\n"
    )
    quick.new.scripts["/gate"] = [200, 500]
    quick.cutover("run", expect=4)
    quick.cutover("approve", "--reason", "seen")
    assert (quick.status()["state"], quick.status()["next"]) == ("waiting", "cutover resume")
    quick.cutover("resume")
    assert quick.new.seen["/after"] == 1
    assert quick.status()["state"] == "done"


def test_a_gate_that_fails_in_the_middle_of_a_hold_ends_it_at_once_and_rolls_back(site: Site) -> None:
    site.write_plan(HOLDING)
    with Traffic(site.port) as traffic:
        site.cutover("proxy", "start")
        time.sleep(0.1)
        traffic.failed.clear()
        process = site.start("run")
        site.wait_for_state("holding")
        while site.status()["weight"]["live"] != 50:
            time.sleep(0.05)
        started = time.monotonic()
        site.new.status = 500
        out, err = process.communicate(timeout=20)
        took = time.monotonic() - started
    assert process.returncode == 1, out + err
    assert "brought back" in err
    assert took < 10
    assert site.status()["state"] == "rolled_back"
    assert site.status()["weight"] == {"intended": 0, "live": 0}
