"""A text that a regular expression describes, for the expressions that documents are full of.

Nothing is matched: an expression of somebody else's may take for ever. What is not understood gives no text.
"""

from __future__ import annotations

import re

MAX_CHARS = 200
MAX_REPEATS = 1000
MAX_GROUPS = 50

_CLASSES = {"d": "1", "w": "a", "s": " ", "D": "a", "W": "-", "S": "a"}
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r"}
_QUANTIFIER = re.compile(r"([*+?]|\{(\d{1,4})(,(\d{0,4}))?\})[?+]?")


class _UnknownError(Exception):
    """A part of an expression that is not understood."""


def text_for(pattern: str, least: int = 0) -> str | None:
    """A text that the pattern matches as a whole, with what may be repeated often enough for ``least`` characters."""
    for often in (1, max(1, least)):
        try:
            reader = _Reader(pattern, often)
            text = reader.alternatives()
        except _UnknownError:
            return None
        if reader.position < len(pattern):
            return None
        if len(text) >= least:
            return text
    return None


class _Reader:
    """Reads an expression once, and writes what it describes."""

    def __init__(self, pattern: str, often: int) -> None:
        self.pattern = pattern
        self.position = 0
        self.often = often
        self.depth = 0

    def alternatives(self) -> str:
        """The first of them, up to the end or the bracket that closes the group."""
        texts = [self._sequence()]
        while self._next() == "|":
            self.position += 1
            texts.append(self._sequence())
        return texts[0]

    def _next(self) -> str:
        return self.pattern[self.position : self.position + 1]

    def _sequence(self) -> str:
        text = ""
        while (character := self._next()) and character not in "|)":
            self.position += 1
            text += self._repeated(self._atom(character))
            if len(text) > MAX_CHARS:
                raise _UnknownError
        return text

    def _atom(self, character: str) -> str:
        if character in "^$":
            return ""
        if character == ".":
            return "a"
        if character == "[":
            return self._set()
        if character == "(":
            return self._group()
        if character == "\\":
            return self._escape()
        if character in "*+?{":
            raise _UnknownError
        return character

    def _escape(self) -> str:
        character = self._next()
        self.position += 1
        if character in _CLASSES:
            return _CLASSES[character]
        if character in {"b", "A", "Z", "z"}:
            return ""
        if not character or character.isalnum():
            return _ESCAPED[character] if character in _ESCAPED else self._unknown()
        return character

    def _group(self) -> str:
        if self._next() == "?":
            named = re.compile(r"\?(:|P?<[A-Za-z_]\w*>)").match(self.pattern, self.position)
            if named is None:
                self._unknown()
            self.position = named.end() if named else self.position
        self.depth += 1
        if self.depth > MAX_GROUPS:
            self._unknown()
        text = self.alternatives()
        self.depth -= 1
        if self._next() != ")":
            self._unknown()
        self.position += 1
        return text

    def _set(self) -> str:
        """The first member of a set; of those that name what is not in it, none is understood."""
        if self._next() == "^":
            self._unknown()
        members: list[str] = []
        while (character := self._next()) != "]" or not members:
            self.position += 1
            members.append(self._escape() if character == "\\" else character or self._unknown())
        self.position += 1
        letters = [member for member in members if member.isalnum()]
        return (letters or members)[0]

    def _repeated(self, text: str) -> str:
        match = _QUANTIFIER.match(self.pattern, self.position)
        if match is None:
            return text
        self.position = match.end()
        least, most = {"*": (0, None), "+": (1, None), "?": (0, 1)}.get(
            match[1], (int(match[2] or 0), int(match[4]) if match[4] else None if match[3] else int(match[2] or 0))
        )
        count = max(least, self.often if most is None else min(self.often, most))
        if count > MAX_REPEATS or count * len(text) > MAX_CHARS:
            self._unknown()
        return text * count

    def _unknown(self) -> str:
        raise _UnknownError
