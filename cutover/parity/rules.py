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
    """``used`` collects the rules that matched something, as ``(option, what it names)``.

    ``paths`` are those of every rule with one; ``places`` are the rules of each place, but for ``ignore``.
    """

    options: Options
    used: set[tuple[str, str]] = field(default_factory=set)
    ignore: State[JsonPath] = field(init=False)
    how: State[tuple[str, Any]] = field(init=False)
    places: State[tuple[str, str]] = field(init=False)
    paths: dict[tuple[str, str], JsonPath] = field(init=False)

    def __post_init__(self) -> None:
        self.ignore = compile_paths((path, path) for path in self.options.ignore)
        self.how = compile_paths(_ways(self.options))
        self.paths = {("ignore", path.text): path for path in self.options.ignore}
        self.paths |= {("unwrap", f"{side}: {path}"): path for side, path in _unwraps(self.options)}
        ways = {(name, path.text): path for path, (name, _) in _ways(self.options)}
        self.paths |= ways
        self.places = compile_paths((path, rule) for rule, path in ways.items())

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
        """Rules that have matched nothing so far."""
        rules = set(self.paths)
        rules |= {("status_map", f"{old}: {new}") for old, new in self.options.status_map.items()}
        rules |= {("rewrite_path", prefix) for prefix in self.options.rewrite_path}
        rules |= {("ignore_headers", name) for name in self.options.ignore_headers}
        rules |= {("ignore_text", name) for name in self.options.ignore_text}
        return rules - self.used


def _unwraps(options: Options) -> list[tuple[str, JsonPath]]:
    sides = (("old", options.unwrap.old), ("new", options.unwrap.new))
    return [(side, path) for side, path in sides if path is not None]


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
