"""One place that knows this process's secrets and takes them out of everything that leaves it.

Whatever writes (journal, artifacts, console, error messages, logs) passes its text through ``redact``.
"""

from __future__ import annotations

import base64
import json
from typing import Any, TypeVar
from urllib.parse import quote, quote_plus

MASK = "***"
MIN_SECRET_LENGTH = 6

T = TypeVar("T")


class Redactor:
    """Replaces registered secrets, in the spellings in which they could appear, by ``***``."""

    def __init__(self) -> None:
        self._spellings: tuple[str, ...] = ()

    def add(self, secret: str) -> None:
        """Register a secret; values under six characters are too common to be replaced."""
        known = set(self._spellings)
        known.update(s for s in _spellings(secret) if len(s) >= MIN_SECRET_LENGTH)
        self._spellings = tuple(sorted(known, key=len, reverse=True))

    def text(self, text: str) -> str:
        for spelling in self._spellings:
            if spelling in text:
                text = text.replace(spelling, MASK)
        return text

    def data(self, value: T) -> T:
        """Redact every string, keys included, of JSON-like data."""
        return self._walk(value) if self._spellings else value

    def _walk(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self._walk(k): self._walk(v) for k, v in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(self._walk(v) for v in value)
        return value


def _spellings(secret: str) -> set[str]:
    if len(secret) < MIN_SECRET_LENGTH:
        return set()
    encoded = secret.encode()
    return {
        secret,
        secret.strip(),
        quote(secret, safe=""),
        quote_plus(secret),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        repr(secret)[1:-1],
        base64.b64encode(encoded).decode(),
        base64.urlsafe_b64encode(encoded).decode(),
    }


redactor = Redactor()
redact = redactor.text
redact_data = redactor.data
