"""Durations, percentages, sizes and rates as plans write them."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer
from pydantic_core import PydanticCustomError

_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", re.ASCII)
_SECONDS = {"ms": Decimal("0.001"), "s": Decimal(1), "m": Decimal(60), "h": Decimal(3600), "d": Decimal(86400)}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)(b|kb|mb|gb)", re.IGNORECASE | re.ASCII)
_BYTES = {"b": 1, "kb": 1024, "mb": 1024**2, "gb": 1024**3}
_PERCENTAGE = re.compile(r"(\d+(?:\.\d+)?)%", re.ASCII)
_RATE = re.compile(r"(\d+(?:\.\d+)?) ?/ ?(s|m|h)", re.ASCII)
MAX_DURATION_S = 365 * 86400.0
MAX_SIZE_BYTES = 1024**4
MAX_PERCENTAGE = 100.0
MAX_RATE_PER_S = 100_000.0
MAX_CHARS = 100


def parse_duration(text: object) -> float:
    """``500ms``, ``5m``, ``1h30m`` in seconds; a number without a unit is a mistake."""
    value = text.strip() if isinstance(text, str) and len(text) <= MAX_CHARS else ""
    parts = list(_DURATION_PART.finditer(value))
    if not parts or "".join(m.group(0) for m in parts) != value:
        raise _unit_error("duration", text, "500ms, 30s, 5m, 24h")
    # Decimal: what spell_duration writes is read as the very same number.
    seconds = float(sum(Decimal(m.group(1)) * _SECONDS[m.group(2)] for m in parts))
    if seconds > MAX_DURATION_S:
        raise PydanticCustomError("duration", "{text} is longer than a year", {"text": repr(text)})
    return seconds


def parse_percentage(text: object) -> float:
    """``1%`` as 1.0; the sign is required."""
    match = _PERCENTAGE.fullmatch(text.strip()) if isinstance(text, str) and len(text) <= MAX_CHARS else None
    if match is None:
        raise _unit_error("percentage", text, "1%, 0.5%")
    percentage = float(match.group(1))
    if percentage > MAX_PERCENTAGE:
        raise PydanticCustomError("percentage", "{text} is more than all of it", {"text": repr(text)})
    return percentage


def parse_size(text: object) -> int:
    """``64kb`` in bytes, with 1 kb = 1024 bytes."""
    match = _SIZE.fullmatch(text.strip()) if isinstance(text, str) and len(text) <= MAX_CHARS else None
    if match is None:
        raise _unit_error("size", text, "512b, 64kb, 1mb")
    size = Decimal(match.group(1)) * _BYTES[match.group(2).lower()]
    if size > MAX_SIZE_BYTES:
        raise PydanticCustomError("size", "{text} is more than a terabyte", {"text": repr(text)})
    return int(size)


def parse_rate(text: object) -> float:
    """``200/s``, ``90/m`` as so many per second; none at all is a mistake, too."""
    match = _RATE.fullmatch(text.strip()) if isinstance(text, str) and len(text) <= MAX_CHARS else None
    if match is None:
        raise _unit_error("rate", text, "200/s, 90/m")
    rate = float(Decimal(match.group(1)) / _SECONDS[match.group(2)])
    if not 0 < rate <= MAX_RATE_PER_S:
        raise PydanticCustomError(
            "rate", "{text} is no rate that can be kept: more than 0/s, {most}/s at most",
            {"text": repr(text), "most": f"{MAX_RATE_PER_S:.0f}"},
        )  # fmt: skip
    return rate


def format_rate(rate: float) -> str:
    """Per second, or per the next unit in which it is one at least: ``200/s``, ``30/m``."""
    for unit in ("s", "m"):
        if rate * float(_SECONDS[unit]) >= 1:
            return f"{rate * float(_SECONDS[unit]):g}/{unit}"
    return f"{rate * float(_SECONDS['h']):g}/h"


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


def spell_duration(seconds: float) -> str:
    """A duration without any rounding: ``parse_duration`` gives back the same number."""
    if seconds >= 60 and seconds == int(seconds):  # noqa: PLR2004 - seconds in a minute
        return format_duration(seconds)
    return f"{spell_number(seconds)}s" if seconds >= 1 or seconds == 0 else f"{spell_number(seconds, 1000)}ms"


def spell_number(number: float, factor: int = 1) -> str:
    """A number, times a factor, in its fewest digits and without an exponent."""
    text = format(Decimal(repr(number)) * factor, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def format_count(number: int, what: str) -> str:
    """``1 request``, ``1,204 requests``."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _unit_error(kind: str, value: object, examples: str) -> PydanticCustomError:
    return PydanticCustomError(
        kind, "{value} is not a {kind}; write it with its unit: {examples}",
        {"value": repr(value), "kind": kind, "examples": examples},
    )  # fmt: skip


def _duration(value: Any) -> float:
    return parse_duration(value)


def _written(pattern: str, *examples: str) -> Any:
    """How a unit is written, for the JSON Schema."""
    return Annotated[str, Field(pattern=pattern, examples=list(examples))]


Duration = Annotated[
    float,
    BeforeValidator(
        _duration, json_schema_input_type=_written(r"^ *([0-9]+(\.[0-9]+)?(ms|s|m|h|d))+ *$", "500ms", "5m")
    ),
]


def _some_time(seconds: float) -> float:
    if not seconds:
        raise PydanticCustomError("duration", "no time at all; write some, as in 5s")
    return seconds


PositiveDuration = Annotated[Duration, AfterValidator(_some_time)]

Percentage = Annotated[
    float, BeforeValidator(parse_percentage, json_schema_input_type=_written(r"^ *[0-9]+(\.[0-9]+)?% *$", "1%", "0.5%"))
]
Size = Annotated[
    int,
    BeforeValidator(parse_size, json_schema_input_type=_written(r"^ *[0-9]+(\.[0-9]+)?([bB]|[kmgKMG][bB]) *$", "64kb")),
    PlainSerializer(lambda size: f"{size}b", return_type=str, when_used="json"),
]
Rate = Annotated[
    float,
    BeforeValidator(parse_rate, json_schema_input_type=_written(r"^ *[0-9]+(\.[0-9]+)? ?/ ?[smh] *$", "200/s", "90/m")),
]
