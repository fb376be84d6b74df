"""Texts that are no JSON: the words with digits in them (figures, dates, versions, ids) that alone make the difference.

They are told by what stands before them, so that a time in a page, which moves, hides nothing else of that page.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import NamedTuple

from cutover.parity.masking import mask

# Larger texts, and those with more differences, are compared as a whole.
MAX_TEXT_BYTES = 4 * 1024 * 1024
MAX_WORDS = 200
PREFIX = "text: "
_CONTEXT_CHARACTERS = 32
_PIECES_OF_CONTEXT = 3
# The look behind keeps it linear: a run without a digit is tried once, not from each of its letters.
_NUMBERED = re.compile(rb"(?<![\w.:+-])[A-Za-z_.:+-]*[0-9][\w.:+-]*")


class Word(NamedTuple):
    """``path`` has ``#`` for each word with digits, the differing one at its end."""

    path: str
    old: str
    new: str


def is_text(media_type: str) -> bool:
    return media_type.startswith("text/") or media_type.endswith(("/xml", "+xml", "/javascript"))


def differing_words(old: bytes | bytearray, new: bytes | bytearray) -> list[Word] | None:
    """``None`` where the texts differ in more than such words."""
    if max(len(old), len(new)) > MAX_TEXT_BYTES:
        return None
    between = _NUMBERED.split(old)
    if between != _NUMBERED.split(new):
        return None
    pairs = zip(_NUMBERED.findall(old), _NUMBERED.findall(new), strict=True)
    differing = ((index, one, other) for index, (one, other) in enumerate(pairs) if one != other)
    found = list(islice(differing, MAX_WORDS + 1))
    if len(found) > MAX_WORDS:
        return None
    return [Word(_path(between, index), _shown(one), _shown(other)) for index, one, other in found]


def _path(between: list[bytes], index: int) -> str:
    near = b"#".join(between[max(0, index - _PIECES_OF_CONTEXT + 1) : index + 1])
    line = f"{mask(_shown(near))}#".split("\n")[-1]
    return PREFIX + " ".join(line.split())[-_CONTEXT_CHARACTERS:]


def _shown(text: bytes) -> str:
    return text.decode("utf-8", "replace")
