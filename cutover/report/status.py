"""``cutover status`` in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cutover.report.times import plain


def told(status: Mapping[str, Any]) -> str:
    """A few aligned lines."""
    weight = status["weight"]
    live = "not known" if weight["live"] is None else f"{weight['live']} %"
    if weight["live"] is None and status.get("proxy"):
        live += f" ({status['proxy']})"
    rows = [
        ("plan", status["plan"]),
        ("run", status["run"] or "none yet"),
        ("state", _state(status)),
        ("phase", " / ".join(filter(None, (status["phase"], status["step"])))),
        ("weight", f"{weight['intended']} % intended, {live} live"),
        ("lease", _lease(status)),
        ("revision", status["revision"]),
        ("held by", _holder(status["lock"])),
        ("last error", status["last_error"]),
        ("started", status["started_at"]),
        ("updated", status["updated_at"]),
        ("next", status["next"]),
    ]
    return "\n".join(f"{name:<11}{value}" for name, value in rows if value)


def _state(status: Mapping[str, Any]) -> str:
    state = str(status["state"])
    if status.get("hold"):
        return f"{state} at {status['hold']['weight']} % until {status['hold']['until']}"
    return f"{state}: {status['waiting_for']}" if state == "waiting" else state


def _lease(status: Mapping[str, Any]) -> str:
    lease = status.get("lease")
    if lease is None:
        return ""
    when = f" at {plain(lease['until'])}" if lease["until"] else ""
    if lease["state"] == "ended":
        return f"ended{when}: nginx returned all traffic to old"
    left = f"{lease['left_s']:.0f}s left: " if lease["left_s"] is not None else ""
    return f"{left}unless it is renewed, nginx returns all traffic to old{when}"


def _holder(lock: Mapping[str, Any] | None) -> str:
    if lock is None:
        return ""
    return f"{lock['command']} (pid {lock['pid']}, {lock['user']} on {lock['host']}, since {lock['since']})"
