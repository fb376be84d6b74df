"""Secrets searched for in all that a program leaves behind, in many spellings."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Mapping
from urllib.parse import quote, quote_plus


class Searched:
    """What is searched, and what was found where."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._needles = {needle: name for name, secret in secrets.items() for needle in spellings(secret)}
        self.found: set[str] = set()
        self.places = 0

    def look(self, where: str, data: bytes) -> None:
        self.places += 1
        self.found |= {f"{name} as {needle!r} in {where}" for needle, name in self._needles.items() if needle in data}


def spellings(secret: str) -> set[bytes]:
    escaped = json.dumps(secret)[1:-1]
    in_html = html.escape(secret)
    texts = {secret, quote(secret), quote(secret, safe=""), quote_plus(secret), quote(quote(secret)), in_html}
    texts |= {escaped, json.dumps(escaped)[1:-1], repr(secret)[1:-1], html.escape(escaped), json.dumps(in_html)[1:-1]}
    for before in ("", "x", "xx", "user:"):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            first = -(-len(before) * 8 // 6)
            texts.add(encode((before + secret).encode()).decode().rstrip("=")[first:-2])
    return {text.encode() for text in texts}
