"""The commands as steps of a pipeline: each a process of its own, one run shared through the store."""

from __future__ import annotations

import json
import signal

import pytest

from tests.support.site import Site, Traffic

PHASES = """\
preflight:
  - http: {backend: old, path: /health}
  - http: {backend: new, path: /health, json: {status: ok}}
validate:
  - diff: {requests: ["GET /studies?page=1", "GET /studies/7"]}
shift:
  - shift: {through: [10, 50], hold: 200ms, every: 100ms, gates: [{http: {backend: proxy, path: /health}}]}
cutover:
  - shift: {to: 100, hold: 200ms, every: 100ms, gates: [{http: {backend: new, path: /health}}]}
cleanup:
  - command: {run: ["true"]}
"""


@pytest.mark.parametrize("by", ["request", "client"])
def test_a_pipeline_of_commands_moves_all_traffic_without_a_failed_request(site: Site, by: str) -> None:
    site.write_plan(PHASES, split=f"{{by: {by}}}")
    site.cutover("preflight")
    with Traffic(site.port) as traffic:
        site.cutover("validate")
        site.cutover("shift", "--weight", "10")
        assert site.status()["weight"] == {"intended": 10, "live": 10}
        if by == "request":
            assert site.share_served(500) == pytest.approx(10, abs=1)
        site.cutover("shift", "--weight", "50")
        site.cutover("promote")
        assert site.share_of_new(50) == 100
        site.cutover("cleanup")
    assert traffic.failed == []
    assert traffic.requests > 100
    status = site.status()
    assert status["state"] == "done"
    assert status["weight"] == {"intended": 100, "live": 100}
    assert status["lock"] is None


def test_run_does_the_whole_journey(site: Site) -> None:
    site.write_plan(PHASES)
    done = site.cutover("run")
    assert "\x1b" not in done.stdout
    assert site.status()["state"] == "done"
    assert site.share_of_new(20) == 100
    again = site.cutover("run")
    assert "is done" in again.stdout


def test_shift_refuses_until_validate_has_passed_for_this_very_plan(site: Site) -> None:
    site.write_plan(PHASES)
    refused = site.cutover("shift", "--weight", "10", expect=1)
    assert "validate has not passed" in refused.stderr
    assert site.status()["weight"] == {"intended": 0, "live": 0}
    site.cutover("validate")
    site.plan_file.write_text(site.plan_file.read_text().replace("page=1", "page=2"))
    stale = site.cutover("shift", "--weight", "10", expect=1)
    assert "another version of this plan" in stale.stderr


def test_force_with_a_reason_overrides_and_is_journalled(site: Site) -> None:
    site.write_plan(PHASES)
    assert "--reason" in site.cutover("shift", "--weight", "10", "--force", expect=2).stderr
    site.cutover("shift", "--weight", "10", "--force", "--reason", "the diff is known")
    assert site.status()["weight"]["live"] == 10
    assert "the diff is known" in site.cutover("report").stdout


def test_a_weight_toward_old_is_always_allowed(site: Site) -> None:
    site.write_plan(PHASES)
    site.cutover("validate")
    site.cutover("shift", "--weight", "50")
    site.new.status = 500
    site.cutover("shift", "--weight", "10")
    assert site.status()["weight"] == {"intended": 10, "live": 10}
    site.cutover("shift", "--weight", "0")
    assert site.share_of_new(20) == 0


def test_a_gate_that_fails_before_the_change_keeps_traffic_where_it_was(site: Site) -> None:
    site.write_plan(PHASES.replace("backend: proxy", "backend: new"))
    site.cutover("validate")
    site.new.status = 503
    with Traffic(site.port) as traffic:
        refused = site.cutover("shift", "--weight", "10", expect=1)
    assert "traffic never moved" in refused.stderr
    assert traffic.failed == []
    assert site.status()["weight"] == {"intended": 0, "live": 0}


def test_rollback_returns_everybody_and_ends_the_run(site: Site) -> None:
    site.write_plan(PHASES + "rollback:\n  - command: {run: [touch, restored]}\n")
    site.cutover("run", "--until", "shift")
    assert site.status()["weight"]["live"] == 50
    with Traffic(site.port) as traffic:
        site.cutover("rollback", "--reason", "just because")
    assert traffic.failed == []
    assert site.share_of_new(20) == 0
    assert site.status()["state"] == "rolled_back"
    assert (site.folder / "restored").exists()
    assert "just because" in site.cutover("report").stdout


def test_json_commands_print_one_event_a_line_and_nothing_else(site: Site) -> None:
    site.write_plan(PHASES)
    done = site.cutover("run", "--json")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    kinds = [event["event"] for event in events]
    assert kinds[0] == "RunOpened"
    assert kinds.count("ShiftVerified") == 4
    assert events[-1]["event"] == "CommandEnded"
    assert done.stderr


def test_a_validation_that_fails_stops_before_traffic_moves(site: Site) -> None:
    site.write_plan(PHASES.replace("GET /studies/7", "GET /whoami"))
    done = site.cutover("run", expect=1)
    assert "never moved" in done.stderr
    assert site.status()["state"] == "failed"
    assert site.share_of_new(20) == 0


def test_a_rollback_that_would_wait_for_a_person_is_a_mistake(site: Site) -> None:
    site.write_plan(PHASES + "rollback:\n  - approve: restore the database?\n")
    assert "a rollback waits for nobody" in site.cutover("check", expect=2).stderr


def test_a_phase_that_is_nearly_called_rollback_is_a_mistake(site: Site) -> None:
    site.write_plan(PHASES + "rollbak:\n  - command: {run: [./restore.sh]}\n")
    assert "did you mean 'rollback'?" in site.cutover("check", expect=2).stderr


def test_a_command_that_is_refused_leaves_the_state_as_it_was(quick: Site) -> None:
    quick.write_plan(PHASES.replace("GET /studies/7", "GET /whoami"))
    quick.cutover("run", expect=1)
    before = quick.status()
    quick.cutover("approve", expect=2)
    quick.cutover("resume", expect=2)
    after = quick.status()
    for key in ("state", "last_error", "next"):
        assert after[key] == before[key]


def test_an_approval_within_cleanup_ends_a_run_of_steps_by_hand(quick: Site) -> None:
    quick.write_plan(PHASES.replace('- command: {run: ["true"]}', "- approve: stop old?"))
    for command in (["preflight"], ["validate"], ["shift", "--weight", "50"], ["promote"]):
        quick.cutover(*command)
    quick.cutover("cleanup", expect=4)
    quick.cutover("approve")
    quick.cutover("resume")
    assert quick.status()["state"] == "done"
    quick.cutover("resume", expect=2)


def test_an_interrupted_shift_by_hand_goes_back_to_the_weight_before(site: Site) -> None:
    site.write_plan(PHASES)
    site.cutover("validate")
    site.cutover("shift", "--weight", "10")
    process = site.start("shift", "--weight", "50", "--hold", "60s")
    site.wait_for_state("holding")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130, out + err
    assert site.status()["weight"] == {"intended": 10, "live": 10}


def test_artifacts_hold_the_plan_the_configurations_the_results_and_the_log(site: Site) -> None:
    site.write_plan(PHASES)
    site.cutover("run")
    run = site.state / "runs" / site.status()["run"]
    kept = {str(path.relative_to(run)) for path in run.rglob("*") if path.is_file()}
    assert {"plan.yml", "logs/error.log", "steps/validate-1/result.json"} <= kept
    assert any(name.endswith("-weight-50.conf") for name in kept)
    assert any("-before-" in name for name in kept)
