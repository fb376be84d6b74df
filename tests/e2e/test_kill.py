"""A process killed at any instant: the next command finds what is so, and goes on or rolls back."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from typing import Any, Self

import pytest

from tests.support.forks import Forks
from tests.support.site import Site, Traffic

PHASES = """\
shift:
  - shift: {through: [10, 50]}
migrate:
  - command: {run: [sh, -c, "echo ran >> ran"], idempotent: false}
cutover:
  - shift: {to: 100}
cleanup: []
"""
MOST_EVENTS = 60


class Operator:
    """Somebody at the keyboard of a site, whose commands can be made to die."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._forks = Forks()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._forks.stop()

    def run(self, *args: str, kill: tuple[str, int] | None = None) -> tuple[int, str]:
        """The exit code, negative for a signal, and what was said."""
        done = self._forks.run(args, self.site.folder, self.site.env(), kill)
        return done.returncode, done.stdout + done.stderr

    def status(self) -> dict[str, Any]:
        code, said = self.run("status", "--json")
        assert code == 0, said
        data: dict[str, Any] = json.loads(said)
        return data

    def succeed(self, *args: str) -> None:
        code, said = self.run(*args)
        assert code == 0, said

    def dies(self, when: str, nth: int) -> bool:
        """Whether a run died at that event; False when it was through before."""
        code, said = self.run("run", kill=(when, nth))
        assert code in {0, -signal.SIGKILL}, said
        return code != 0

    def go_on(self) -> None:
        """What the person at the keyboard does: run again; where a person must decide, look whether it was done."""
        code, said = self.run("run")
        if code == 4:
            ran = (self.site.folder / "ran").exists()
            self.succeed("resume", *(["--skip"] if ran else []))
        else:
            assert code == 0, said


@pytest.mark.timeout(400)
@pytest.mark.parametrize(("by", "when"), [("request", "after"), ("request", "before"), ("client", "after")])
def test_after_a_kill_at_any_event_the_run_goes_on_to_its_end(site: Site, by: str, when: str) -> None:
    site.write_plan(PHASES, split=f"{{by: {by}}}")
    site.cutover("proxy", "start")
    boundaries = 0
    earlier = site.status()["run"]
    with Operator(site) as operator, Traffic(site.port, clients=2) as traffic:
        for nth in range(1, MOST_EVENTS):
            (site.folder / "ran").unlink(missing_ok=True)
            if not operator.dies(when, nth):
                break
            boundaries += 1
            found = operator.status()
            assert found["state"] in {"interrupted", "done"} or found["run"] == earlier, found
            assert found["weight"]["live"] is not None
            operator.go_on()
            found = operator.status()
            assert found["state"] == "done"
            assert found["weight"] == {"intended": 100, "live": 100}
            assert (site.folder / "ran").read_text() == "ran\n"
            earlier = found["run"]
            operator.succeed("rollback")
    assert 20 < boundaries < MOST_EVENTS - 1
    assert traffic.failed == []


@pytest.mark.timeout(300)
def test_after_a_kill_at_any_event_a_rollback_returns_everybody(site: Site) -> None:
    site.write_plan(PHASES)
    site.cutover("proxy", "start")
    with Operator(site) as operator, Traffic(site.port, clients=2) as traffic:
        for nth in range(1, MOST_EVENTS):
            if not operator.dies("after", nth):
                break
            operator.succeed("rollback")
            found = operator.status()
            assert found["weight"] == {"intended": 0, "live": 0}
            assert found["state"] == "rolled_back"
    assert traffic.failed == []


@pytest.mark.timeout(200)
def test_after_a_kill_at_a_random_instant_the_run_goes_on(site: Site) -> None:
    site.write_plan(PHASES)
    site.cutover("proxy", "start")
    chance = random.Random(20)  # noqa: S311 - instants, not secrets
    with Operator(site) as operator, Traffic(site.port, clients=2) as traffic:
        for _ in range(8):
            (site.folder / "ran").unlink(missing_ok=True)
            process = site.start("run")
            time.sleep(chance.uniform(0.3, 1.3))
            os.kill(process.pid, signal.SIGKILL)
            process.communicate()
            if operator.status()["state"] != "done":
                operator.go_on()
            assert operator.status()["weight"] == {"intended": 100, "live": 100}
            operator.succeed("rollback")
    assert traffic.failed == []
