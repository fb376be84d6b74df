"""Values as people are shown them."""

from __future__ import annotations

import json
from typing import Any

from cutover.parity.brief import brief, is_secret
from cutover.parity.findings import ABSENT
from cutover.redact import MASK, redact

MAX_TEXT = 300


def shown(value: Any, path: str = "") -> str:
    """A value as JSON text of at most ``MAX_TEXT`` characters; ``(nothing)`` where there is none."""
    if value is ABSENT:
        return "(nothing)"
    if is_secret(path.rpartition(".")[2]) and not path.startswith("Set-Cookie:") and type(value) is str and value:
        return f'"{MASK}"'
    text = redact(json.dumps(brief(value), ensure_ascii=False))
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 3] + "..."
