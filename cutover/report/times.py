"""Moments as people and programs read them."""

from __future__ import annotations

from datetime import UTC, datetime


def clock(at: float) -> str:
    """``HH:MM:SS``, local time."""
    return f"{datetime.fromtimestamp(at).astimezone():%H:%M:%S}"


def iso(at: float | None) -> str | None:
    """ISO 8601 in UTC; None for a moment that never was."""
    if not at:
        return None
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def plain(moment: str | None) -> str:
    """``2026-01-31 12:00:00 UTC`` from ISO 8601."""
    return "not known" if moment is None else f"{moment[:10]} {moment[11:19]} UTC"


def of_day(moment: str | None) -> str:
    """``12:00:00``, UTC, from ISO 8601."""
    return "--:--:--" if moment is None else moment[11:19]
