"""Options made ready for walking: what holds at each place of a document."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from cutover.parity.jsonpath import JsonPath, State, compile_paths
from cutover.parity.options import DatetimeMode, Options


@dataclass(frozen=True, slots=True)
class How:
    """How the value at one place is compared."""

    datetime: DatetimeMode | None = None
    unordered: bool = False
    key: str | None = None
    null_equals_missing: bool = False
    numeric_string: bool = False
    tolerance: Decimal | None = None


@dataclass(slots=True)
class Rules:
    """``used`` collects the rules that matched something, as ``(option, what it names)``."""

    options: Options
    used: set[tuple[str, str]] = field(default_factory=set)
    ignore: State[JsonPath] = field(init=False)
    how: State[tuple[str, Any]] = field(init=False)

    def __post_init__(self) -> None:
        self.ignore = compile_paths((path, path) for path in self.options.ignore)
        self.how = compile_paths(_ways(self.options))

    def at(self, state: State[tuple[str, Any]]) -> How:
        """What holds at a place."""
        if state.extra is None:
            general = self.options.datetime if isinstance(self.options.datetime, str) else None
            state.extra = How(**{"datetime": general, **dict(state.found)})
        how: How = state.extra
        return how

    def use(self, state: State[JsonPath]) -> None:
        self.used.update(("ignore", path.text) for path in state.found)

    def unused(self) -> set[tuple[str, str]]:
        """Ignore rules that have hidden nothing so far."""
        rules = {("ignore", path.text) for path in self.options.ignore}
        rules |= {("ignore_headers", name) for name in self.options.ignore_headers}
        rules |= {("ignore_text", name) for name in self.options.ignore_text}
        return rules - self.used


def _ways(options: Options) -> Iterator[tuple[JsonPath, tuple[str, Any]]]:
    for name in ("unordered", "null_equals_missing", "numeric_string"):
        for path in getattr(options, name):
            yield path, (name, True)
    for path, field_name in options.key.items():
        yield path, ("key", field_name)
    for path, tolerance in options.tolerance.items():
        yield path, ("tolerance", Decimal(repr(tolerance)))
    if isinstance(options.datetime, dict):
        for path, mode in options.datetime.items():
            yield path, ("datetime", mode)
