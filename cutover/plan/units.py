"""Durations, percentages and sizes as plans write them."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer
from pydantic_core import PydanticCustomError

_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)(b|kb|mb|gb)", re.IGNORECASE)
_BYTES = {"b": 1, "kb": 1024, "mb": 1024**2, "gb": 1024**3}
_PERCENTAGE = re.compile(r"(\d+(?:\.\d+)?)%")
MAX_DURATION_S = 365 * 86400.0


def parse_duration(text: object) -> float:
    """``500ms``, ``5m``, ``1h30m`` in seconds; a number without a unit is a mistake."""
    if isinstance(text, bool) or not isinstance(text, str):
        raise _unit_error("duration", text, "500ms, 30s, 5m, 24h")
    value = text.strip()
    parts = list(_DURATION_PART.finditer(value))
    if not parts or "".join(m.group(0) for m in parts) != value:
        raise _unit_error("duration", text, "500ms, 30s, 5m, 24h")
    seconds = sum(float(m.group(1)) * _SECONDS[m.group(2)] for m in parts)
    if seconds > MAX_DURATION_S:
        raise PydanticCustomError("duration", "{text} is longer than a year", {"text": repr(text)})
    return seconds


def parse_percentage(text: object) -> float:
    """``1%`` as 1.0; the sign is required."""
    match = _PERCENTAGE.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        raise _unit_error("percentage", text, "1%, 0.5%")
    return float(match.group(1))


def parse_size(text: object) -> int:
    """``64kb`` in bytes, with 1 kb = 1024 bytes."""
    match = _SIZE.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        raise _unit_error("size", text, "512b, 64kb, 1mb")
    return int(float(match.group(1)) * _BYTES[match.group(2).lower()])


def format_duration(seconds: float) -> str:
    """The shortest exact-enough spelling: ``250ms``, ``1.5s``, ``5m``, ``1h30m``."""
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    if seconds < 60 or seconds % 1:  # noqa: PLR2004 - seconds in a minute
        return f"{seconds:.3g}s" if seconds < 60 else format_duration(round(seconds))  # noqa: PLR2004
    rest, spelled = int(seconds), ""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        if rest >= size:
            spelled += f"{rest // size}{unit}"
            rest %= size
    return spelled


def _unit_error(kind: str, value: object, examples: str) -> PydanticCustomError:
    return PydanticCustomError(
        kind, "{value} is not a {kind}; write it with its unit: {examples}",
        {"value": repr(value), "kind": kind, "examples": examples},
    )  # fmt: skip


def _duration(value: Any) -> float:
    return parse_duration(value)


Duration = Annotated[
    float,
    BeforeValidator(_duration, json_schema_input_type=str),
]
Percentage = Annotated[float, BeforeValidator(parse_percentage, json_schema_input_type=str)]
Size = Annotated[
    int,
    BeforeValidator(parse_size, json_schema_input_type=str),
    PlainSerializer(lambda size: f"{size}b", return_type=str, when_used="json"),
]
