"""A process killed at any instant: the next command finds what is so, and goes on or rolls back."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.site import Site, Traffic

KILLED = Path(__file__).parent.parent / "support" / "killed.py"
ROOT = Path(__file__).parent.parent.parent
PHASES = """\
preflight:
  - http: {backend: new, path: /health}
shift:
  - shift: {through: [10, 50]}
migrate:
  - command: {run: [sh, -c, "echo ran >> ran"], idempotent: false}
cutover:
  - shift: {to: 100}
cleanup:
  - http: {backend: new, path: /health}
"""
MOST_EVENTS = 60


def run_killed(site: Site, when: str, nth: int, *args: str) -> bool:
    """Whether the process died before it was through."""
    env = {**site.env(), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, str(KILLED), when, str(nth), *args],
        cwd=site.folder, env=env, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode in {0, -signal.SIGKILL}, done.stderr
    return done.returncode != 0


def go_on(site: Site) -> None:
    """What the person at the keyboard does: run again; where a person must decide, say that the action was done."""
    done = site.cutover("run", expect=None)
    if done.returncode == 4:
        ran = (site.folder / "ran").exists()
        site.cutover("resume", *(["--skip"] if ran else []))
    else:
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.timeout(400)
@pytest.mark.parametrize(("by", "when"), [("request", "after"), ("request", "before"), ("client", "after")])
def test_after_a_kill_at_any_event_the_run_goes_on_to_its_end(site: Site, by: str, when: str) -> None:
    site.write_plan(PHASES, split=f"{{by: {by}}}")
    site.cutover("proxy", "start")
    boundaries = 0
    with Traffic(site.port, clients=4) as traffic:
        for nth in range(1, MOST_EVENTS):
            (site.folder / "ran").unlink(missing_ok=True)
            if not run_killed(site, when, nth, "run"):
                break
            boundaries += 1
            found = site.status()
            assert found["state"] in {"idle", "interrupted", "done"}, found
            assert found["weight"]["live"] is not None
            go_on(site)
            assert site.status()["state"] == "done"
            assert site.status()["weight"] == {"intended": 100, "live": 100}
            assert (site.folder / "ran").read_text() == "ran\n"
            site.cutover("rollback")
            assert site.status()["weight"] == {"intended": 0, "live": 0}
    assert 20 < boundaries < MOST_EVENTS - 1
    assert traffic.failed == []


@pytest.mark.timeout(300)
def test_after_a_kill_at_any_event_a_rollback_returns_everybody(site: Site) -> None:
    site.write_plan(PHASES)
    site.cutover("proxy", "start")
    with Traffic(site.port, clients=4) as traffic:
        for nth in range(1, MOST_EVENTS, 2):
            if not run_killed(site, "after", nth, "run"):
                break
            site.cutover("rollback")
            assert site.status()["weight"] == {"intended": 0, "live": 0}
            assert site.status()["state"] == "rolled_back"
    assert traffic.failed == []


@pytest.mark.timeout(200)
def test_after_a_kill_at_a_random_instant_the_run_goes_on(site: Site) -> None:
    site.write_plan(PHASES)
    site.cutover("proxy", "start")
    chance = random.Random(20)  # noqa: S311 - instants, not secrets
    with Traffic(site.port, clients=4) as traffic:
        for _ in range(8):
            (site.folder / "ran").unlink(missing_ok=True)
            process = site.start("run")
            time.sleep(chance.uniform(0.3, 1.3))
            os.kill(process.pid, signal.SIGKILL)
            process.communicate()
            if site.status()["state"] != "done":
                go_on(site)
            assert site.status()["weight"] == {"intended": 100, "live": 100}
            site.cutover("rollback")
    assert traffic.failed == []
