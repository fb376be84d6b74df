"""YAML as plans use it: the core schema of YAML 1.2, anchors and merge keys within limits, no tags of anybody's own."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

import yaml

from cutover.errors import Mistake, PlanError
from cutover.plan.nodes import Entry, Key, Mapping, Node, Scalar, ScalarValue, Sequence, Span, spell
from cutover.plan.syntax import explain

MAX_NODES = 100_000
MAX_DEPTH = 64
MAX_NOTED = 1000
MAX_DIGITS = 400

_PREFIX = "tag:yaml.org,2002:"
# No text that begins otherwise is anything but a text.
_SPECIAL = frozenset("0123456789+-.~nNtTfF")
_NULL = re.compile(r"null|Null|NULL|~|")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_PARSER_TOO_DEEP = "exceeded maximum nesting depth"
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")


class NotCoreError(ValueError):
    """A scalar that is not what its tag says, or a number that no plan needs."""


def resolve_scalar(text: str) -> ScalarValue:
    """What a plain scalar means in YAML 1.2's core schema: ``no``, ``on``, ``1:30`` and dates are texts."""
    if text and text[0] not in _SPECIAL:
        return text
    if _NULL.fullmatch(text):
        return None
    if _BOOL.fullmatch(text):
        return text.lower() == "true"
    if _INT.fullmatch(text):
        if len(text) > MAX_DIGITS:
            raise NotCoreError("a number of so many digits; quote it if it is a text")
        return int(text, 0) if text[:2] in {"0o", "0x"} else int(text)
    if _FLOAT.fullmatch(text):
        number = float(text)
        if not math.isfinite(number):
            raise NotCoreError(f"the number {text[:40]} is out of range; quote it if it is a text")
        return number
    if _NOT_FINITE.fullmatch(text):
        raise NotCoreError(f"{text} is no number that JSON has; quote it if it is a text")
    return text


def compose(text: str, file: str, *, loader: Any = None) -> tuple[Mapping, list[Mistake]]:
    """The tree of a plan, and mistakes that don't keep the rest from being read.

    Raises ``PlanError`` where there is no tree: bad syntax, no mapping, more than one document, beyond the limits.
    """
    root, mistakes = compose_any(text, file, loader=loader)
    if not isinstance(root, Mapping):
        message = f"a plan is a mapping (name: ..., backends: ...), not {_kind(root)}"
        raise PlanError([*mistakes, Mistake(file, root.span.line, root.span.column, "", message)])
    return root, mistakes


def compose_any(
    text: str, file: str, *, what: str = "plan", max_nodes: int = MAX_NODES, loader: Any = None
) -> tuple[Node, list[Mistake]]:
    """As ``compose``, of whatever stands at the top. ``what`` is what the file is called in mistakes."""
    composer = _Composer(file, loader or getattr(yaml, "CSafeLoader", yaml.SafeLoader), text, what, max_nodes)
    try:
        return composer.document(), composer.mistakes
    except yaml.YAMLError as error:
        raise composer.too_deep_or(error, text) from None


def _kind(node: Node) -> str:
    return "a list" if isinstance(node, Sequence) else f"the single value {str(getattr(node, 'value', ''))[:40]!r}"


def _span(event: Any) -> Span:
    start = event.start_mark
    return Span(start.line + 1, start.column + 1, start.index, event.end_mark.index)


class _Composer:
    """Turns PyYAML's events into nodes, counting nodes as if every alias were written out."""

    def __init__(self, file: str, loader: Any, text: str, what: str, max_nodes: int) -> None:
        self.file = file
        self._what = what
        self._max_nodes = max_nodes
        self.mistakes: list[Mistake] = []
        self._events: Iterator[Any] = yaml.parse(text, Loader=loader)
        self._anchors: dict[str, Node | None] = {}
        self._path: list[Key] = []
        self._nodes = 0

    def document(self) -> Node:
        next(self._events)
        first = next(self._events)
        if isinstance(first, yaml.StreamEndEvent):
            raise self._fatal(None, f"the {self._what} is empty", self._cure_of_nothing())
        root = self._node(next(self._events), 0)
        next(self._events)
        after = next(self._events)
        if isinstance(after, yaml.DocumentStartEvent):
            raise self._fatal(
                _span(after), "a second document begins here", f"a {self._what} is one document: remove the ---"
            )
        if isinstance(root, Scalar) and root.value is None:
            raise self._fatal(None, f"the {self._what} is empty", self._cure_of_nothing())
        return root

    def too_deep_or(self, error: yaml.YAMLError, text: str) -> PlanError:
        """What the parser says; its own limit of depth, from PyYAML 6.0.4 on, is met before ours is."""
        if _PARSER_TOO_DEEP in str(error):
            mark = getattr(error, "problem_mark", None)
            span = Span(mark.line + 1, mark.column + 1, mark.index, mark.index) if mark is not None else None
            return self._too_deep(span)
        return PlanError([explain(error, text, self.file)])

    def _cure_of_nothing(self) -> str | None:
        return "start from one: cutover init" if self._what == "plan" else None

    def _node(self, event: Any, depth: int) -> Node:
        span = _span(event)
        self._descend(depth, span)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(str(event.anchor), span, depth)
        self._spend(1, span)
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        node: Node
        if isinstance(event, yaml.ScalarEvent):
            node = self._scalar(event, span)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = self._sequence(event, span, depth)
        else:
            node = self._mapping(event, span, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _alias(self, anchor: str, span: Span, depth: int) -> Node:
        if anchor not in self._anchors:
            close = get_close_matches(anchor, self._anchors, n=1)
            self._note(span, f"there is no anchor &{anchor} above", f"did you mean *{close[0]}?" if close else None)
            return Scalar(span, None)
        node = self._anchors[anchor]
        if node is None:
            raise self._fatal(span, f"the anchor &{anchor} contains itself")
        self._spend(node.size, span)
        self._descend(depth + node.height, span)
        return node

    def _scalar(self, event: Any, span: Span) -> Scalar:
        plain = event.style is None or event.style == ""
        value: ScalarValue = event.value
        try:
            if event.tag in {None, "!"}:
                value = resolve_scalar(event.value) if plain and event.tag is None else event.value
            else:
                value = _tagged(event.tag, event.value, self._what)
        except NotCoreError as error:
            self._note(span, str(error))
        return Scalar(span, value, plain)

    def _sequence(self, event: Any, span: Span, depth: int) -> Sequence:
        self._core_tag(event, span, "seq")
        sequence = Sequence(span, bool(event.flow_style))
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            self._path.append(len(sequence.items))
            item = self._node(event, depth + 1)
            self._path.pop()
            sequence.items.append(item)
            sequence.size += item.size
            sequence.height = max(sequence.height, item.height + 1)
        return sequence

    def _mapping(self, event: Any, span: Span, depth: int) -> Mapping:
        self._core_tag(event, span, "map")
        mapping = Mapping(span, bool(event.flow_style))
        merged: Node | None = None
        merged_at = span
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._node(event, depth + 1)
            self._path.append(name if (name := self._key(key)) is not None else "?")
            node = self._node(next(self._events), depth + 1)
            self._path.pop()
            mapping.size += key.size + node.size
            mapping.height = max(mapping.height, node.height + 1)
            if isinstance(key, Scalar) and key.plain and name == "<<":
                if merged is not None:
                    self._note(
                        key.span, f"duplicate key '<<', first at line {merged_at.line}", "merge a list: [*a, *b]"
                    )
                merged, merged_at = node, key.span
            elif isinstance(key, Scalar) and name is not None:
                self._enter(mapping, name, Entry(key, node))
        if merged is not None:
            self._merge(mapping, merged, merged_at)
        return mapping

    def _key(self, key: Node) -> Key | None:
        if isinstance(key, Scalar) and isinstance(key.value, str | int) and not isinstance(key.value, bool):
            return key.value
        what = f"{key.value!r}".lower() if isinstance(key, Scalar) and key.value is not None else "this one"
        what = "an empty one" if isinstance(key, Scalar) and key.value is None else what
        self._note(key.span, f"a key is a text, not {what}", "put it in quotes")
        return None

    def _enter(self, mapping: Mapping, name: Key, entry: Entry) -> None:
        twin = name if name in mapping.entries else None
        if isinstance(name, int) and str(name) in mapping.entries:
            twin = str(name)
        elif isinstance(name, str) and twin is None and name.isdecimal() and name.isascii() and len(name) < MAX_DIGITS:
            twin = int(name) if int(name) in mapping.entries and str(int(name)) == name else None
        if twin is None:
            mapping.entries[name] = entry
            return
        first = mapping.entries[twin].key.span
        self._path.append(name)
        self._note(entry.key.span, f"duplicate key {name!r}, first at line {first.line}, column {first.column}")
        self._path.pop()

    def _merge(self, mapping: Mapping, merged: Node, at: Span) -> None:
        sources = merged.items if isinstance(merged, Sequence) else [merged]
        for source in sources:
            if not isinstance(source, Mapping):
                self._note(at, "<< merges a mapping, or a list of mappings, as in <<: *defaults")
                continue
            self._spend(len(source.entries), at)
            for name, entry in source.entries.items():
                mapping.entries.setdefault(name, entry)

    def _core_tag(self, event: Any, span: Span, expected: str) -> None:
        if event.tag not in {None, "!", _PREFIX + expected}:
            self._note(span, f"{self._what}s have no tags like {_short(event.tag)}", "remove it")

    def _spend(self, nodes: int, span: Span) -> None:
        self._nodes += nodes
        if self._nodes > self._max_nodes:
            hint = "aliases count as if they were written out"
            raise self._fatal(span, f"the {self._what} holds more than {self._max_nodes:,} values", hint)

    def _descend(self, depth: int, span: Span) -> None:
        if depth > MAX_DEPTH:
            raise self._too_deep(span)

    def _too_deep(self, span: Span | None) -> PlanError:
        return self._fatal(span, f"the {self._what} is nested more than {MAX_DEPTH} levels deep")

    def _note(self, span: Span, message: str, hint: str | None = None) -> None:
        self.mistakes.append(Mistake(self.file, span.line, span.column, spell(self._path), message, hint))
        if len(self.mistakes) == MAX_NOTED:
            raise self._fatal(span, f"{MAX_NOTED} mistakes up to here; the rest of the {self._what} was not read")

    def _fatal(self, span: Span | None, message: str, hint: str | None = None) -> PlanError:
        line, column = (span.line, span.column) if span else (0, 0)
        mistakes = [*self.mistakes, Mistake(self.file, line, column, "", message, hint)]
        return PlanError(sorted(mistakes, key=lambda m: (m.line, m.column)))


def _tagged(tag: str, text: str, what: str) -> ScalarValue:
    kind = tag.removeprefix(_PREFIX)
    if kind == "str":
        return text
    types: dict[str, tuple[type, ...]] = {"int": (int,), "float": (int, float), "bool": (bool,), "null": (type(None),)}
    if not tag.startswith(_PREFIX) or kind not in types:
        raise NotCoreError(f"{what}s have no tags like {_short(tag)}; remove it")
    value = resolve_scalar(text)
    if not isinstance(value, types[kind]) or (isinstance(value, bool) and kind != "bool"):
        raise NotCoreError(f"this is not what its tag !!{kind} says; remove the tag")
    return float(value) if kind == "float" and value is not None and not isinstance(value, str) else value


def _short(tag: str) -> str:
    return tag.replace(_PREFIX, "!!")[:40]
