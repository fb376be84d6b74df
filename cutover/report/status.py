"""``cutover status`` in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from cutover.report.figures import BLOCKS, Row, countdown, gate_rows, traffic_rows
from cutover.report.lines import one_line
from cutover.report.times import plain

LABEL_WIDTH = 11
USUAL_WIDTH = 100
UNLIMITED = 10_000
"""Columns of a gate's line where nothing is cut."""

ENDED = frozenset({"done", "rolled_back", "aborted"})
LEAST_MISSED = ("started", "updated", "revision", "held by", "plan")
"""What a low terminal does without, the first of these first."""

GATES_AT_LEAST = 2
ROWS_PER_GATE = 2

Status = Mapping[str, Any]


def told(status: Status, *, now: float, levels: str = BLOCKS) -> str:
    """A few aligned lines, complete."""
    return "\n".join(f"{row.label:<{LABEL_WIDTH}}{row.text}".rstrip() for row in rows(status, now=now, levels=levels))


def rows(
    status: Status, *, now: float, width: int | None = None, height: int | None = None, levels: str = BLOCKS
) -> list[Row]:
    """For a terminal of that ``width`` and ``height``; without one everything is told."""
    room = USUAL_WIDTH if width is None else width - LABEL_WIDTH
    seen, underway = status["seen"], status["state"] not in ENDED or status["lock"] is not None
    traffic = (
        traffic_rows(status["backends"], age=now - _seconds(seen["at"]), width=room, levels=levels)
        if seen and underway
        else []
    )
    head, foot = list(_head(status, now)), list(_foot(status))
    gates = status["gates"] if underway else []
    left = UNLIMITED if height is None else height - len(head) - len(traffic) - len(foot)
    most = max(GATES_AT_LEAST, left // ROWS_PER_GATE)
    shown = gate_rows(gates, width=UNLIMITED if width is None else room, most=most)
    found = [*head, *traffic, *shown, *foot]
    for label in LEAST_MISSED:
        if height is not None and len(found) > height:
            found = [row for row in found if row.label != label]
    return found


def _head(status: Status, now: float) -> Iterator[Row]:
    yield from _given(
        plan=status["plan"],
        run=status["run"] or "none yet",
        state=_state(status),
    )
    if hold := status["hold"]:
        yield Row("hold", ((countdown(_seconds(hold["until"]), hold["seconds"], now), "now"),))
    yield from _given(
        phase=" / ".join(filter(None, (status["phase"], status["step"]))),
        weight=_weight(status),
        proxy=status["proxy"] if status["weight"]["live"] is not None else None,
        lease=_lease(status),
    )


def _foot(status: Status) -> Iterator[Row]:
    yield from _given(
        revision=status["revision"],
        held_by=_holder(status["lock"]),
        last_error=status["last_error"],
        started=status["started_at"],
        updated=status["updated_at"],
        next=status["next"],
    )


def _given(**values: str | None) -> Iterator[Row]:
    for name, value in values.items():
        if value:
            yield Row(name.replace("_", " "), ((one_line(value), "fail" if name == "last_error" else ""),))


def _state(status: Status) -> str:
    state = str(status["state"])
    if status["hold"]:
        return f"{state} at {status['hold']['weight']} % until {status['hold']['until']}"
    return f"{state}: {status['waiting_for']}" if state == "waiting" else state


def _weight(status: Status) -> str:
    weight, seen = status["weight"], status["seen"]
    live = "not known" if weight["live"] is None else f"{weight['live']} %"
    if weight["live"] is None and status["proxy"]:
        live += f" ({status['proxy']})"
    known = seen and seen["share"] is not None and seen["weight"] == weight["intended"] == weight["live"]
    share = f", {seen['share']:.1f} % seen" if known and status["lock"] is not None else ""
    return f"{weight['intended']} % intended, {live} live{share}"


def _lease(status: Status) -> str:
    lease = status["lease"]
    if lease is None:
        return ""
    when = f" at {plain(lease['until'])}" if lease["until"] else ""
    if lease["state"] == "ended":
        return f"ended{when}: nginx returned all traffic to old"
    left = f"{lease['left_s']:.0f}s left: " if lease["left_s"] is not None else ""
    return f"{left}unless it is renewed, nginx returns all traffic to old{when}"


def _holder(lock: Status | None) -> str:
    if lock is None:
        return ""
    return f"{lock['command']} (pid {lock['pid']}, {lock['user']} on {lock['host']}, since {lock['since']})"


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
