"""The values that a file of requests lists, each with its place: lines, YAML as plans are written in, or JSON."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cutover.errors import PlanError
from cutover.parity.sources.drawn import source_mistake
from cutover.plan.nodes import Sequence, locate, plain

MAX_NODES = 1_000_000
"""Of YAML; what aliases repeat counts again."""

_SPACE = re.compile(r"[\s,]*")


@dataclass(frozen=True, slots=True)
class Listed:
    """``place`` tells where a part of the value stands, as ``file:line``."""

    value: Any
    place: Callable[[tuple[str | int, ...]], str]


Read = tuple[list[Listed], list[str]]
"""What was read, and mistakes in how it is written. Raises ``PydanticCustomError`` where there is no list."""


def from_lines(file: Path, text: str) -> Read:
    numbered = ((number, line.strip()) for number, line in enumerate(text.splitlines(), 1))
    return [Listed(line, _at(file, number)) for number, line in numbered if line and not line.startswith("#")], []


def from_yaml(file: Path, text: str) -> Read:
    """Scalars are those of YAML 1.2's core schema, as in plans: ``no``, ``12:30`` and dates are texts."""
    from cutover.plan.yaml12 import compose_any  # noqa: PLC0415 - start-up time

    try:
        root, mistakes = compose_any(text, str(file), what="file", max_nodes=MAX_NODES)
    except PlanError as error:
        raise source_mistake("; ".join(map(str, error.mistakes))) from None
    if not isinstance(root, Sequence):
        raise source_mistake(f"{file} holds no list of requests")

    def place_in(number: int) -> Callable[[tuple[str | int, ...]], str]:
        return lambda location: f"{file}:{locate(root, (number, *location)).line}"

    return [Listed(plain(item), place_in(number)) for number, item in enumerate(root.items)], [
        str(mistake) for mistake in mistakes
    ]


def from_json(file: Path, text: str) -> Read:
    """Names that stand twice, and numbers that JSON does not have, are mistakes."""
    wrong: list[str] = []
    decoder = json.JSONDecoder(
        object_pairs_hook=lambda pairs: _object(pairs, wrong),
        parse_constant=lambda name: wrong.append(f"{name} is no number that JSON has"),
        parse_float=lambda digits: _float(digits, wrong),
    )
    try:
        if not isinstance(json.loads(text), list):
            raise source_mistake(f"{file} holds no list of requests")
    except RecursionError:
        raise source_mistake(f"{file} is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise source_mistake(f"{file}:{error.lineno}:{error.colno}: no JSON: {error.msg}") from None
    except ValueError as error:
        raise source_mistake(f"{file}: {error}") from None
    listed: list[Listed] = []
    mistakes: list[str] = []
    end, line = text.index("[") + 1, 1 + text.count("\n", 0, text.index("["))
    while True:
        begin = _space(text, end)
        line += text.count("\n", end, begin)
        if text[begin] == "]":
            return listed, mistakes
        value, end = decoder.raw_decode(text, begin)
        listed.append(Listed(value, _at(file, line)))
        mistakes += [f"{file}:{line}: {one}" for one in wrong]
        wrong.clear()
        line += text.count("\n", begin, end)


def _space(text: str, begin: int) -> int:
    found = _SPACE.match(text, begin)
    return found.end() if found else begin


def _at(file: Path, line: int) -> Callable[[tuple[str | int, ...]], str]:
    return lambda location: f"{file}:{line}"  # noqa: ARG005 - a line has no parts


def _object(pairs: list[tuple[str, Any]], wrong: list[str]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        wrong += [f"duplicate key {name!r}" for name in made if names.count(name) > 1]
    return made


def _float(digits: str, wrong: list[str]) -> float:
    number = float(digits)
    if not math.isfinite(number):
        wrong.append(f"the number {digits[:40]} is out of range")
    return number
