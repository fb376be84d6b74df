"""A value from a schema: what the document names itself, else the simplest that the schema allows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from cutover.openapi.document import Document
from cutover.openapi.patterns import text_for

MAX_DEPTH = 8
MAX_ITEMS = 3
# Schemas that use each other over and over would fill any memory.
MAX_VALUES = 1000
MAX_TEXT_CHARS = 10_000

_TEXTS = {
    "date": "2026-01-15",
    "date-time": "2026-01-15T10:00:00Z",
    "time": "10:00:00Z",
    "duration": "PT1M",
    "uuid": "00000000-0000-4000-8000-000000000001",
    "email": "someone@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "url": "https://example.com/",
    "byte": "YQ==",
    "binary": "a",
    "decimal": "1",
}


def example(document: Document, schema: Any) -> Any:
    """The same value every time; ``None`` where nothing is said of it, or where it goes around in a circle.

    It is one to be sent: properties that are ``readOnly`` are left out.
    """
    return _Maker(document).value(schema, 0)


class _Maker:
    def __init__(self, document: Document) -> None:
        self._resolve = document.resolve
        self._left = MAX_VALUES

    def value(self, schema: Any, depth: int) -> Any:
        self._left -= 1
        if not isinstance(schema, Mapping) or depth > MAX_DEPTH or self._left < 0:
            return None
        resolved = self._resolve(schema)
        if (named := list(_named(resolved))) != []:
            return named[0]
        whole = self._whole(resolved)
        if (named := list(_named(whole))) != []:
            return named[0]
        for name in ("oneOf", "anyOf"):
            if (chosen := self._first(whole.get(name), depth)) is not None:
                return chosen
        return self._of_type(whole, depth)

    def _first(self, choices: Any, depth: int) -> Any:
        """Of alternatives the first that gives a value; null is one of last resort."""
        values = (self.value(choice, depth + 1) for choice in choices) if isinstance(choices, list) else ()
        return next((value for value in values if value is not None), None)

    def _whole(self, schema: dict[str, Any]) -> dict[str, Any]:
        """The schema with those under ``allOf``, and under theirs, in it."""
        parts, seen = [schema], {id(schema)}
        for part in parts:
            for inner in map(self._resolve, _list(part.get("allOf"))):
                if id(inner) not in seen and len(parts) < MAX_VALUES:
                    seen.add(id(inner))
                    parts.append(inner)
        if len(parts) == 1:
            return schema
        whole: dict[str, Any] = {}
        for part in reversed(parts):
            properties = {**_mapping(whole.get("properties")), **_mapping(part.get("properties"))}
            required = [*_list(whole.get("required")), *_list(part.get("required"))]
            whole = {**whole, **part, "required": required}
            if properties:
                whole["properties"] = properties
        return whole

    def _of_type(self, schema: Mapping[str, Any], depth: int) -> Any:
        made: Mapping[str, Callable[[], Any]] = {
            "string": lambda: _text(schema),
            "integer": lambda: _number(schema, step=1),
            "number": lambda: _number(schema, step=0.5),
            "boolean": lambda: True,
            "array": lambda: self._items(schema, depth),
            "object": lambda: self._members(schema, depth),
        }
        return made.get(_type(schema), lambda: None)()

    def _items(self, schema: Mapping[str, Any], depth: int) -> list[Any] | None:
        first = [self.value(one, depth + 1) for one in _list(schema.get("prefixItems"))[:MAX_ITEMS]]
        if first:
            return first
        one = self.value(schema.get("items"), depth + 1)
        count = min(max(_count(schema.get("minItems"), 1), 1), MAX_ITEMS)
        return None if one is None else [one] * count

    def _members(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        """What is required."""
        properties = _mapping(schema.get("properties"))
        required = set(map(str, _list(schema.get("required"))))
        return {
            name: self.value(inner, depth + 1)
            for name, inner in properties.items()
            if name in required and self._resolve(inner).get("readOnly") is not True
        }


def _named(schema: Mapping[str, Any]) -> Iterator[Any]:
    """What the schema itself gives; null only where it means just that."""
    examples = schema.get("examples")
    if isinstance(examples, list):
        yield from examples[:1]
    for name in ("example", "const"):
        if name in schema:
            yield schema[name]
    if schema.get("default") is not None:
        yield schema["default"]
    choices = schema.get("enum")
    if isinstance(choices, list) and choices:
        yield next((choice for choice in choices if choice is not None), None)


def _type(schema: Mapping[str, Any]) -> str:
    said = schema.get("type")
    if isinstance(said, list):
        said = next((one for one in said if one != "null"), "null")
    if isinstance(said, str):
        return said
    return "object" if "properties" in schema else "array" if "items" in schema else ""


def _text(schema: Mapping[str, Any]) -> str | None:
    """Of a pattern that is not understood nothing is made up: what does not match it would only be refused."""
    least, most = _count(schema.get("minLength"), 0), _count(schema.get("maxLength"), MAX_TEXT_CHARS)
    known = _TEXTS.get(str(schema.get("format")))
    pattern = schema.get("pattern")
    if known is None and isinstance(pattern, str):
        text = text_for(pattern, least)
        return text if text is not None and len(text) <= most else None
    if known is not None:
        return known
    return "a" * min(max(least, 1), most, MAX_TEXT_CHARS)


def _number(schema: Mapping[str, Any], step: float) -> float | None:
    """The multiple in the allowed range that is nearest to 1 from above, else the range's end."""
    exclusive = [schema.get(name) for name in ("exclusiveMinimum", "exclusiveMaximum")]
    low, high = _bound(schema.get("minimum"), -math.inf), _bound(schema.get("maximum"), math.inf)
    low = max(low, _bound(exclusive[0], -math.inf) + step) if exclusive[0] is not True else low + step
    high = min(high, _bound(exclusive[1], math.inf) - step) if exclusive[1] is not True else high - step
    value = min(max(1.0, low), high)
    multiple = _bound(schema.get("multipleOf"), 0.0)
    if multiple > 0 and math.isfinite(value / multiple):
        value = math.ceil(value / multiple) * multiple
    if not low <= value <= high or not math.isfinite(value):
        return None
    return int(value) if float(value).is_integer() else value


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _bound(value: Any, otherwise: float) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return otherwise
    try:
        return float(value)
    except OverflowError:
        return otherwise


def _count(value: Any, otherwise: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else otherwise
