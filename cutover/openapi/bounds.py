"""Least and most of a schema's values: numbers, lengths, counts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

# What a database or a client's language can hold: how wide a number is, and no rule of the service.
_WIDTHS = {
    (-(2.0**15), 2.0**15 - 1): "int32",
    (-(2.0**31), 2.0**31 - 1): "int32",
    (-(2.0**63), 2.0**63): "int64",
}
_EDGES = frozenset(edge for pair in _WIDTHS for edge in pair)
_COUNTS = {
    "minLength": "maxLength",
    "minItems": "maxItems",
    "minProperties": "maxProperties",
}
_COUNT_NAMES = frozenset({*_COUNTS, *_COUNTS.values()})
NAMES = ("minimum", "maximum", *_COUNTS, *_COUNTS.values())
LOWER = frozenset({"minimum", *_COUNTS})


@dataclass(frozen=True)
class Bound:
    """With ``open`` the value itself is out."""

    value: float
    open: bool = False

    def __str__(self) -> str:
        return f"{self.value:.15g}{' (itself not)' if self.open else ''}"


@dataclass(frozen=True)
class Bounds:
    """Bounds by JSON Schema's name of the inclusive one."""

    by_name: Mapping[str, Bound] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.by_name)

    @classmethod
    def joined(cls, keywords: list[dict[str, Any]], *, integer: bool) -> tuple[Bounds, str]:
        """The tightest of all, and the width of an integer if that is all that they say."""
        found: dict[str, Bound] = {}
        for schema in keywords:
            for name, bound in _stated(schema, integer=integer):
                if name not in found or tighter(name, bound, found[name]):
                    found[name] = bound
        width = ""
        for (least, most), name in _WIDTHS.items():
            lower, upper = found.get("minimum"), found.get("maximum")
            if integer and lower == Bound(least) and upper == Bound(most):
                width = name
        if integer:
            found = {name: bound for name, bound in found.items() if name in _COUNT_NAMES or bound.value not in _EDGES}
        return cls(found), width


def tighter(name: str, one: Bound, other: Bound) -> bool:
    """Whether ``one`` lets less through than ``other``."""
    if one.value == other.value:
        return one.open and not other.open
    return one.value > other.value if name in LOWER else one.value < other.value


def _stated(schema: dict[str, Any], *, integer: bool) -> Iterator[tuple[str, Bound]]:
    for name, exclusive, step in (("minimum", "exclusiveMinimum", 1), ("maximum", "exclusiveMaximum", -1)):
        value, other = _number(schema.get(name)), schema.get(exclusive)
        stated = [] if value is None else [Bound(value, other is True)]
        if (number := _number(other)) is not None:
            stated.append(Bound(number, open=True))
        for bound in stated:
            yield name, _whole(bound, step) if integer else bound
    for least, most in _COUNTS.items():
        if (count := _number(schema.get(least))) is not None and count > 0:
            yield least, Bound(count)
        if (count := _number(schema.get(most))) is not None:
            yield most, Bound(count)


def _whole(bound: Bound, step: int) -> Bound:
    """The same bound for integers, which are never between two."""
    edge = math.ceil(bound.value) if step > 0 else math.floor(bound.value)
    return Bound(edge + step) if bound.open and edge == bound.value else Bound(edge)


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
