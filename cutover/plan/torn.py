"""Requests that YAML tore apart although it could read them: ``[GET /a?ids=1,2]`` is a list of two."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from cutover.errors import Mistake
from cutover.plan.nodes import Entry, Mapping, Node, Path, Scalar, Sequence, spell

_REQUEST = re.compile(r"(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) /")
_PATH = re.compile(r"/|https?://")
MAX_SHOWN_CHARS = 100
_REQUEST_KEYS = frozenset({"requests", "request"})


@dataclass(frozen=True)
class _Torn:
    """A request in pieces: where it begins, the index behind it, the sign that tore it, and all pieces' places."""

    path: Path
    start: Scalar
    end: int
    sign: str
    pieces: tuple[Path, ...]


def torn_requests(root: Mapping, text: str, file: str) -> tuple[list[Mistake], set[Path]]:
    """The mistakes, and the places where nothing else need be said."""
    mistakes: list[Mistake] = []
    places: set[Path] = set()
    for torn in _torn((), root):
        span = torn.start.span
        whole = " ".join(text[span.start : torn.end].split())
        shown = whole if len(whole) <= MAX_SHOWN_CHARS else whole[: MAX_SHOWN_CHARS - 3] + "..."
        message = f"YAML tears {shown!r} apart at its unquoted {torn.sign!r}"
        mistakes.append(Mistake(file, span.line, span.column, spell(torn.path), message, f'quote it: "{shown}"'))
        places.update(torn.pieces)
    return mistakes, places


def _torn(path: Path, node: Node) -> Iterator[_Torn]:
    if isinstance(node, Sequence):
        if node.flow and path and path[-1] in _REQUEST_KEYS:
            yield from _torn_list(path, node)
        for number, item in enumerate(node.items):
            place = (*path, number)
            if path and path[-1] in _REQUEST_KEYS and (entry := _request_entry(item)):
                yield _Torn(place, entry.key, entry.node.span.end, ": ", (place,))
            else:
                yield from _torn(place, item)
    elif isinstance(node, Mapping):
        if node.flow:
            yield from _torn_mapping(path, node)
        for name, entry in node.entries.items():
            yield from _torn((*path, name), entry.node)


def _torn_list(path: Path, node: Sequence) -> Iterator[_Torn]:
    """A request followed by fragments that are none, or one with the '?' at which other YAML readers stop."""
    number = 0
    while number < len(node.items):
        first, item = number, node.items[number]
        number += 1
        if not isinstance(item, Scalar) or not _opens(item, _REQUEST):
            continue
        while number < len(node.items) and _fragment(node.items[number]):
            number += 1
        pieces = tuple((*path, piece) for piece in range(first, number))
        if len(pieces) > 1:
            yield _Torn(pieces[0], item, node.items[number - 1].span.end, ",", pieces)
        elif "?" in str(item.value):
            yield _Torn(pieces[0], item, item.span.end, "?", pieces)


def _torn_mapping(path: Path, node: Mapping) -> Iterator[_Torn]:
    """``{path: /a?ids=1,2}``: a path or request followed by keys without a value."""
    entries = list(node.entries.items())
    number = 0
    while number < len(entries):
        first, (name, entry) = number, entries[number]
        number += 1
        start = entry.node
        if not isinstance(start, Scalar) or not (_opens(start, _REQUEST) or _opens(start, _PATH)):
            continue
        while number < len(entries) and _empty(entries[number][1]):
            number += 1
        if number - first > 1:
            pieces = tuple((*path, key) for key, _ in entries[first:number])
            yield _Torn((*path, name), start, entries[number - 1][1].key.span.end, ",", pieces)


def _request_entry(node: Node) -> Entry | None:
    if not isinstance(node, Mapping):
        return None
    return next((e for e in node.entries.values() if _opens(e.key, _REQUEST)), None)


def _opens(node: Node, pattern: re.Pattern[str]) -> bool:
    return isinstance(node, Scalar) and node.plain and isinstance(node.value, str) and bool(pattern.match(node.value))


def _fragment(node: Node) -> bool:
    return isinstance(node, Scalar) and node.plain and not _opens(node, _REQUEST)


def _empty(entry: Entry) -> bool:
    node = entry.node
    return isinstance(node, Scalar) and node.value is None and node.span.start == node.span.end
