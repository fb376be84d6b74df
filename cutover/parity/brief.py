"""Values cut down to what samples keep and people read, with the values of secret names masked."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Any

from cutover.redact import MASK

_MAX_STRING = 200
_MAX_ITEMS = 8
_MAX_MEMBERS = 16
_MAX_LEVELS = 4
_MAX_PLAIN_INT = 10**15
_LONG_INT = 10**_MAX_STRING
_SECRET = re.compile(
    r"pass(word|wd|phrase)|secret|token|api_?key|authori[sz]ation|credential|private_?key|session_?id|csrf|\bjwt\b|cookie",
    re.IGNORECASE,
)


def brief(value: Any, level: int = 0) -> Any:
    """A shortened copy of JSON data."""
    if type(value) is str:
        return _text(value)
    if type(value) is Decimal:
        return _number(value)
    if type(value) is dict:
        return _brief_object(value, level) if level < _MAX_LEVELS else f"{{{len(value)} members}}"
    if type(value) is list:
        return _brief_list(value, level) if level < _MAX_LEVELS else f"[{len(value)} items]"
    if type(value) is int and abs(value) >= _LONG_INT:
        return _text(str(value))
    return value


def _text(value: str) -> str:
    """Halves of surrogate pairs, which JSON's escapes can spell and no file can hold, stay escapes."""
    text = value if len(value) <= _MAX_STRING else value[:_MAX_STRING] + "..."
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _brief_object(value: dict[str, Any], level: int) -> dict[str, Any]:
    kept = list(value.items())[:_MAX_MEMBERS]
    short = {_text(n): MASK if is_secret(n) and type(v) is str else brief(v, level + 1) for n, v in kept}
    return short if len(value) <= len(kept) else {**short, "...": f"{len(value) - len(kept)} more"}


def _brief_list(value: list[Any], level: int) -> list[Any]:
    short = [brief(item, level + 1) for item in value[:_MAX_ITEMS]]
    return short if len(value) <= len(short) else [*short, f"... {len(value) - len(short)} more"]


def is_secret(name: str) -> bool:
    return _SECRET.search(name) is not None


def _number(value: Decimal) -> int | float | str:
    """As a number where that loses nothing, else as text. 10.0 is 10."""
    number = float(value)
    if not math.isfinite(number) or Decimal(repr(number)) != value:
        return _text(str(value))
    return int(number) if number.is_integer() and abs(number) < _MAX_PLAIN_INT else number
