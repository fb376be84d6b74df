"""The lease on which a run holds traffic on new: whatever becomes of cutover, nginx itself returns everyone to old."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from cutover.proxy.lease import SLOT_S
from tests.support.forks import Forks
from tests.support.ports import free_port
from tests.support.site import Backend, Site, Traffic

LEASE_S = 10
RENEWED_S = LEASE_S / 4
THROUGH = """\
shift:
  - shift: {through: [10, 50], lease: 60s}
"""
CUTOVER = """\
cutover:
  - shift: {to: 100}
"""
HELD = "shift:\n  - shift: {to: 50, lease: %s, hold: 10m}\n"

Make = Callable[..., Site]


@pytest.fixture
def make(tmp_path: Path, forks: Forks) -> Iterator[Make]:
    """Sites whose plans split by client, each connection being one."""
    made: list[Site] = []

    def site(phases: str, name: str = "site", nginx: str = "") -> Site:
        folder = tmp_path / name
        folder.mkdir()
        site = Site(folder, Backend("old"), Backend("new"), free_port(), forks=forks)
        made.append(site)
        if nginx:
            site.control = f"managed: {{binary: {nginx}}}"
        site.write_plan(phases, split=f"{{by: client, key: $remote_port, dir: {folder / 'switch'}}}")
        return site

    yield site
    for each in made:
        each.stop()
        each.old.stop()
        each.new.stop()


def wait_for_weight(site: Site, weight: int, timeout_s: float = 20) -> dict[str, Any]:
    deadline = time.monotonic() + timeout_s
    while (status := site.status())["weight"]["live"] != weight:
        assert time.monotonic() < deadline, status
        time.sleep(0.05)
    return status


def expire(site: Site) -> None:
    """As if the time of the lease were over: no file says that it goes on."""
    for file in (site.folder / "switch" / "slots").glob("[0-9]*"):
        file.unlink()


def last_on_new(site: Site) -> float:
    """When nginx sent the last request to new, by its own clock."""
    log = (site.state / "nginx" / "access.log").read_text().splitlines()
    return max(float(line["msec"] - line["request_time"]) for line in map(json.loads, log) if line["side"] == "new")


def ended(process: subprocess.Popen[str], timeout_s: float = 30) -> tuple[int, str]:
    out, err = process.communicate(timeout=timeout_s)
    return process.returncode, out + err


@pytest.mark.timeout(90)
def test_after_a_kill_everybody_is_back_on_old_when_the_lease_ends_and_no_request_fails(
    make: Make, old_nginx: str, new_nginx: str
) -> None:
    """On both versions of nginx; a run that goes on beside them keeps its lease."""
    sites = [make(HELD % f"{LEASE_S}s", *each) for each in (("1.22", old_nginx), ("1.31", new_nginx), ("renewed",))]
    for site in sites:
        site.cutover("proxy", "start")
    *killed, renewed = sites
    with ExitStack() as stack:
        traffics = [stack.enter_context(Traffic(site.port, clients=16)) for site in sites]
        processes = [site.start("run") for site in sites]
        for site in sites:
            wait_for_weight(site, 50)
        gone, before = [], renewed.new.seen.total()
        for site, process in zip(killed, processes, strict=False):
            os.kill(process.pid, signal.SIGKILL)
            process.communicate()
            gone.append(time.time())
            found = site.status()
            assert found["state"] == "interrupted"
            assert found["weight"] == {"intended": 50, "live": 50}
            assert 0 < found["lease"]["left_s"] <= LEASE_S + SLOT_S
        for site, at in zip(killed, gone, strict=True):
            found = wait_for_weight(site, 0, timeout_s=LEASE_S + SLOT_S + 10)
            assert LEASE_S - 2 * RENEWED_S < last_on_new(site) - at < LEASE_S + SLOT_S
            assert found["weight"] == {"intended": 50, "live": 0}
            assert (found["lease"]["state"], found["lease"]["left_s"]) == ("ended", 0)
            assert found["next"] == "cutover run"
            assert site.share_served(200) == 0
            assert "nginx returned all traffic to old" in site.cutover("status").stdout
        assert renewed.status()["lease"]["state"] == "held"
        assert renewed.status()["weight"]["live"] == 50
        assert processes[-1].poll() is None
        assert renewed.new.seen.total() > before > 0
    for traffic in traffics:
        assert traffic.failed == []


def test_when_the_phase_cutover_passes_traffic_needs_no_lease_any_more(make: Make) -> None:
    site = make(THROUGH + CUTOVER + "cleanup: []\n")
    said = site.cutover("run", "--until", "cutover").stdout
    assert "lease" in said
    status = site.status()
    assert (status["weight"]["live"], status["lease"]) == (100, None)
    expire(site)
    assert site.status()["weight"]["live"] == 100
    site.cutover("run")
    assert site.share_of_new(10) == 100


def test_a_run_that_is_done_leaves_no_lease(make: Make) -> None:
    site = make(THROUGH)
    site.cutover("run")
    status = site.status()
    assert (status["state"], status["weight"]["live"], status["lease"]) == ("done", 50, None)


def test_between_two_commands_the_lease_goes_on_and_the_output_says_until_when(make: Make) -> None:
    site = make(THROUGH + CUTOVER)
    assert "on a lease of 1m: nginx returns all traffic to old" in site.cutover("plan").stdout
    said = site.cutover("run", "--until", "shift").stdout
    assert "nginx returns all traffic to old, unless `cutover run` goes on before" in said
    lease = site.status()["lease"]
    assert lease["state"] == "held"
    assert 50 < lease["left_s"] <= 70
    assert "until" in lease
    assert "left: unless it is renewed, nginx returns all traffic to old at" in site.cutover("status").stdout
    assert "the proxy's is this machine's" in site.cutover("doctor", expect=None).stdout
    site.cutover("promote")
    assert site.status()["weight"] == {"intended": 100, "live": 100}


def test_after_a_lapse_a_run_begins_its_shifts_anew_and_promote_does_not_leap(make: Make) -> None:
    site = make(THROUGH + CUTOVER)
    site.cutover("run", "--until", "shift")
    expire(site)
    assert site.status()["weight"] == {"intended": 50, "live": 0}
    said = site.cutover("promote", expect=1)
    assert "LEASE ENDED" in said.stdout + said.stderr
    assert "shift has to run again first" in said.stdout + said.stderr
    assert site.status()["weight"] == {"intended": 0, "live": 0}
    site.cutover("promote", expect=1)
    events = [json.loads(line) for line in site.cutover("run", "--json").stdout.splitlines()]
    assert [e["weight"] for e in events if e["event"] == "ShiftVerified"] == [10, 50, 100]
    assert "DriftFound" not in {e["event"] for e in events}
    assert site.status()["weight"] == {"intended": 100, "live": 100}


def test_a_lease_that_ended_while_nginx_was_down_is_found_by_the_run_that_starts_it(make: Make) -> None:
    site = make(THROUGH + CUTOVER)
    site.cutover("run", "--until", "shift")
    site.cutover("proxy", "stop", "-y")
    expire(site)
    said = site.cutover("run").stdout
    assert "LEASE ENDED" in said
    assert "DRIFT" not in said
    assert site.status()["weight"] == {"intended": 100, "live": 100}


def test_a_paused_run_says_until_when_its_lease_holds_and_resumes_after_its_end(make: Make) -> None:
    site = make(THROUGH.rstrip() + "\n  - approve: {message: go on}\n" + CUTOVER)
    said = site.cutover("run", expect=4)
    assert "unless `cutover resume` goes on before" in said.stdout + said.stderr
    expire(site)
    site.cutover("approve")
    site.cutover("resume")
    assert site.status()["weight"] == {"intended": 100, "live": 100}


def test_a_lease_that_is_lost_in_a_hold_fails_the_step_and_the_run_is_rolled_back(make: Make) -> None:
    lost, stuck = make(HELD % "10s", "lost"), make(HELD % "10s", "stuck")
    processes = [site.start("run") for site in (lost, stuck)]
    for site in (lost, stuck):
        wait_for_weight(site, 50)
    expire(lost)
    span = stuck.folder / "switch" / "slots" / "span"
    span.unlink()
    span.mkdir()
    for site, process, told in zip((lost, stuck), processes, ("the lease ended", "could not be renewed"), strict=True):
        code, said = ended(process)
        assert code == 1, said
        assert told in said
        assert site.status()["state"] == "rolled_back"
        assert site.status()["weight"] == {"intended": 0, "live": 0}


@pytest.mark.parametrize("on_fail", ["continue", "pause"])
def test_a_lease_that_ended_is_rolled_back_whatever_follows_a_failure(make: Make, on_fail: str) -> None:
    site = make(HELD.rstrip() % "1m" + f"\n    on_fail: {on_fail}\n" + CUTOVER)
    process = site.start("run")
    wait_for_weight(site, 50)
    expire(site)
    code, said = ended(process)
    assert code == 1, said
    assert "the lease ended" in said
    assert "stays at weight" not in said
    assert site.status()["state"] == "rolled_back"
    assert site.status()["weight"] == {"intended": 0, "live": 0}


def test_an_interrupted_hold_goes_back_and_leaves_no_lease(make: Make) -> None:
    site = make(HELD % "1m")
    process = site.start("run")
    wait_for_weight(site, 50)
    process.send_signal(signal.SIGTERM)
    assert ended(process)[0] == 143
    status = site.status()
    assert (status["weight"], status["lease"]) == ({"intended": 0, "live": 0}, None)


def test_a_shift_by_hand_has_the_lease_of_the_step_that_gates_it(make: Make) -> None:
    site = make(THROUGH)
    said = site.cutover("shift", "--weight", "20").stdout
    assert "nginx returns all traffic to old, unless" in said
    assert site.status()["lease"]["state"] == "held"
    site.cutover("shift", "--weight", "0")
    assert site.status()["lease"] is None
    site.cutover("shift", "--weight", "20")
    site.cutover("rollback", "-y")
    assert (site.status()["weight"]["live"], site.status()["lease"]) == (0, None)


def test_an_aborted_run_leaves_traffic_where_it_is(make: Make) -> None:
    site = make(THROUGH + CUTOVER)
    site.cutover("run", "--until", "shift")
    site.cutover("abort", "-y")
    assert (site.status()["weight"]["live"], site.status()["lease"]) == (50, None)


def test_nobody_is_returned_to_an_old_that_is_dead(make: Make) -> None:
    step = "  - shift: {to: 50, lease: 10s, hold: 10m, every: 1s, gates: [http: {backend: old, path: /x}]}\n"
    site = make("shift:\n" + step)
    process = site.start("run")
    wait_for_weight(site, 50)
    site.old.stop()
    code, said = ended(process)
    assert code == 5, said
    assert (site.status()["weight"]["live"], site.status()["lease"]) == (50, None)


@pytest.mark.timeout(120)
def test_after_a_kill_at_any_event_and_the_end_of_the_lease_the_run_goes_on(make: Make) -> None:
    site = make(THROUGH + CUTOVER)
    site.cutover("proxy", "start")
    assert site.forks is not None
    with Traffic(site.port, clients=2) as traffic:
        for nth in range(3, 60, 6):
            killed = site.forks.run(("run",), site.folder, site.env(), ("after", nth))
            if killed.returncode == 0:
                break
            expire(site)
            assert site.status()["weight"]["live"] in {0, 100}
            site.cutover("run")
            assert site.status()["weight"] == {"intended": 100, "live": 100}
            assert site.status()["lease"] is None
            site.cutover("rollback")
    assert nth > 9
    assert traffic.failed == []


def test_a_lease_by_request_is_a_mistake_with_its_place(quick: Site) -> None:
    quick.write_plan(THROUGH)
    said = quick.cutover("check", expect=2)
    place = next(n for n, line in enumerate(quick.plan_file.read_text().splitlines(), 1) if "lease" in line)
    assert f"cutover.yml:{place}:" in said.stdout + said.stderr
    assert "phases.shift[0].shift.lease: a lease needs split: {by: client}" in said.stdout + said.stderr


@pytest.mark.parametrize("length", ["0s", "9s", "2h"])
def test_a_lease_that_is_too_short_or_too_long_is_a_mistake(make: Make, length: str) -> None:
    said = make(HELD % length).cutover("check", expect=2)
    assert "a lease takes 10s to 1h" in said.stdout + said.stderr
