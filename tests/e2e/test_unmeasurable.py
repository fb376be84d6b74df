"""Gates that nothing could open are mistakes of the plan, told before any traffic moves."""

from __future__ import annotations

import pytest

from tests.support.site import Site

JUDGE = "traffic: {judge: {}}"
AGAINST_OLD = 'traffic: {thresholds: ["errors <= 1%"], routes: {/a: ["p95 <= 1.5x old"]}}'
ALONE = 'traffic: {thresholds: ["errors <= 1%", "share == weight"]}'
NOTHING_ON_OLD = "at weight 100 nothing goes to old"
NOTHING_ON_NEW = "all traffic is on old then"


def shift(gate: str, weights: str = "to: 100") -> str:
    return f"shift:\n  - shift: {{{weights}, hold: 5m, gates: [{{{gate}}}]}}\n"


def watched(gate: str) -> str:
    return f"shift:\n  - shift: {{to: 100}}\nsoak:\n  - watch: {{for: 1h, gates: [{{{gate}}}]}}\n"


@pytest.mark.parametrize(
    ("phases", "place", "why"),
    [
        (shift(JUDGE), "phases.shift[0].shift.gates[0].traffic", f"{NOTHING_ON_OLD}, and the judge is unknown"),
        (shift(AGAINST_OLD, "through: [50, 100]"), "phases.shift[0].shift.gates[0].traffic", "a limit against old"),
        (watched(AGAINST_OLD), "phases.soak[0].watch.gates[0].traffic", NOTHING_ON_OLD),
        (f"validate:\n  - {ALONE}\nshift:\n  - shift: {{to: 50}}\n", "phases.validate[0].traffic", NOTHING_ON_NEW),
    ],
)
def test_what_can_never_be_measured_is_a_mistake_with_its_place(quick: Site, phases: str, place: str, why: str) -> None:
    quick.write_plan(phases)
    said = quick.cutover("check", expect=2).stderr
    assert f": {place}: " in said
    assert why in said
    assert quick.cutover("run", expect=2).stderr == said
    assert quick.status()["run"] is None


@pytest.mark.parametrize(
    "phases",
    [
        shift(ALONE),
        shift(JUDGE, "through: [10, 50]"),
        shift(f"{JUDGE}, on_fail: continue"),
        watched(ALONE),
        f"soak:\n  - watch: {{for: 1h, gates: [{{{JUDGE}}}]}}\n",
        f"shift:\n  - shift: {{to: 50}}\nlook:\n  - {JUDGE}\n",
        f"{shift(JUDGE, 'to: 50')}rollback:\n  - {ALONE}\n",
    ],
)
def test_what_can_be_measured_or_may_be_unknown_is_none(quick: Site, phases: str) -> None:
    quick.write_plan(phases)
    quick.cutover("check")


@pytest.mark.parametrize(
    ("step", "why"),
    [
        ('traffic: {thresholds: ["errors <= 1%"], window: 1ms}', "a window takes 1s at least"),
        ('traffic: {thresholds: ["p95 <= 0x old"]}', "0 times old is no limit"),
        (
            "metrics: {prometheus: 'http://127.0.0.1:1', query: up, threshold: '<= 1', timeout: 0s}",
            "no time at all; write some, as in 5s",
        ),
        ("load: {backend: new, count: 50, thresholds: ['p99.9 <= 1s']}", "p99.9 takes 1,000 requests at least"),
        ("load: {backend: new, access_log: []}", "should have at least 1 item, not 0"),
        ("http: {backend: new, path: /}, timeout: 0s", "no time at all; write some, as in 5s"),
        ("http: {backend: new, path: /}, name: ''", "at least 1 character"),
        ('traffic: {thresholds: ["errors <= 1%"]}, faliures: 2', "unknown key 'faliures' (did you mean 'failures'?)"),
    ],
)
def test_what_no_figure_could_keep_is_a_mistake(quick: Site, step: str, why: str) -> None:
    quick.write_plan(f"shift:\n  - shift: {{to: 50, hold: 5m, gates: [{{{step}}}]}}\n")
    assert why in quick.cutover("check", expect=2).stderr
