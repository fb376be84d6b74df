"""Requests that YAML tore apart although it could read them: ``[GET /a?ids=1,2]`` is a list of two."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cutover.errors import Mistake
from cutover.plan.nodes import Entry, Mapping, Node, Path, Scalar, Sequence, spell

_REQUEST = re.compile(r"(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) /")
_PATH = re.compile(r"/|https?://")
_REQUEST_KEYS = frozenset({"requests", "request"})


def torn_requests(root: Mapping, text: str, file: str) -> tuple[list[Mistake], set[Path]]:
    """The mistakes, and the places where nothing else need be said."""
    mistakes: list[Mistake] = []
    places: set[Path] = set()
    for path, start, end, sign in _torn((), root):
        whole = " ".join(text[start.span.start : end].split())
        shown = whole if len(whole) <= 100 else whole[:97] + "..."  # noqa: PLR2004 - about a line
        message = f"YAML tears {shown!r} apart at its unquoted {sign!r}"
        mistakes.append(Mistake(file, start.span.line, start.span.column, spell(path), message, f'quote it: "{shown}"'))
        places.add(path)
    return mistakes, places


def _torn(path: Path, node: Node) -> Iterator[tuple[Path, Scalar, int, str]]:
    if isinstance(node, Sequence):
        if node.flow and path and path[-1] in _REQUEST_KEYS:
            yield from _torn_list(path, node)
        for number, item in enumerate(node.items):
            if path and path[-1] in _REQUEST_KEYS and (key := _request_key(item)):
                yield (*path, number), key.key, key.node.span.end, ": "
            else:
                yield from _torn((*path, number), item)
    elif isinstance(node, Mapping):
        if node.flow:
            yield from _torn_mapping(path, node)
        for name, entry in node.entries.items():
            yield from _torn((*path, name), entry.node)


def _torn_list(path: Path, node: Sequence) -> Iterator[tuple[Path, Scalar, int, str]]:
    """A request followed by fragments that are none, or one with the '?' at which other YAML readers stop."""
    number = 0
    while number < len(node.items):
        item = node.items[number]
        number += 1
        if not _opens(item, _REQUEST):
            continue
        first = number
        while number < len(node.items) and _fragment(node.items[number]):
            number += 1
        assert isinstance(item, Scalar)  # noqa: S101 - what _opens says
        if number > first:
            for fragment in range(first, number):
                yield (*path, fragment), item, node.items[number - 1].span.end, ","
        elif "?" in str(item.value):
            yield (*path, first - 1), item, item.span.end, "?"


def _torn_mapping(path: Path, node: Mapping) -> Iterator[tuple[Path, Scalar, int, str]]:
    """``{path: /a?ids=1,2}``: a path or request followed by a key without a value."""
    before: Node | None = None
    for key, entry in node.entries.items():
        if isinstance(before, Scalar) and _empty(entry) and (_opens(before, _REQUEST) or _opens(before, _PATH)):
            yield (*path, key), before, entry.key.span.end, ","
        else:
            before = entry.node


def _request_key(node: Node) -> Entry | None:
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
