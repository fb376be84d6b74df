"""All runs of a plan, one line each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from cutover.engine import events as e
from cutover.engine.fold import apply
from cutover.engine.state import RunState
from cutover.journal.base import Recorded
from cutover.plan.units import format_duration
from cutover.report.lines import HASH_LENGTH
from cutover.report.narrator import Narrator
from cutover.report.times import iso, plain

HEADS = ("run", "started", "lasted", "outcome", "highest", "plan")


def rows(states: Sequence[RunState]) -> list[dict[str, Any]]:
    """The runs as JSON data, oldest first. ``outcome`` is None for one that is open."""
    return [
        {
            "run": state.run,
            "started_at": iso(state.opened_at),
            "ended_at": iso(state.ended_at) if state.outcome else None,
            "seconds": max(0.0, (state.ended_at if state.outcome else state.updated_at) - state.opened_at),
            "outcome": state.outcome,
            "state": state.status,
            "weight": state.weight,
            "highest": state.highest,
            "plan_hash": state.plan_hash,
        }
        for state in states
    ]


def table(runs: Sequence[dict[str, Any]]) -> str:
    """Aligned columns; the newest run is the last line."""
    lines = [HEADS, *map(_cells, runs)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def _cells(run: dict[str, Any]) -> tuple[str, ...]:
    outcome = str(run["outcome"] or f"open, {run['state']}").replace("_", " ")
    return (
        run["run"],
        plain(run["started_at"]),
        format_duration(run["seconds"]),
        outcome,
        f"{run['highest']} %",
        run["plan_hash"][:HASH_LENGTH] or "not known",
    )


def replay(run: str, events: Iterable[Recorded], *, verbose: bool) -> Iterator[str]:
    """Everything that happened in a run, in the lines that were shown as it did, with the time in UTC."""
    narrator, state = Narrator(verbose=verbose), RunState(run=run)
    for recorded in events:
        state = apply(state, recorded)
        event = e.decode(recorded)
        for line in [] if event is None else narrator.lines(event, state):
            yield f"{plain(iso(recorded.at))}  {line}"
