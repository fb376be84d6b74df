"""Values as people are shown them: short, and without what is secret by its name."""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal
from typing import Any

from cutover.parity.findings import ABSENT
from cutover.redact import MASK, redact

MAX_TEXT = 300
_MAX_STRING = 200
_MAX_ITEMS = 8
_MAX_MEMBERS = 16
_MAX_LEVELS = 4
_MAX_PLAIN_INT = 10**15
_SECRET = re.compile(
    r"pass(word|wd|phrase)|secret|token|api_?key|authori[sz]ation|credential|private_?key|session_?id|csrf|\bjwt\b|cookie",
    re.IGNORECASE,
)


def shown(value: Any, path: str = "") -> str:
    """A value as JSON text of at most ``MAX_TEXT`` characters; ``(nothing)`` where there is none."""
    if value is ABSENT:
        return "(nothing)"
    if is_secret(path.rpartition(".")[2]) and not path.startswith("Set-Cookie:") and type(value) is str and value:
        return f'"{MASK}"'
    text = redact(json.dumps(plain(value), ensure_ascii=False, default=str))
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 3] + "..."


def plain(value: Any, level: int = 0) -> Any:
    """A shortened copy that any JSON writer takes, with the values of secret names masked."""
    if type(value) is str:
        return value if len(value) <= _MAX_STRING else value[:_MAX_STRING] + "..."
    if type(value) is Decimal:
        return _number(value)
    if type(value) is dict:
        return _plain_object(value, level) if level < _MAX_LEVELS else f"{{{len(value)} members}}"
    if type(value) is list:
        return _plain_list(value, level) if level < _MAX_LEVELS else f"[{len(value)} items]"
    return "(nothing)" if value is ABSENT else value


def _plain_object(value: dict[str, Any], level: int) -> dict[str, Any]:
    kept = list(value.items())[:_MAX_MEMBERS]
    short = {n: MASK if is_secret(n) and type(v) is str else plain(v, level + 1) for n, v in kept}
    return short if len(value) <= len(kept) else {**short, "...": f"{len(value) - len(kept)} more"}


def _plain_list(value: list[Any], level: int) -> list[Any]:
    short = [plain(item, level + 1) for item in value[:_MAX_ITEMS]]
    return short if len(value) <= len(short) else [*short, f"... {len(value) - len(short)} more"]


def is_secret(name: str) -> bool:
    return _SECRET.search(name) is not None


def _number(value: Decimal) -> int | float | str:
    """As a number where that loses nothing, else as text. 10.0 is 10."""
    number = float(value)
    if not math.isfinite(number) or Decimal(repr(number)) != value:
        return str(value)
    return int(number) if number.is_integer() and abs(number) < _MAX_PLAIN_INT else number
