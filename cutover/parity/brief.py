"""Values cut down to what samples keep and people read, with the values of secret names masked."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

from cutover.parity.confidential import holds_secret
from cutover.parity.masking import masked_between, masked_value
from cutover.redact import MASK

_MAX_STRING = 200
_MAX_ITEMS = 8
_MAX_MEMBERS = 16
_MAX_LEVELS = 4
_MAX_PLAIN_INT = 10**15
_LONG_INT = 10**_MAX_STRING
# A secret that is cut must still be known for one.
_MAX_MASKED = 4096


def brief(value: Any, level: int = 0, name: str = "") -> Any:
    """A shortened copy of JSON data. ``name`` is that of its member, or a path that ends with it."""
    if type(value) is str:
        return _text(value, name)
    if type(value) is Decimal:
        return _number(value)
    if type(value) is dict:
        return _brief_object(value, level) if level < _MAX_LEVELS else f"{{{len(value)} members}}"
    if type(value) is list:
        return _brief_list(value, level, name) if level < _MAX_LEVELS else f"[{len(value)} items]"
    if type(value) is int and abs(value) >= _LONG_INT:
        return _text(str(value))
    return value


def _text(value: str, name: str = "") -> str:
    """Halves of surrogate pairs, which JSON's escapes can spell and no file can hold, stay escapes."""
    known = masked_value(value[:_MAX_MASKED], name)
    text = known if len(value) <= _MAX_MASKED and len(known) <= _MAX_STRING else known[:_MAX_STRING] + "..."
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _brief_object(value: dict[str, Any], level: int) -> dict[str, Any]:
    kept = list(value.items())[:_MAX_MEMBERS]
    short = {_text(n): MASK if holds_secret(n, v) else brief(v, level + 1, n) for n, v in kept}
    return short if len(value) <= len(kept) else {**short, "...": f"{len(value) - len(kept)} more"}


def _brief_list(value: list[Any], level: int, name: str) -> list[Any]:
    short = [brief(item, level + 1, name) for item in value[:_MAX_ITEMS]]
    return short if len(value) <= len(short) else [*short, f"... {len(value) - len(short)} more"]


def excerpt(body: bytes | bytearray, begin: int, length: int) -> str:
    """A part of a body of any kind as text, without the secrets in it, also where their names stand before it."""
    start = max(0, begin - _MAX_MASKED)
    # A byte is a character for as long as places count.
    text = bytes(body[start : begin + length + _MAX_MASKED]).decode("latin-1")
    kept = masked_between(text, begin - start, begin - start + length)
    return kept.encode("latin-1").decode("utf-8", "replace")


def _number(value: Decimal) -> int | float | str:
    """As a number where that loses nothing, else as text. 10.0 is 10."""
    number = float(value)
    if not math.isfinite(number) or Decimal(repr(number)) != value:
        return _text(str(value))
    return int(number) if number.is_integer() and abs(number) < _MAX_PLAIN_INT else number
