"""Dates with times in the spellings of ISO 8601 that JSON APIs use, to the last digit."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

_DATETIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d)(?::(\d\d)(?:[.,](\d{1,18}))?)?\s?([Zz]|[+-]\d\d(?::?\d\d)?)?"
)
_DIGITS = 18
_UNITS_PER_MS = 10**15
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SHORTEST, _LONGEST = 16, 48


@dataclass(frozen=True, slots=True)
class Moment:
    """Seconds since 1970 and the fraction in units of 1e-18 s. Naive moments are counted as if in UTC."""

    seconds: int
    fraction: int
    aware: bool

    @property
    def milliseconds(self) -> int:
        """Cut, not rounded, as Django's JSON encoder does."""
        return self.seconds * 1000 + self.fraction // _UNITS_PER_MS


def parse_moment(text: str) -> Moment | None:
    """``None`` for text that is no date with a time."""
    if not _SHORTEST <= len(text) <= _LONGEST or text[4] != "-":
        return None
    match = _DATETIME.fullmatch(text)
    if match is None:
        return None
    date, minutes, seconds, fraction, zone = match.groups()
    try:
        offset = _offset(zone)
        base = datetime.fromisoformat(f"{date}T{minutes}:{seconds or '00'}").replace(tzinfo=offset or UTC)
    except ValueError:
        return None
    since = base - _EPOCH
    whole = since.days * 86400 + since.seconds
    return Moment(whole, int((fraction or "").ljust(_DIGITS, "0")), aware=offset is not None)


def _offset(zone: str | None) -> timezone | None:
    if zone is None:
        return None
    if zone in "Zz":
        return UTC
    digits = zone[1:].replace(":", "").ljust(4, "0")
    delta = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-delta if zone[0] == "-" else delta)
