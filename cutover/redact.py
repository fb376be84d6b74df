"""One place that knows this process's secrets and takes them out of everything that leaves it.

Whatever writes (journal, artifacts, console, error messages, logs) passes its text through ``redact``.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

MASK = "***"
MIN_SECRET_LENGTH = 6

_ENTITIES = {"&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos"}
_ALSO = {
    " ": (r"\+",),
    "\n": (r"\\{1,8}n", r"\r?\n[ \t]{0,80}"),
    "\b": (r"\\{1,8}b",),
    "\f": (r"\\{1,8}f",),
    "\r": (r"\\{1,8}r",),
    "\t": (r"\\{1,8}t",),
}

T = TypeVar("T")


@dataclass(frozen=True)
class _Secret:
    """A secret's pattern (``source``), and strings of which one must be in a text before it is worth trying."""

    text: str
    hints: tuple[str, ...]
    source: str

    @classmethod
    def of(cls, text: str) -> _Secret:
        cores = _base64_cores(text.encode(errors="surrogatepass"))
        plain = max(re.findall(r"[A-Za-z0-9]*", text), key=len)
        # A digit beside the core may hold some of the secret's bits.
        patterns = [_as_escaped(text), *(rf"[\w+/-]?{re.escape(core)}[\w+/-]?" for core in cores)]
        return cls(text, (plain, *cores), "|".join(patterns))

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Compiled when a hint is first seen: it takes milliseconds, and most runs never show a secret."""
        return re.compile(self.source)

    def masked(self, text: str) -> str:
        return self.pattern.sub(MASK, text) if any(hint in text for hint in self.hints) else text


class Redactor:
    """Replaces registered secrets, in the spellings in which they could appear, by ``***``."""

    def __init__(self) -> None:
        self._secrets: dict[str, _Secret] = {}

    def add(self, secret: str) -> None:
        """Register a secret, and the lines of one that has several; under six characters they are too common."""
        parts = {secret, secret.strip(), *(line.strip() for line in secret.splitlines())}
        new = {part: _Secret.of(part) for part in parts if len(part) >= MIN_SECRET_LENGTH and part not in self._secrets}
        # The longest first: it may contain another.
        self._secrets = dict(sorted({**self._secrets, **new}.items(), key=lambda item: -len(item[0])))

    def text(self, text: str) -> str:
        for secret in self._secrets.values():
            text = secret.masked(text)
        return text

    def data(self, value: T, *, exact: frozenset[str] = frozenset()) -> T:
        """Redact every string, keys included, of JSON-like data; what stands under a key in ``exact`` stays."""
        return self._walk(value, exact) if self._secrets else value

    def _walk(self, value: Any, exact: frozenset[str]) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self._walk(k, exact): v if k in exact else self._walk(v, exact) for k, v in value.items()}
        if isinstance(value, list):
            return [self._walk(v, exact) for v in value]
        if isinstance(value, tuple):
            return tuple(self._walk(v, exact) for v in value)
        # A password of digits may have been sent as a number.
        if isinstance(value, int | float) and str(value) in self._secrets:
            return MASK
        return value


def _as_escaped(secret: str) -> str:
    return "".join(map(_spelled, re.findall(r"\\+|[^\\]", secret)))


def _spelled(part: str) -> str:
    """One character, or a run of backslashes, as itself and as URLs, JSON, Python and HTML escape it, repeatedly.

    Every repetition is bounded, and no two that follow each other match the same: the time is linear in the text.
    """
    if part.isascii() and part.isalnum():
        return part
    if part.startswith("\\"):
        return rf"(?:\\{{{len(part)},{8 * len(part)}}}|{_percent(part)})"
    units = part.encode("utf-16-be", errors="surrogatepass")
    unicode = "".join(rf"\\{{1,8}}u{_hex(units[i : i + 2])}" for i in range(0, len(units), 2))
    unicode += rf"|\\{{1,8}}U{_any_case(f'{ord(part):08x}')}"
    html = f"#(?:{ord(part)}|[xX]0{{0,4}}{_any_case(f'{ord(part):x}')})"
    if part in _ENTITIES:
        html += f"|{_ENTITIES[part]}"
    html = rf"\\{{0,8}}&(?:amp;){{0,4}}(?:{html});"
    spellings = [_percent(part), unicode, html, rf"\\{{0,8}}{re.escape(part)}"]
    if ord(part) <= 0xFF:  # noqa: PLR2004 - the last that \xNN can say
        spellings.append(rf"\\{{1,8}}x{_any_case(f'{ord(part):02x}')}")
    return f"(?:{'|'.join([*spellings, *_ALSO.get(part, ())])})"


def _percent(text: str) -> str:
    return "".join(f"%(?:25){{0,4}}{_hex(bytes([byte]))}" for byte in text.encode(errors="surrogatepass"))


def _base64_cores(secret: bytes) -> set[str]:
    """Say what base64 makes of a secret whatever stands around it: a core for each alignment, in both alphabets."""
    cores = set()
    for before in range(3):
        # Digits that share bits with a neighbour differ with it.
        first, last = -(-before * 8 // 6), (before + len(secret)) * 8 // 6
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            cores.add(encode(b"\0" * before + secret).decode()[first:last])
    return cores


def _hex(data: bytes) -> str:
    return _any_case(data.hex())


def _any_case(digits: str) -> str:
    return "".join(f"[{d}{d.upper()}]" if d.isalpha() else d for d in digits)


redactor = Redactor()
redact = redactor.text
redact_data = redactor.data
