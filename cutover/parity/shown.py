"""Values as people are shown them."""

from __future__ import annotations

import json
from typing import Any

from cutover.parity.brief import brief
from cutover.parity.findings import ABSENT
from cutover.parity.masking import is_secret_at
from cutover.redact import MASK, redact

MAX_TEXT = 300


def shown(value: Any, path: str = "") -> str:
    """A value as JSON text of at most ``MAX_TEXT`` characters; ``(nothing)`` where there is none."""
    if value is ABSENT:
        return "(nothing)"
    if is_secret_at(path, value):
        return f'"{MASK}"'
    text = redact(json.dumps(brief(value, name=path), ensure_ascii=False))
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 3] + "..."
