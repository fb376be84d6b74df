"""What an operator reads, line by line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cutover.engine import events as e
from cutover.engine.state import RunState
from cutover.redact import redactor
from cutover.report.history import replay
from cutover.report.lines import timings, told
from cutover.report.narrator import Narrator
from tests.support.told import ROLLED_BACK, RUN, gate, journal, record

STATE = RunState(run=RUN, weight=10)

FAILED_RUN = f"""\
run {RUN} opened: plan cutover.yml, version 3fa8c1d2e4b5; all traffic on old
proxy ready at 0 %, revision aaaa0000
PHASE preflight: 1 step
  step 1  Django is ready
  FAIL    503, expected 2xx; try 1, trying again
  pass    200 in 12ms [2.01s]
phase preflight passed in 2.1s
PHASE shift: 1 step
  step 1  shift: 10 → 50 %, hold 5m each, 1 gate
  gate    pass    health: 200 in 3ms (at 0 %) [12ms]
  weight  0 % -> 10 %, by request: changing to revision bbbb0000
  weight  10 % live, verified in 312ms (test 80ms, apply 5ms, verify 207ms)
  hold    10 % for 5m, 1 gate
  gate    pass    health: 200 in 4ms (at 10 %) [12ms]
  gate    unknown health: no answer within 1s (at 10 %) [12ms]
  gate    FAIL    health: 500, expected 2xx (at 10 %) [12ms]
  hold    ended at 10 %: gate 'health' at weight 10: fail
  FAIL    gate 'health' at weight 10: fail [9.5s]
phase shift FAILED
ROLLBACK (automatic): shift: gate 'health' at weight 10: fail: 500, expected 2xx
  weight  10 % -> 0 %, by request: changing to revision aaaa0000
  weight  10 % -> 0 %: back on old, verified in 340ms; draining: 2 connections of worker 77
run rolled back: all traffic on old
artifacts: /state/runs/{RUN}"""


def narrated(*events: e.Event, verbose: bool = False) -> list[str]:
    narrator = Narrator(verbose=verbose)
    narrator.folder_of = Path("/state/runs").joinpath
    return [line for _, event, state in record(*events) for line in narrator.lines(event, state)]


def test_a_run_that_fails_reads_as_a_log_of_what_was_done() -> None:
    assert "\n".join(narrated(*ROLLED_BACK)) == FAILED_RUN


def test_verbose_tells_every_try_every_evaluation_and_the_command() -> None:
    lines = narrated(*ROLLED_BACK, verbose=True)
    assert "cutover run (pid 4711)" in lines
    assert sum("trying again" in line for line in lines) == 2
    assert sum(line.startswith("  gate ") for line in lines) == 5


def test_a_hold_tells_the_first_and_the_last_evaluation_of_each_gate_and_every_change() -> None:
    begun = e.HoldStarted(10, 60, 2)
    same = [gate("pass", f"{n}ms", name=name) for n in range(1, 6) for name in ("a", "b")]
    lines = narrated(begun, *same, gate("fail", "down", name="a"), e.HoldEnded(10, passed=True))
    assert [line.partition(" (")[0] for line in lines[1:]] == [
        "  gate    pass    a: 1ms",
        "  gate    pass    b: 1ms",
        "  gate    FAIL    a: down",
        "  gate    pass    b: 5ms",
        "  held    10 %",
    ]


def test_a_sentence_is_not_cut_where_it_only_begins_as_another() -> None:
    lines = narrated(
        e.HoldStarted(10, 60, 2), gate("unknown", "few", name="a"), gate("pass", "no", name="b"),
        e.HoldEnded(10, passed=False, reason="gate 'a' at weight 10: unknown: fewer"),
        e.StepFailed("shift", 0, "unknown", "the proxy can't be asked: no answer within 1s", 1.0),
    )  # fmt: skip
    assert lines[3:] == [
        "  hold    ended at 10 %: gate 'a' at weight 10: unknown: fewer",
        "  unknown the proxy can't be asked: no answer within 1s [1s]",
    ]


def test_the_last_of_many_evaluations_is_told_and_its_sentence_not_again() -> None:
    lines = narrated(
        e.HoldStarted(10, 60, 1), gate("unknown", "1 of 20", name="a"), gate("unknown", "9 of 20", name="a"),
        e.HoldEnded(10, passed=False, reason="gate 'a' at weight 10: unknown: 9 of 20"),
    )  # fmt: skip
    assert [line.partition(" (")[0] for line in lines[1:]] == [
        "  gate    unknown a: 1 of 20",
        "  gate    unknown a: 9 of 20",
        "  hold    ended at 10 %: gate 'a' at weight 10: unknown",
    ]


def test_a_verdict_stays_where_the_sentence_itself_began_with_it() -> None:
    lines = narrated(
        e.HoldStarted(10, 60, 1), gate("fail", "fail: new answered nothing; new: 1 request", name="a"),
        e.HoldEnded(10, passed=False, reason="gate 'a' at weight 10: fail: new answered nothing; new: 1 request"),
    )  # fmt: skip
    assert lines[2:] == ["  hold    ended at 10 %: gate 'a' at weight 10: fail"]


def test_what_was_said_is_not_said_again_and_what_was_not_is() -> None:
    counted = replace(gate("fail", "down", name="a"), failed=2, failures=2)
    failure = f"gate 'a' at weight 10: fail: down ({counted.count})"
    held = narrated(
        e.HoldStarted(10, 60, 1), counted, e.HoldEnded(10, passed=False, reason=failure),
        e.StepFailed("shift", 0, "fail", failure, 1.0), e.PhaseFailed("shift", f"shift: to 10: {failure}; all is well"),
    )  # fmt: skip
    assert held[2:] == [
        "  hold    ended at 10 %: gate 'a' at weight 10: fail",
        "  FAIL    gate 'a' at weight 10: fail [1s]",
        "phase shift FAILED: to 10; all is well",
    ]
    drifted = narrated(
        e.HoldStarted(10, 60, 1), gate("pass", "up", name="a"), e.HoldEnded(10, passed=False, reason="made up"),
        e.StepFailed("shift", 0, "fail", "made up", 1.0), e.PhaseFailed("shift", "and worse"),
    )  # fmt: skip
    assert drifted[2:] == [
        "  hold    ended at 10 %: made up",
        "  FAIL    made up [1s]",
        "phase shift FAILED: and worse",
    ]


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (
            e.ShiftFailed(25, 10, "nginx -t said no"),
            "  weight  FAILED to change to 25 %: nginx -t said no; 10 % of traffic on new",
        ),
        (
            e.ShiftFailed(25, None, "it hung"),
            "  weight  FAILED to change to 25 %: it hung; where traffic is could not be verified",
        ),
        (e.ShiftVerified(10, "r", 0, recovered=True), "  weight  10 % live, found and verified after an interruption"),
        (
            e.ShiftVerified(10, "r", 0, {"apply": 0.001}, draining="worker 7"),
            "  weight  10 % live, verified in 1ms (apply 1ms); draining: worker 7",
        ),
        (
            e.ShiftIntended(0, "r", None, None, "request", "/x", None),
            "  weight  0 %, by request: changing to revision r",
        ),
        (e.ShiftIntended(25, "r", 10, "r", "client", "/x", None), "  weight  10 % -> 25 %, by client"),
        (
            e.ShiftIntended(100, "s", 100, "r", "settled", "/x", ""),
            "  weight  100 % -> 100 %, for good: changing to revision s",
        ),
        (e.DriftFound("revision x runs instead of y"), "DRIFT: revision x runs instead of y"),
        (
            e.ForcedPast("validate has not passed", "known", "ada"),
            "FORCED by ada past: validate has not passed; reason given: known",
        ),
        (e.ApprovalRequested("soak", 0, "dashboards fine?"), "WAITING for approval: dashboards fine?"),
        (e.Approved("ada", "all green"), "approved by ada: all green"),
        (e.RunPaused("shift", 0, "p95 high"), "PAUSED: p95 high; 10 % of traffic on new"),
        (e.RunInterrupted("SIGHUP", 0), "INTERRUPTED by SIGHUP: all traffic on old"),
        (e.RollbackFailed("old does not answer"), "ROLLBACK FAILED: old does not answer"),
        (e.RunEnded("done", 100, settled=True), "run done: all traffic on new, for good"),
        (e.HoldStarted(10, 0, 0), None),
        (e.StepProgressed("x", 0, "5 of 9"), None),
    ],
)
def test_each_event_has_its_words(event: e.Event, line: str | None) -> None:
    assert told(event, STATE) == line


def test_every_kind_of_event_but_these_has_words() -> None:
    """Commands are the narrator's, progress, renewals and time are the live view's."""
    silent = {e.CommandStarted, e.CommandEnded, e.StepProgressed, e.LeaseRenewed, e.HoldWatched, e.StepBackDecided}
    from cutover.report.lines import _told  # noqa: PLC0415 - the registry is what is looked at

    assert set(e.EVENTS.values()) - set(_told.registry) == silent


def test_nothing_that_a_terminal_obeys_gets_through() -> None:
    line = told(e.DriftFound("a\x1b]0;title\x07b\nc\rd\x9b2J"), STATE)
    assert line == "DRIFT: a ]0;title b c d 2J"


def test_secrets_are_masked_in_lines() -> None:
    redactor.add("s3cret-of-lines")
    assert told(e.DriftFound("saw s3cret-of-lines"), STATE) == "DRIFT: saw ***"


def test_a_shift_takes_as_long_as_its_stages_that_do_not_overlap() -> None:
    assert timings({"test": 0.08, "prepare": 0.1, "apply": 0.1}) == " in 200ms (test 80ms, apply 100ms)"
    assert timings({"test": 0.08}) == " in 80ms (test 80ms)"
    assert timings({}) == ""


def test_history_of_a_run_repeats_its_lines_with_the_date() -> None:
    lines = list(replay(RUN, journal(record(*ROLLED_BACK)), verbose=False))
    assert lines[0].startswith(f"2026-01-31 12:00:00 UTC  run {RUN} opened")
    assert [line[25:] for line in lines] == FAILED_RUN.splitlines()[:-1]
