"""pydantic's errors as mistakes in a plan: in words of YAML, at their line, one for each place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import groupby
from typing import Any

from pydantic_core import ErrorDetails

from cutover.errors import Mistake
from cutover.plan.nodes import Found, Key, Mapping, Path, locate, spell
from cutover.redact import redact

MAX_SHOWN_CHARS = 60
MAX_MESSAGE_CHARS = 600

_EXPECTED = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "dataclass_type": "a mapping",
    "none_required": "nothing",
}
NUMBER_ERRORS = frozenset({"int_type", "int_parsing", "float_type", "float_parsing", "bool_type", "bool_parsing"})
_QUOTED = re.compile(r"'([^']*)'")


@dataclass(frozen=True)
class _Error:
    """One of pydantic's lines, with the place it leads to. ``union``: it comes from one member of a union there."""

    type: str
    message: str
    value: Any
    found: Found
    location: tuple[Key, ...]
    union: Path | None


def retell(errors: Iterable[ErrorDetails], root: Mapping, file: str, faulty: Iterable[Path]) -> list[Mistake]:
    """The mistakes, without those at or under places that have a mistake of their own already."""
    silenced = frozenset(faulty)
    placed = [_placed(error, root) for error in errors]
    heard = [e for e in placed if not any(e.location[:n] in silenced for n in range(len(e.location) + 1))]
    unions = {e.union for e in heard if e.union is not None and (e.type not in _EXPECTED or e.found.path != e.union)}
    # A member of a union that says what is wrong within it beats the members that wanted something else altogether.
    told = [e for e in heard if e.type not in _EXPECTED or e.found.path not in unions]
    told.sort(key=lambda e: (e.found.line, e.found.column, spell(e.location)))
    mistakes = []
    for location, group in groupby(told, key=lambda e: e.location):
        first, *others = group
        message, hint = _message(first, [first, *others])
        mistakes.append(Mistake(file, first.found.line, first.found.column, spell(location), message, hint))
    return mistakes


def located(error: ErrorDetails, root: Mapping) -> Path:
    """The place in the plan's data that an error is about."""
    return locate(root, error["loc"]).path


def _placed(error: ErrorDetails, root: Mapping) -> _Error:
    loc: Sequence[Key] = error["loc"]
    kind = error["type"]
    about_key = kind in {"unknown_key", "extra_forbidden", "invalid_key"} or loc[-1:] == ("[key]",)
    missing = loc[-1] if kind == "missing" else None
    loc = loc[:-1] if missing is not None or loc[-1:] == ("[key]",) else loc
    found = locate(root, loc, key=about_key)
    location = found.path if missing is None else (*found.path, missing)
    union = found.path[: found.detour] if found.detour is not None else None
    kind = "key" if error["loc"][-1:] == ("[key]",) and kind in _EXPECTED else kind
    return _Error(kind, error["msg"], error["input"], found, location, union)


def _message(error: _Error, same_place: list[_Error]) -> tuple[str, str | None]:
    """What is wrong, and a suggestion."""
    if error.type == "missing":
        return error.message if error.message.startswith("is missing") else "is missing", None
    if error.type in {"key", "invalid_key"}:
        return _wrong_key(error.location[-1])
    if error.type in _EXPECTED:
        return _wrong_type(error.value, [_EXPECTED[e.type] for e in same_place if e.type in _EXPECTED])
    if error.type == "literal_error":
        return _wrong_word(error.value, error.message.removeprefix("Input should be "))
    if error.type in {"unknown_key", "extra_forbidden"}:
        message, _, hint = _shortened(error.message).partition("; ")
        return message.replace("Extra inputs are not permitted", "unknown key"), hint or None
    return _shortened(_plainly(error.message, error.value)), None


def _wrong_key(key: Key) -> tuple[str, str]:
    if isinstance(key, str):
        return f"a key is a number here, not {describe(key)}", "leave out the quotes"
    return f"a key is a text, not {describe(key)}", "put it in quotes"


def _wrong_type(value: object, wanted: list[str]) -> tuple[str, str | None]:
    quote = "a text" in wanted and isinstance(value, bool | int | float)
    return f"expected {' or '.join(dict.fromkeys(wanted))}, got {describe(value)}", "quote it" if quote else None


def _wrong_word(value: object, expected: str) -> tuple[str, str | None]:
    close = get_close_matches(value, _QUOTED.findall(expected), n=1) if isinstance(value, str) else []
    return f"expected {expected}, got {describe(value)}", f"did you mean {close[0]!r}?" if close else None


def _plainly(message: str, value: object) -> str:
    if message.startswith("String should match pattern"):
        return f"{describe(value)} does not match {message.partition('pattern ')[2]}"
    message = message.removeprefix("Value error, ").removeprefix("Assertion failed, ")
    for words in ("Input should ", "String should ", "Value should "):
        if message.startswith(words):
            return f"should {message.removeprefix(words)}, got {describe(value)}"
    for words in ("List should ", "Tuple should ", "Dictionary should "):
        if message.startswith(words):
            return "should " + message.removeprefix(words).replace(" after validation", "")
    return message


def _shortened(message: str) -> str:
    message = redact(message)
    return message if len(message) <= MAX_MESSAGE_CHARS else message[: MAX_MESSAGE_CHARS - 3] + "..."


def describe(value: object) -> str:
    """A value in words of YAML, short, and without secrets."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"the number {str(value)[:MAX_SHOWN_CHARS]}"
    if isinstance(value, str):
        shown = redact(value)
        return f"the text {shown[:MAX_SHOWN_CHARS] + ('...' if len(shown) > MAX_SHOWN_CHARS else '')!r}"
    return "a list" if isinstance(value, list | tuple) else "a mapping" if isinstance(value, dict) else "something else"
