"""One place that knows this process's secrets and takes them out of everything that leaves it.

Whatever writes (journal, artifacts, console, error messages, logs) passes its text through ``redact``.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from html import escape
from typing import Any, TypeVar

MASK = "***"
MIN_SECRET_LENGTH = 6

_ESCAPES = {"\n": "n", "\r": "r", "\t": "t"}

T = TypeVar("T")


class Redactor:
    """Replaces registered secrets, in the spellings in which they could appear, by ``***``."""

    def __init__(self) -> None:
        self._secrets: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def add(self, secret: str) -> None:
        """Register a secret, and the lines of one that has several; under six characters they are too common."""
        parts = {secret, secret.strip(), *(line.strip() for line in secret.splitlines())}
        new = {part for part in parts if len(part) >= MIN_SECRET_LENGTH} - self._secrets
        if new:
            self._secrets |= new
            longest_first = sorted(self._secrets, key=lambda s: (-len(s), s))
            self._pattern = re.compile("|".join(alternative for s in longest_first for alternative in _alternatives(s)))

    def text(self, text: str) -> str:
        return self._pattern.sub(MASK, text) if self._pattern else text

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


def _alternatives(secret: str) -> list[str]:
    """Regular expressions: the secret with each of its characters as is or escaped, and as a part of base64."""
    encoded = [rf"[\w+/-]*{core}[\w+/-]*={{0,2}}" for core in _base64_cores(secret.encode(errors="surrogatepass"))]
    return ["".join(map(_character, secret)), *encoded]


def _character(char: str) -> str:
    """One character as itself, percent-encoded (more than once), and as JSON, Python and HTML escape it."""
    if char.isascii() and char.isalnum():
        return char
    percent = "".join(f"%(?:25)*{_hex(byte)}" for byte in char.encode(errors="surrogatepass"))
    units = char.encode("utf-16-be", errors="surrogatepass")
    unicode = "".join(rf"\\+u{''.join(map(_hex, units[i : i + 2]))}" for i in range(0, len(units), 2))
    spellings = [percent, unicode, re.escape(escape(char)), f"&#(?:{ord(char)}|[xX]0*{_hex_text(f'{ord(char):x}')});"]
    if ord(char) <= 0xFF:  # noqa: PLR2004 - the last that \xNN can say
        spellings.append(rf"\\+x{_hex(ord(char))}")
    if char in _ESCAPES:
        spellings.append(rf"\\+{_ESCAPES[char]}")
    if char == "\n":
        spellings.append(r"\r?\n[ \t]*")
    if char == " ":
        spellings.append(r"\+")
    plain = r"\\+" if char == "\\" else rf"\\*{re.escape(char)}"
    return f"(?:{'|'.join([*spellings, plain])})"


def _base64_cores(secret: bytes) -> list[str]:
    """What base64 makes of a secret whatever stands around it: one core for each of the three alignments."""
    cores = []
    for before in range(3):
        digits = base64.b64encode(b"\0" * before + secret).decode().rstrip("=")
        # Digits that share bits with a neighbour differ with it.
        first = -(-before * 8 // 6)
        last = (before + len(secret)) * 8 // 6
        cores.append("".join({"+": "[+-]", "/": "[/_]"}.get(digit, digit) for digit in digits[first:last]))
    return cores


def _hex(byte: int) -> str:
    return _hex_text(f"{byte:02x}")


def _hex_text(digits: str) -> str:
    return "".join(f"[{d}{d.upper()}]" if d.isalpha() else d for d in digits)


redactor = Redactor()
redact = redactor.text
redact_data = redactor.data
