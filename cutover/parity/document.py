"""JSON as it was sent: nothing rounded, nothing overwritten, nothing accepted that is no JSON."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Any

MAX_DEPTH = 200
_NODES_PER_LOOK_AT_THE_CLOCK = 2048
_INT_DIGITS_OF_THE_FAST_WAY = 4300
_LONG_TEXT = 64 * 1024
_SPACES_BEFORE_COLONS = (" :", "\t:", "\n:", "\r:")


class InvalidJsonError(Exception):
    """The body is no JSON; the message says why, for people."""


class NotComparableError(Exception):
    """Too deep, too slow or too big to be compared: the verdict is unknown. The message says why."""


class Budget:
    """Limits of one comparison: time and depth. ``deadline`` is on ``time.monotonic``'s clock."""

    __slots__ = ("_left", "deadline", "limit_s")

    def __init__(self, limit_s: float) -> None:
        self.limit_s = limit_s
        self.deadline = time.monotonic() + limit_s
        self._left = _NODES_PER_LOOK_AT_THE_CLOCK

    def spend(self, depth: int = 0, nodes: int = 1) -> None:
        """Count a visited node; raise ``NotComparableError`` when a limit is passed."""
        if depth > MAX_DEPTH:
            raise too_deep()
        self._left -= nodes
        if self._left <= 0:
            self._left = _NODES_PER_LOOK_AT_THE_CLOCK
            if time.monotonic() > self.deadline:
                raise NotComparableError(f"comparing took more than {self.limit_s:g}s")

    def stop(self) -> None:
        """Nobody waits for the result any more; whoever still works on it in a thread ends soon."""
        self.deadline = 0.0


def too_deep() -> NotComparableError:
    return NotComparableError(f"nested more than {MAX_DEPTH} levels deep")


def parse(body: bytes | bytearray) -> Any:
    """A document of dict, list, str, int, Decimal, bool and None.

    Raises ``InvalidJsonError`` for what RFC 8259 does not allow, duplicate member names included, and
    ``NotComparableError`` for what is nested too deep.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidJsonError(f"not UTF-8 at byte {error.start}") from None
    if text.startswith("\ufeff"):
        raise InvalidJsonError("starts with a byte order mark")
    try:
        return _decode_long(text) if len(text) >= _LONG_TEXT else _FAST.decode(text)
    except RecursionError:
        raise too_deep() from None
    except json.JSONDecodeError as error:
        raise InvalidJsonError(f"{error.msg} at line {error.lineno}, column {error.colno}") from None
    except ValueError:
        return _parse_long_numbers(text)
    except InvalidOperation:
        raise NotComparableError("holds a number beyond any range") from None


def _decode_long(text: str) -> Any:
    """The same as ``_FAST``, which hands over every member; but only where that can't be needed.

    Where no space stands before a colon, ``":`` stands behind each member's name. If it stands nowhere else, and as
    often as there are members, none was overwritten.
    """
    members = 0

    def count(read: dict[str, Any]) -> dict[str, Any]:
        nonlocal members
        members += len(read)
        return read

    if any(space in text for space in _SPACES_BEFORE_COLONS):
        return _FAST.decode(text)
    decoder = json.JSONDecoder(object_hook=count, parse_constant=_constant, parse_float=Decimal)
    document = decoder.decode(text)
    return document if members == text.count('":') else _FAST.decode(text)


def _parse_long_numbers(text: str) -> Any:
    """The same, for documents with integers of more digits than ``int`` takes."""
    try:
        return _WITH_LONG_NUMBERS.decode(text)
    except InvalidOperation:
        raise NotComparableError("holds a number beyond any range") from None


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidJsonError(f"member {twice!r} stands twice in one object")
    return members


def _constant(name: str) -> Any:
    raise InvalidJsonError(f"{name} is no JSON")


def _long_int(digits: str) -> int | Decimal:
    return int(digits) if len(digits) <= _INT_DIGITS_OF_THE_FAST_WAY else Decimal(digits)


_FAST = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_constant, parse_float=Decimal)
_WITH_LONG_NUMBERS = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_constant=_constant, parse_float=Decimal, parse_int=_long_int
)


def same(old: Any, new: Any) -> bool:
    """Equality that knows true from 1; 10 and 10.0 are equal. Raises ``NotComparableError`` when too deep."""
    try:
        return bool(old == new) and _same_kinds(old, new, 0)
    except RecursionError:
        raise too_deep() from None


def _same_kinds(old: Any, new: Any, depth: int) -> bool:
    """For what ``==`` calls equal: whether booleans stand where booleans stand."""
    if depth > MAX_DEPTH:
        raise too_deep()
    if type(old) is dict:
        ours: Iterable[Any] = old.values()
        others: Iterable[Any] = map(new.__getitem__, old)
    elif type(old) is list:
        ours, others = old, new
    else:
        return (type(old) is bool) is (type(new) is bool)
    for one, other in zip(ours, others, strict=True):
        kind = type(one)
        if kind is str or one is other:
            continue
        if kind is dict or kind is list:
            if not _same_kinds(one, other, depth + 1):
                return False
        elif (kind is bool) is not (type(other) is bool):
            return False
    return True


def kind_of(value: Any) -> str:
    """The JSON word for a value's type; ``nothing`` where there is none."""
    return _KINDS.get(type(value), "nothing")


_KINDS: dict[type, str] = {
    dict: "object",
    list: "list",
    str: "string",
    bool: "boolean",
    int: "number",
    Decimal: "number",
    type(None): "null",
}
