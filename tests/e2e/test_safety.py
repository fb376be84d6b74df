"""Ways in which traffic could have gone where nobody meant it to."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable

import pytest

from tests.support.site import Site

WAIT_S = 20


def wait_for(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not what():
        if time.monotonic() > deadline:
            pytest.fail("it never happened")
        time.sleep(0.05)


def test_after_a_killed_rollback_nothing_goes_forward_before_it_is_finished(quick: Site) -> None:
    quick.write_plan(
        "shift:\n  - shift: {to: 50}\ncutover:\n  - shift: {to: 100}\n"
        "rollback:\n  - command: {run: [sh, -c, 'touch began; test -e go || sleep 30'], idempotent: true}\n"
    )
    quick.cutover("run", "--until", "shift")
    process = quick.start("rollback")
    wait_for((quick.folder / "began").exists)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert quick.status()["next"] == "cutover rollback"
    for command in (["run"], ["shift", "--weight", "10"], ["promote"]):
        assert "a rollback was cut short" in quick.cutover(*command, expect=1).stderr
    assert quick.status()["weight"]["live"] == 0
    (quick.folder / "go").touch()
    quick.cutover("rollback")
    assert quick.status()["state"] == "rolled_back"
    quick.cutover("run")
    assert quick.status()["weight"]["live"] == 100


def test_an_action_that_ran_is_known_by_what_it_is_wherever_it_stands(quick: Site) -> None:
    command, rest = "  - command: {run: [sh, -c, 'echo ran >> ran']}\n", "shift:\n  - shift: {to: 10}\n"

    def ran_after_preflight_of(steps: str) -> int:
        quick.write_plan(f"preflight:\n{steps}{rest}")
        quick.cutover("preflight")
        return len((quick.folder / "ran").read_text().splitlines())

    assert ran_after_preflight_of(command) == 1
    assert ran_after_preflight_of(f"  - wait: 10ms\n{command}") == 1
    assert ran_after_preflight_of(f"  - wait: 10ms\n{command}{command}") == 2


def test_what_goes_beyond_the_live_weight_is_toward_new_whatever_the_journal_says(quick: Site) -> None:
    quick.write_plan("validate:\n  - http: {backend: new, path: /health}\nshift:\n  - shift: {to: 50}\n")
    quick.cutover("validate")
    quick.cutover("shift", "--weight", "50")
    shutil.copy(quick.state / "emergency" / "weight-0.conf", quick.state / "nginx" / "cutover.conf")
    os.kill(int((quick.state / "nginx" / "nginx.pid").read_text()), signal.SIGHUP)
    wait_for(lambda: quick.status()["weight"]["live"] == 0)
    quick.plan_file.write_text(quick.plan_file.read_text().replace("path: /health", "path: /healthz"))
    refused = quick.cutover("shift", "--weight", "50", expect=1)
    assert "another version of this plan" in refused.stderr
    assert quick.status()["weight"]["live"] == 0


def test_starting_the_proxy_leaves_a_waiting_run_waiting(quick: Site) -> None:
    quick.write_plan("ask:\n  - approve: ok?\nshift:\n  - shift: {to: 10}\n")
    quick.cutover("run", expect=4)
    quick.cutover("proxy", "start")
    assert quick.status()["state"] == "waiting"
    assert quick.status()["next"] == "cutover approve"
    quick.cutover("approve")
    assert quick.status()["next"] == "cutover resume"
    quick.cutover("resume")
    assert quick.status()["state"] == "done"
