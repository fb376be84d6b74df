"""An account as plain text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cutover.plan.thresholds import METRICS, format_metric
from cutover.plan.units import format_duration
from cutover.report.lines import HASH_LENGTH, MARKS, one_line, stands, timings, weight
from cutover.report.times import of_day, plain

Account = Mapping[str, Any]


def text(account: Account, folder: Path | None = None) -> str:
    """The report of one run. ``folder`` is where its artifacts are. Times of day are UTC."""
    sections = (
        ("", _header(account, folder)),
        ("Phases", _phases(account["phases"])),
        ("Weights", _weights(account["weights"])),
        ("Gates", _gates(account["gates"])),
        ("Rollbacks", _rollbacks(account["rollbacks"])),
        ("Overrides and approvals", _decisions(account["decisions"])),
        ("Also", (f"{of_day(note['at'])}  {note['text']}" for note in account["notes"])),
    )
    told = [f"Run {account['run']} of {account['plan']}"]
    for title, lines in sections:
        if shown := [f"  {_clean(line)}".rstrip() for line in lines]:
            told += ["", *([title] if title else []), *shown]
    return "\n".join(told)


def result(account: Account) -> str:
    """``done``, ``rolled back``; for a run without an end ``open, waiting``."""
    outcome = account["outcome"]
    return str(outcome).replace("_", " ") if outcome else f"open, {str(account['state']).replace('_', ' ')}"


def _header(account: Account, folder: Path | None) -> Iterator[str]:
    yield f"outcome    {result(account)}: {stands(account['weight'])}{', for good' if account['settled'] else ''}"
    version = account["plan_hash"][:HASH_LENGTH] or "not known"
    yield f"plan       {account['plan_file'] or 'not known'}, version {version}"
    yield f"started    {plain(account['started_at'])}"
    lasted = format_duration(account["seconds"])
    yield (
        f"ended      {plain(account['ended_at'])} ({lasted})"
        if account["ended_at"]
        else f"ended      not yet ({lasted} so far)"
    )
    yield f"highest    {weight(account['highest'])}"
    if account["last_error"] and account["outcome"] != "done":
        yield f"last error {account['last_error']}"
    if folder is not None:
        yield f"artifacts  {folder}"


def _phases(phases: Sequence[Account]) -> Iterator[str]:
    for phase in phases:
        took = f" in {format_duration(phase['seconds'])}" if phase["seconds"] is not None else ""
        outcome = {"failed": "FAILED", None: "not ended"}.get(phase["outcome"], phase["outcome"])
        reason = f": {phase['reason']}" if phase["reason"] else ""
        yield f"{of_day(phase['started_at'])}  {phase['phase']} {outcome}{took}{reason}"
        for step in phase["steps"]:
            yield from _step(step)


def _step(step: Account) -> Iterator[str]:
    mark = MARKS.get(step["verdict"], step["verdict"] or "no end")
    took = f" [{format_duration(step['seconds'])}]" if step["seconds"] is not None else ""
    tries = f" (after {step['retries'] + 1} tries)" if step["retries"] and step["verdict"] == "pass" else ""
    yield f"          {step['number']}. {mark:<8} {step['title']}{took}"
    if step["summary"]:
        yield f"             {'':<8} {step['summary']}{tries}"
    if set(step["figures"]) & set(METRICS) and (figures := _figures(step["figures"])):
        yield f"             {'':<8} {figures}"


def _figures(figures: Mapping[str, float]) -> str:
    """Those that have a unit that is known."""
    shown = {("time" if name == "seconds" else name): value for name, value in figures.items()}
    return ", ".join(
        f"{name} {format_duration(value) if name == 'time' else format_metric(name, value)}"
        for name, value in shown.items()
        if name in METRICS or name == "time"
    )


def _weights(weights: Sequence[Account]) -> Iterator[str]:
    for stay in weights:
        how = f", verified{timings(stay['shift_s'])}" if stay["shift_s"] else ""
        note = f"; {stay['note']}" if stay["note"] else ""
        drains = f"; draining: {stay['draining']}" if stay["draining"] else ""
        stayed = f"{weight(stay['weight']):>5}  for {format_duration(stay['seconds'])}"
        yield f"{of_day(stay['at'])}  {stayed}{how}{note}{drains}"


def _gates(gates: Sequence[Account]) -> Iterator[str]:
    for gate in gates:
        counts = ", ".join(f"{count} {verdict}" for verdict, count in gate["counts"].items())
        worst = _figures(gate["worst"])
        yield f"{gate['gate']}: {counts}" + (f"; at worst {worst}" if worst else "")
        if first := gate["first_failure"]:
            yield f"  first failed at {of_day(first['at'])}, at {weight(first['weight'])}: {first['summary']}"


def _rollbacks(rollbacks: Sequence[Account]) -> Iterator[str]:
    for rollback in rollbacks:
        how = "automatic" if rollback["automatic"] else "by hand"
        reason = "" if rollback["reason"] == how else f": {rollback['reason']}"
        yield f"{of_day(rollback['at'])}  from {weight(rollback['from_weight'])}, {how}{reason}"
        if rollback["problem"]:
            yield f"          FAILED: {rollback['problem']}"
        elif rollback["seconds"] is not None:
            yield f"          back on old, verified in {format_duration(rollback['seconds'])}"
        else:
            yield "          its end was never seen"


def _decisions(decisions: Sequence[Account]) -> Iterator[str]:
    for decision in decisions:
        who = decision["by"] or "somebody"
        about = f" {decision['about']}" if decision["about"] else ""
        reason = f"; reason given: {decision['reason']}" if decision["reason"] else ""
        what = "forced past" if decision["what"] == "forced" else decision["what"]
        yield f"{of_day(decision['at'])}  {who} {what}{':' if about else ''}{about}{reason}"


def _clean(line: str) -> str:
    return one_line(line)
