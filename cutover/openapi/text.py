"""The bytes of a document to a mapping: JSON, or YAML with the core schema of YAML 1.2."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import yaml

from cutover.openapi.errors import DocumentError
from cutover.openapi.patience import Patience
from cutover.openapi.refs import MAX_DEPTH, MAX_NODES
from cutover.plan.yaml12 import NotCoreError, resolve_scalar

PARSE_TIMEOUT_S = 15.0

_MERGE = "<<"


def load(content: bytes, name: str, patience: Patience | None = None) -> Any:
    """Plain data, keys as texts. Raises ``DocumentError``."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DocumentError(name, f"is not UTF-8 at byte {error.start}") from None
    begin = text.lstrip()[:1]
    if begin == "<":
        raise DocumentError(
            name, "is HTML or XML, where JSON or YAML is expected", hint="name the document, not its page"
        )
    try:
        return json.loads(text)
    except RecursionError:
        raise _too_deep(name) from None
    except ValueError as error:
        if begin in {"{", "["} and not isinstance(error, json.JSONDecodeError):
            raise DocumentError(name, f"can't be read: {error}") from None
        return _load_yaml(text, name, patience, error if begin == "{" else None)


def _load_yaml(text: str, name: str, patience: Patience | None, json_error: ValueError | None) -> Any:
    try:
        return _Builder(text, name, patience or Patience(PARSE_TIMEOUT_S, name)).document()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).partition("\n")[0]
        told = json_error or f"{problem}{where}"
        raise DocumentError(name, f"is no {'JSON' if json_error else 'YAML'}: {told}") from None
    except RecursionError:
        raise _too_deep(name) from None


def _too_deep(name: str) -> DocumentError:
    return DocumentError(name, f"nested more than {MAX_DEPTH} levels deep")


class _Builder:
    """Builds data from YAML's events; what an alias repeats is counted again each time."""

    def __init__(self, text: str, name: str, patience: Patience) -> None:
        self._name = name
        self._patience = patience
        self._events: Iterator[Any] = yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        self._anchors: dict[str, tuple[Any, int, int]] = {}
        self._count = 0

    def document(self) -> Any:
        next(self._events)
        if isinstance(next(self._events), yaml.StreamEndEvent):
            raise DocumentError(self._name, "is empty")
        value, _ = self._node(next(self._events), 0)
        next(self._events)
        if not isinstance(next(self._events), yaml.StreamEndEvent):
            raise DocumentError(self._name, "holds more than one YAML document")
        return value

    def _node(self, event: Any, depth: int) -> tuple[Any, int]:
        """The value, and how many levels it has below itself."""
        if depth > MAX_DEPTH:
            raise _too_deep(self._name)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(str(event.anchor), depth)
        before = self._count
        self._spend(1)
        height = 0
        value: Any
        if isinstance(event, yaml.ScalarEvent):
            value = _scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = []
            while not isinstance(item := next(self._events), yaml.SequenceEndEvent):
                built, below = self._node(item, depth + 1)
                value.append(built)
                height = max(height, below + 1)
        else:
            value, height = self._mapping(depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = (value, self._count - before, height)
        return value, height

    def _mapping(self, depth: int) -> tuple[dict[str, Any], int]:
        own: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        height = 0
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise DocumentError(self._name, f"line {event.start_mark.line + 1}: a key is a text")
            value, below = self._node(next(self._events), depth + 1)
            height = max(height, below + 1)
            if event.value == _MERGE and not event.style:
                for source in reversed(value if isinstance(value, list) else [value]):
                    merged.update(source if isinstance(source, dict) else {})
                self._spend(len(merged))
            else:
                own[event.value] = value
        return {**merged, **own}, height

    def _alias(self, anchor: str, depth: int) -> tuple[Any, int]:
        if anchor not in self._anchors:
            raise DocumentError(self._name, f"there is no anchor &{anchor[:40]} above its alias, or it contains itself")
        value, size, height = self._anchors[anchor]
        self._spend(size)
        if depth + height > MAX_DEPTH:
            raise _too_deep(self._name)
        return value, height

    def _spend(self, nodes: int) -> None:
        self._patience.spend()
        self._count += nodes
        if self._count > MAX_NODES:
            raise DocumentError(self._name, f"holds more than {MAX_NODES:,} values, what aliases repeat included")


def _scalar(event: Any) -> Any:
    """What is no number of YAML's, like ``.inf``, stays the text that it is."""
    if event.style or event.tag is not None:
        return event.value
    try:
        return resolve_scalar(event.value)
    except NotCoreError:
        return event.value
