"""Runs that are judged by what the proxy saw of real clients."""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.site import Backend, Site, Traffic

SHIFT = """\
shift:
  - shift:
      through: [{through}]
      hold: {hold}
      every: {every}
      gates:
        - traffic: {{thresholds: ["errors <= 1%", "p95 <= {p95}"]}}
"""
EXAMPLE = """\
preflight:
  - http: {backend: old, path: /health}
  - name: Django is ready
    http: {backend: new, path: /health, status: 200, json: {status: ok}, headers: {X-Tenant-Host: "demo.example"}}
    retry: {for: 60s, every: 2s}
validate:
  - diff: {requests: ["GET /api/v1/studies/search?page=1"], ignore: ["$.generated_at"]}
  - load: {backend: new, concurrency: 100, for: 30s, thresholds: ["errors == 0%", "p95 <= 500ms"]}
shift:
  - shift:
      through: [1, 10, 25, 50]
      hold: 5m
      gates:
        - traffic: {thresholds: ["errors <= 1%", "p95 <= 500ms", "p95 <= 1.5x old"]}
cutover:
  - shift: {to: 100, hold: 10m}
soak:
  - watch: {for: 24h, gates: [{traffic: {thresholds: ["errors <= 5%"]}}]}
cleanup:
  - command: {run: [docker, stop, fastapi]}
rollback:
  - command: {run: [./restore.sh]}
"""


def shift(through: str, *, hold: str = "30s", every: str = "200ms", p95: str = "2s") -> str:
    return SHIFT.format(through=through, hold=hold, every=every, p95=p95)


@pytest.fixture
def fallback() -> Iterator[Backend]:
    backend = Backend("fallback")
    yield backend
    backend.stop()


def wait(process: Any) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def wait_for_requests(traffic: Traffic, more: int) -> None:
    wanted, deadline = traffic.requests + more, time.monotonic() + 30
    while traffic.requests < wanted:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_run_goes_on_while_new_is_well(site: Site) -> None:
    site.write_plan(shift("10, 50", hold="2s"))
    site.cutover("proxy", "start")
    with Traffic(site.port, clients=16) as traffic:
        done = site.cutover("run", "--until", "shift")
    assert traffic.failed == []
    assert "of the 20 requests it takes, " in done.stdout
    assert re.search(r", share (49\.[5-9]|50\.[0-4])%", done.stdout)
    assert site.status()["weight"] == {"intended": 50, "live": 50}
    assert "at worst errors 0%" in site.cutover("report").stdout


def test_a_new_that_dies_behind_a_fallback_is_rolled_back_though_no_client_saw_it(
    site: Site, fallback: Backend
) -> None:
    site.write_plan(shift("50"))
    new = f'new: {{url: "http://127.0.0.1:{site.new.port}"}}'
    plan = site.plan_file.read_text()
    assert new in plan
    site.plan_file.write_text(plan.replace(new, f'{new}\n  fallback: {{url: "http://127.0.0.1:{fallback.port}"}}'))
    site.cutover("proxy", "start")
    with Traffic(site.port) as traffic:
        run = site.start("run")
        site.wait_for_state("holding")
        wait_for_requests(traffic, 100)
        site.new.stop()
        stopped = time.monotonic()
        code, _, err = wait(run)
        took = time.monotonic() - stopped
    assert code == 1, err
    assert traffic.failed == []
    assert "of its failures were hidden from clients by a retry" in err
    assert "traffic was brought back from weight 50 to old, verified" in err
    assert took < 15
    assert site.status()["state"] == "rolled_back"


def test_a_new_that_is_slow_is_rolled_back(site: Site) -> None:
    site.new.delay_s = 0.5
    site.write_plan(shift("50", p95="300ms"))
    site.cutover("proxy", "start")
    with Traffic(site.port) as traffic:
        failed = site.cutover("run", expect=1)
    assert traffic.failed == []
    assert "fail: p95 <= 300ms (p95 " in failed.stderr
    assert site.share_of_new(20) == 0


def test_without_traffic_the_hold_ends_unknown_and_is_rolled_back(site: Site) -> None:
    site.write_plan(shift("10", hold="1s"))
    failed = site.cutover("run", expect=1)
    assert "unknown: new: no requests; unknown: new had 0 of the 20 requests it takes, 20 are missing" in failed.stderr
    assert site.status()["state"] == "rolled_back"


def test_another_process_judges_from_the_shift_on_what_the_killed_one_had_not_seen(site: Site) -> None:
    site.write_plan(shift("50", every="20s"))
    site.cutover("proxy", "start")
    with Traffic(site.port) as traffic:
        run = site.start("run")
        site.wait_for_state("holding")
        run.send_signal(signal.SIGKILL)
        run.communicate()
        site.new.status = 500
        wait_for_requests(traffic, 100)
        site.new.status = 200
        assert site.status()["weight"]["live"] == 50
        failed = site.cutover("run", expect=1)
    assert "fail: errors <= 1%" in failed.stderr
    assert site.status()["state"] == "rolled_back"


def test_a_change_by_hand_is_judged_by_the_traffic_at_the_weight_before(site: Site) -> None:
    site.write_plan(shift("10, 50"))
    site.cutover("shift", "--weight", "10")
    refused = site.cutover("shift", "--weight", "50", expect=1)
    assert "20 are missing; traffic stays at weight 10" in refused.stderr
    assert site.status()["weight"] == {"intended": 10, "live": 10}
    with Traffic(site.port) as traffic:
        wait_for_requests(traffic, 300)
        site.cutover("shift", "--weight", "50")
        site.new.status = 500
        wait_for_requests(traffic, 100)
        failed = site.cutover("shift", "--weight", "100", expect=1)
    assert "fail: errors <= 1%" in failed.stderr
    assert "brought back from weight 50 to old" in failed.stderr


def test_the_example_of_the_plan_format_runs_and_its_gates_judge(site: Site) -> None:
    short = {
        "hold: 5m": "hold: 1s\n      every: 500ms", "hold: 10m": "hold: 500ms", "for: 24h": "for: 1s",
        "for: 30s": "for: 1s", "concurrency: 100": "concurrency: 10", "[1, 10": "[10, 20",
        "[docker, stop, fastapi]": '["true"]', "<= 500ms": "<= 2s", '"p95 <= 1.5x old"': '"p95 <= 5x old"',
    }  # fmt: skip
    phases = EXAMPLE
    site.write_plan(EXAMPLE)
    site.cutover("check")
    for long, quick in short.items():
        assert long in phases
        phases = phases.replace(long, quick)
    site.write_plan(phases)
    site.cutover("proxy", "start")
    with Traffic(site.port, clients=24) as traffic:
        done = site.cutover("run", "--json")
    assert traffic.failed == []
    evaluated = [e for e in map(json.loads, done.stdout.splitlines()) if e["event"] == "GateEvaluated"]
    assert {e["weight"] for e in evaluated if e["verdict"] == "pass"} == {10, 20, 25, 50, 100}
    assert not [e for e in evaluated if e["verdict"] == "fail"]
    assert site.status()["state"] == "done"
