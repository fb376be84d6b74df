"""A plan's text as a tree that remembers where each part stands."""

from __future__ import annotations

from collections.abc import Sequence as Items
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Key = str | int
Path = tuple[Key, ...]
ScalarValue = str | int | float | bool | None


class Span(NamedTuple):
    """Line and column count from 1; ``start`` and ``end`` are indexes into the text."""

    line: int
    column: int
    start: int
    end: int


@dataclass(slots=True)
class Scalar:
    """``plain``: written without quotes. ``size`` counts a node and those within, ``height`` the levels of those."""

    span: Span
    value: ScalarValue
    plain: bool = False
    size: int = 1
    height: int = 0


@dataclass(slots=True)
class Sequence:
    span: Span
    flow: bool
    items: list[Node] = field(default_factory=list)
    size: int = 1
    height: int = 0


@dataclass(slots=True)
class Entry:
    key: Scalar
    node: Node


@dataclass(slots=True)
class Mapping:
    span: Span
    flow: bool
    entries: dict[Key, Entry] = field(default_factory=dict)
    size: int = 1
    height: int = 0


Node = Scalar | Sequence | Mapping


@dataclass(frozen=True)
class Found:
    """Where a location leads.

    ``path`` holds the parts of it that are in the plan; ``detour`` is how many of them lie before the first part that
    is not, None if all are.
    """

    path: Path
    line: int
    column: int
    node: Node
    detour: int | None


def locate(root: Node, location: Items[Key], *, key: bool = False) -> Found:
    """Follow a location as far as it goes. Parts that are not in the plan (names of union members) are left out.

    The position is that of the value, of the key where ``key`` asks for it, or where the value begins further down.
    """
    node: Node = root
    at, detour = root.span, None
    path: list[Key] = []
    for part in location:
        if isinstance(node, Mapping) and part in node.entries:
            entry = node.entries[part]
            node = entry.node
            at = entry.key.span if key or node.span.line != entry.key.span.line else node.span
        elif isinstance(node, Sequence) and isinstance(part, int) and 0 <= part < len(node.items):
            node = node.items[part]
            at = node.span
        else:
            detour = len(path) if detour is None else detour
            continue
        path.append(part)
    return Found(tuple(path), at.line, at.column, node, detour)


def spell(path: Items[Key]) -> str:
    """``phases.shift[0].through[1]``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def plain(node: Node) -> Any:
    """The data of a node as it stands."""
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    if isinstance(node, Mapping):
        return {key: plain(entry.node) for key, entry in node.entries.items()}
    return node.value
