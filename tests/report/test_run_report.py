"""The report of a run: a pure function of its journal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cutover.engine import events as e
from cutover.engine.state import RunState
from cutover.report.account import account
from cutover.report.history import rows, table
from cutover.report.text import text
from tests.support.told import NOON, ROLLED_BACK, RUN, journal, record

REPORT = """\
Run 20260131-120000-aaaa of medical-api

  outcome    rolled back: all traffic on old
  plan       cutover.yml, version 3fa8c1d2e4b5
  started    2026-01-31 12:00:00 UTC
  ended      2026-01-31 12:00:25 UTC (25s)
  highest    10 %
  last error shift: gate 'health' ...
  artifacts  /state/runs/20260131-120000-aaaa

Phases
  12:00:03  preflight passed in 2.1s
            1. pass     Django is ready [2.01s]
                        200 in 12ms (after 3 tries)
  12:00:09  shift FAILED: gate 'health' at weight 10: fail: 500, expected 2xx
            1. FAIL     shift: 10 → 50 %, hold 5m each, 1 gate [9.5s]
                        gate 'health' at weight 10: fail: 500, expected 2xx

Weights
  12:00:00    0 %  for 13s; as found
  12:00:13   10 %  for 11s, verified in 312ms (test 80ms, apply 5ms, verify 207ms)
  12:00:24    0 %  for 1s, verified in 340ms (rollback 340ms); rolled back; draining: 2 connections of worker 77

Gates
  health: 3 pass, 1 fail, 1 unknown; at worst time 1.5s
    first failed at 12:00:18, at 10 %: 500, expected 2xx

Rollbacks
  12:00:22  from 10 %, automatic: shift: gate 'health' at weight 10: fail: 500, expected 2xx
            back on old, verified in 340ms"""


def report(*events: e.Event) -> str:
    return text(accounted(*events))


def accounted(*events: e.Event) -> dict[str, Any]:
    shown = record(*events)
    return account("medical-api", shown[-1][2] if shown else RunState(run=RUN), journal(shown))


def test_a_report_says_what_became_of_each_phase_step_weight_and_gate() -> None:
    data = accounted(*ROLLED_BACK)
    assert text(data, Path("/state/runs") / RUN) == REPORT


def test_a_report_is_made_of_json_alone() -> None:
    data = accounted(*ROLLED_BACK)
    assert text(json.loads(json.dumps(data))) == text(data)


def test_every_beginning_of_a_journal_has_a_report() -> None:
    """A process may be killed after any event."""
    for length in range(len(ROLLED_BACK) + 1):
        assert f"Run {RUN}" in report(*ROLLED_BACK[:length])


def test_every_ending_of_a_journal_has_a_report() -> None:
    for start in range(len(ROLLED_BACK)):
        assert f"Run {RUN}" in report(*ROLLED_BACK[start:])


def test_who_overrode_and_who_approved_is_told_with_the_reason() -> None:
    told = report(
        ROLLED_BACK[0],
        e.ForcedPast("validate has not passed in this run", "the diff is known", "ada"),
        e.ApprovalRequested("soak", 0, "dashboards look right"),
        e.Approved("grace", "all green"),
        e.RunResumed("grace"),
    )
    section = told.partition("Overrides and approvals\n")[2].partition("\n\n")[0]
    assert section.splitlines() == [
        "  12:00:01  ada forced past: validate has not passed in this run; reason given: the diff is known",
        "  12:00:03  grace approved: dashboards look right; reason given: all green",
        "  12:00:04  grace resumed",
    ]


def test_an_open_run_is_told_as_far_as_it_got() -> None:
    told = report(*ROLLED_BACK[:16])
    assert "outcome    open, holding: 10 % of traffic on new" in told
    assert "ended      not yet (15s so far)" in told
    assert "shift not ended" in told
    assert "1. no end " in told


def test_a_rollback_that_failed_says_so() -> None:
    told = report(
        ROLLED_BACK[0], e.RollbackStarted("by hand", automatic=False), e.RollbackFailed("old does not answer")
    )
    assert "%, by hand\n            FAILED: old does not answer" in told


def test_a_phase_that_was_tried_twice_stands_twice() -> None:
    once = (e.PhaseStarted("preflight", "h", 1), e.StepStarted("preflight", 0, "http", "ready", "k"))
    failed = (e.StepFailed("preflight", 0, "fail", "503", 1.0), e.PhaseFailed("preflight", "preflight: 503"))
    passed = (e.StepPassed("preflight", 0, "k", "200", 1.0), e.PhasePassed("preflight", "h", 1.0))
    data = accounted(ROLLED_BACK[0], *once, *failed, *once, *passed)
    assert [(p["phase"], p["outcome"], p["reason"]) for p in data["phases"]] == [
        ("preflight", "failed", "503"),
        ("preflight", "passed", ""),
    ]


def test_history_has_a_line_for_each_run_with_its_highest_weight() -> None:
    first = record(*ROLLED_BACK)[-1][2]
    second = record(*ROLLED_BACK[:15], run="20260131-130000-bbbb", at=NOON + 3600)[-1][2]
    assert table(rows([first, second])).splitlines() == [
        "run                   started                  lasted  outcome        highest  plan",
        "20260131-120000-aaaa  2026-01-31 12:00:00 UTC  25s     rolled back    10 %     3fa8c1d2e4b5",
        "20260131-130000-bbbb  2026-01-31 13:00:00 UTC  14s     open, holding  10 %     3fa8c1d2e4b5",
    ]
