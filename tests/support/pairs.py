"""Pairs of answers: what a pair is, and how its answers are written."""

from __future__ import annotations

import asyncio
import gzip
from typing import Any, NamedTuple

from tests.support.rawserver import Respond, json_answer, raw


class Pair(NamedTuple):
    """Answers of old and new. ``fails``, ``warns`` and ``notes`` are (kind, path) of what is found."""

    name: str
    old: bytes | Respond
    new: bytes | Respond
    settings: dict[str, Any] = {}  # noqa: RUF012 - a table
    fails: list[tuple[str, str]] = []  # noqa: RUF012 - a table
    warns: list[tuple[str, str]] = []  # noqa: RUF012 - a table
    notes: list[tuple[str, str]] = []  # noqa: RUF012 - a table

    @property
    def found(self) -> bool:
        return bool(self.fails or self.warns or self.notes)


# What the table has a line for, and each default, option and rule of that line.
Table = dict[str, dict[str, list[Pair]]]


def body(old: Any, new: Any) -> tuple[bytes, bytes]:
    return json_answer(old), json_answer(new)


def moved(status: int, location: str) -> bytes:
    return raw(status, f"Location: {location}")


def header(*lines: str, status: int = 200) -> bytes:
    return json_answer("{}", *lines, status=status)


def typed(content_type: str, content: str = "{}", status: int = 200) -> bytes:
    return raw(status, f"Content-Type: {content_type}", body=content)


def zipped(value: bytes) -> bytes:
    return raw(200, "Content-Type: application/json", "Content-Encoding: gzip", body=gzip.compress(value))


def redirecting(path: str, answer: bytes, location: str = "") -> Respond:
    """Everything but ``path`` is redirected there, by that path or as ``location`` spells it."""

    async def respond(head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(answer if head.split(b" ")[1] == path.encode() else moved(307, location or path))

    return respond
