"""What it takes for a gate to end a hold, and what follows: failures in all and in a row, unknown, one step back."""

from __future__ import annotations

import json
import subprocess
import time
from typing import Any

import pytest

from tests.support.site import Site

# Asked before the weight changes, at once after it and when the hold ends: 1 + 2 answers for each weight held.
ONCE_AND_LAST = "every: 1h"


def plan(site: Site, keys: str, *, through: str = "50", hold: str = "20s", gate: str = "") -> None:
    gate = gate or "http: {backend: new, path: /gate}"
    site.write_plan(
        f"shift:\n  - shift: {{through: [{through}], hold: {hold}, every: 40ms, gates: [{{{gate}, {keys}}}]}}\n"
    )
    site.cutover("proxy", "start")


def events(said: str, kind: str) -> list[dict[str, Any]]:
    return [event for event in map(json.loads, said.splitlines()) if event["event"] == kind]


def verdicts(said: str) -> list[str]:
    return [event["verdict"] for event in events(said, "GateEvaluated")]


def test_the_nth_failure_of_a_hold_ends_it_whatever_passed_between(quick: Site) -> None:
    plan(quick, "failures: 3")
    quick.new.scripts["/gate"] = [200, 200, 500, 200, 500, 200, 500]
    failed = quick.cutover("run", "--json", expect=1)
    assert verdicts(failed.stdout) == ["pass", "pass", "fail", "pass", "fail", "pass", "fail"]
    counted = [(e["failed"], e["failures"], e["in_a_row"]) for e in events(failed.stdout, "GateEvaluated")]
    assert counted[-1] == (3, 3, 1)
    assert "(3rd of 3 failures)" in failed.stderr
    assert quick.status()["weight"] == {"intended": 0, "live": 0}


def test_fewer_failures_than_that_let_a_weight_hold_and_are_told(quick: Site) -> None:
    plan(quick, "failures: 3", hold="400ms")
    quick.new.scripts["/gate"] = [200, 500, 500]
    done = quick.cutover("run")
    assert "1st of 3 failures" in done.stdout
    assert "2nd of 3 failures" in done.stdout
    assert quick.status()["weight"]["live"] == 50


def test_only_failures_in_a_row_count_where_only_those_are_limited(quick: Site) -> None:
    plan(quick, "in_a_row: 2")
    quick.new.scripts["/gate"] = [200, 500, 200, 500, 200, 500, 500]
    failed = quick.cutover("run", "--json", expect=1)
    assert verdicts(failed.stdout)[-3:] == ["pass", "fail", "fail"]
    assert "(2nd of 2 failures in a row)" in failed.stderr


def test_whichever_of_two_limits_comes_first_ends_the_hold(quick: Site) -> None:
    plan(quick, "failures: 3, in_a_row: 2")
    quick.new.scripts["/gate"] = [200, 500, 200, 500, 200, 500, 200]
    failed = quick.cutover("run", expect=1)
    assert "(3rd of 3 failures, 1st of 2 in a row)" in failed.stderr


def test_a_gate_with_a_retry_fails_only_when_its_tries_are_over(quick: Site) -> None:
    plan(quick, f"retry: {{for: 20s, every: 20ms}}, {ONCE_AND_LAST}", hold="200ms")
    quick.new.scripts["/gate"] = [500, 500, 200, 200, 500, 200]
    done = quick.cutover("run", "--json")
    assert verdicts(done.stdout) == ["pass", "pass", "pass"]
    assert quick.new.seen["/gate"] == 6


def test_a_gate_whose_tries_are_over_says_how_many_there_were(quick: Site) -> None:
    plan(quick, f"retry: {{for: 100ms, every: 40ms}}, {ONCE_AND_LAST}")
    quick.new.scripts["/gate"] = [200, *[500] * 20]
    told = quick.cutover("run", expect=1).stderr
    tries = quick.new.seen["/gate"] - 1
    assert tries > 1
    assert f"(after {tries} tries)" in told
    assert quick.status()["state"] == "rolled_back"


def test_a_gate_that_never_passed_does_not_hold_however_many_failures_are_allowed(quick: Site) -> None:
    plan(quick, "failures: 9", hold="0s")
    quick.new.scripts["/gate"] = [200, 500]
    quick.cutover("run", expect=1)
    assert quick.status()["state"] == "rolled_back"


def test_before_the_weight_changes_one_failure_stops(quick: Site) -> None:
    plan(quick, "failures: 9")
    quick.new.scripts["/gate"] = [500]
    assert "traffic never moved" in quick.cutover("run", expect=1).stderr


def test_a_gate_that_stays_unknown_pauses_where_it_says_so(quick: Site) -> None:
    plan(quick, "unknown: pause, on_fail: rollback", hold="300ms", gate='traffic: {thresholds: ["errors <= 1%"]}')
    assert "unknown" in quick.cutover("run", expect=4).stderr
    assert quick.status()["weight"] == {"intended": 50, "live": 50}
    assert quick.status()["state"] == "waiting"


def test_each_gate_is_asked_at_its_own_interval(quick: Site) -> None:
    quick.write_plan(
        "shift:\n  - shift: {to: 50, hold: 1s, gates: [{http: {backend: new, path: /fast}, every: 50ms}, "
        "{http: {backend: new, path: /slow}, every: 400ms}, {http: {backend: new, path: /usual}}]}\n"
    )
    quick.cutover("run")
    assert 5 <= quick.new.seen["/fast"] <= 23
    assert quick.new.seen["/slow"] in {4, 5}
    assert quick.new.seen["/usual"] == 3


def test_after_a_step_back_a_person_is_asked_and_resume_tries_that_weight_again(quick: Site) -> None:
    plan(quick, f"on_fail: step_back, {ONCE_AND_LAST}", through="10, 25, 50", hold="100ms")
    quick.new.scripts["/gate"] = [200, 200, 200, 200, 200, 500]
    paused = quick.cutover("run", "--json", expect=4)
    (stepped,) = events(paused.stdout, "SteppedBack")
    assert (stepped["from_weight"], stepped["weight"]) == (50, 25)
    assert "stepped back from 50 to 25; traffic stays at weight 25" in paused.stderr
    assert quick.status()["weight"] == {"intended": 25, "live": 25}
    assert quick.status()["next"] == "cutover resume"
    assert "STEPPED BACK from 50 % to 25 %" in quick.cutover("report").stdout
    resumed = quick.cutover("resume", "--json")
    assert [e["weight"] for e in events(resumed.stdout, "ShiftVerified")] == [50]
    assert [e["held"] for e in events(resumed.stdout, "HoldStarted")] == [0.1, 0]
    assert quick.status()["state"] == "done"


def test_who_fails_at_the_weight_gone_back_to_is_rolled_back(quick: Site) -> None:
    plan(quick, f"on_fail: step_back, {ONCE_AND_LAST}", through="10, 50", hold="100ms")
    quick.new.scripts["/gate"] = [200, 200, 200, 500, 500]
    failed = quick.cutover("run", expect=1)
    assert "stepped back to 10, where gate" in failed.stderr
    assert quick.status()["weight"] == {"intended": 0, "live": 0}
    assert quick.status()["state"] == "rolled_back"


def test_from_the_first_weight_one_steps_back_to_the_weight_before_the_step(quick: Site) -> None:
    plan(quick, f"on_fail: step_back, {ONCE_AND_LAST}", through="10, 50", hold="100ms")
    quick.new.scripts["/gate"] = [200, 500]
    assert "stepped back from 10 to 0" in quick.cutover("run", expect=4).stderr
    assert quick.status()["weight"] == {"intended": 0, "live": 0}
    quick.cutover("resume")
    assert quick.status()["weight"] == {"intended": 50, "live": 50}


def test_no_step_back_to_an_old_that_is_dead(quick: Site) -> None:
    plan(quick, f"on_fail: step_back, {ONCE_AND_LAST}", through="10, 50", hold="100ms")
    quick.new.scripts["/gate"] = [200, 200, 200, 500]
    quick.old.stop()
    assert "old does not answer" in quick.cutover("run", expect=5).stderr
    assert quick.status()["weight"] == {"intended": 50, "live": 50}


def test_a_change_by_hand_steps_back_to_the_weight_before_it(quick: Site) -> None:
    plan(quick, f"on_fail: step_back, {ONCE_AND_LAST}")
    quick.cutover("shift", "--weight", "10")
    quick.new.scripts["/gate"] = [200, 500]
    failed = quick.cutover("shift", "--weight", "50", "--hold", "100ms", expect=1)
    assert "traffic was brought back from weight 50 to 10, verified" in failed.stderr
    assert quick.status()["weight"] == {"intended": 10, "live": 10}


def failing_together(quick: Site, plan: str) -> int:
    """The exit code of a run whose two gates fail from the weight 50 on."""
    quick.write_plan(plan)
    quick.cutover("proxy", "start")
    run = quick.start("run", "--json")
    assert run.stdout is not None
    while (event := json.loads(run.stdout.readline()))["event"] != "GateEvaluated" or event["weight"] != 50:
        pass
    quick.new.failing = frozenset({"/gate"})
    run.communicate(timeout=30)
    return run.returncode


def test_what_a_step_says_is_no_graver_than_what_it_says(quick: Site) -> None:
    """A gate without an on_fail of its own has its step's, which is milder here than the other gate's."""
    plan = GATES.format(first="pause", second="pause").replace(", on_fail: pause}\n        - ", "}\n        - ", 1)
    assert failing_together(quick, plan + "    on_fail: continue\n") == 4
    assert quick.status()["weight"] == {"intended": 50, "live": 50}


GATES = """\
shift:
  - shift:
      to: 50
      hold: 20s
      every: 40ms
      gates:
        - {{http: {{backend: new, path: /gate}}, on_fail: {first}}}
        - {{http: {{backend: new, path: /gate, max_time: 5s}}, on_fail: {second}}}
"""


@pytest.mark.parametrize("order", [("pause", "rollback"), ("rollback", "pause")])
def test_of_two_gates_that_fail_at_once_the_graver_consequence_follows(quick: Site, order: tuple[str, str]) -> None:
    first, second = order
    assert failing_together(quick, GATES.format(first=first, second=second)) == 1
    assert quick.status()["state"] == "rolled_back"
    assert quick.status()["weight"] == {"intended": 0, "live": 0}


def kill_after(process: subprocess.Popen[str], kind: str, **data: Any) -> None:
    """Kill a run that prints NDJSON as soon as it has told such an event."""
    assert process.stdout is not None
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        event = json.loads(process.stdout.readline())
        if event["event"] == kind and data.items() <= event.items():
            process.kill()
            process.communicate()
            return
    pytest.fail(f"no {kind}")


def test_a_killed_hold_is_gone_on_with_the_failures_that_were_counted(site: Site) -> None:
    plan(site, "failures: 3")
    site.new.scripts["/gate"] = [200, 200, 500, 500]
    kill_after(site.start("run", "--json"), "GateEvaluated", failed=2)
    site.new.scripts["/gate"] = [200, 200, 500]
    failed = site.cutover("run", expect=1)
    assert "(3rd of 3 failures)" in failed.stderr


@pytest.mark.parametrize(
    ("kind", "data"),
    [("StepBackDecided", {}), ("ShiftIntended", {"from_weight": 50}), ("SteppedBack", {"weight": 10})],
)
def test_a_step_back_that_was_killed_is_finished_and_not_tried_again_without_a_word(
    quick: Site, kind: str, data: dict[str, Any]
) -> None:
    site = quick
    plan(site, f"on_fail: step_back, {ONCE_AND_LAST}", through="10, 50", hold="600ms")
    site.new.scripts["/gate"] = [200, 200, 200, 500]
    kill_after(site.start("run", "--json"), kind, **data)
    assert "stepped back from 50 to 10" in site.cutover("run", expect=4).stderr
    assert site.status()["weight"] == {"intended": 10, "live": 10}
    site.cutover("resume")
    assert site.status()["weight"] == {"intended": 50, "live": 50}
