"""A value from a schema: what the document names itself, else the simplest that the schema allows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from cutover.openapi.document import Document

MAX_DEPTH = 8
MAX_ITEMS = 3
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
}


def example(document: Document, schema: Any) -> Any:
    """The same value every time; ``None`` where nothing is said of it, or where it goes around in a circle."""
    return _value(document, schema, 0)


def _value(document: Document, schema: Any, depth: int) -> Any:
    if not isinstance(schema, Mapping) or depth > MAX_DEPTH:
        return None
    resolved = document.resolve(schema)
    examples = resolved.get("examples")
    if isinstance(examples, list) and examples:
        return examples[0]
    for name in ("example", "const", "default"):
        if name in resolved:
            return resolved[name]
    choices = resolved.get("enum")
    if isinstance(choices, list) and choices:
        return choices[0]
    for name in ("oneOf", "anyOf"):
        if (chosen := _first_choice(document, resolved.get(name), depth)) is not None:
            return chosen
    return _of_type(document, _with_parts(document, resolved), depth)


def _first_choice(document: Document, choices: Any, depth: int) -> Any:
    """Of alternatives the first that gives a value; null is one of last resort."""
    values = (_value(document, choice, depth + 1) for choice in choices) if isinstance(choices, list) else ()
    return next((value for value in values if value is not None), None)


def _with_parts(document: Document, schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema with those under ``allOf`` in it."""
    whole = dict(schema)
    for part in _list(schema.get("allOf")):
        inner = document.resolve(part) if isinstance(part, Mapping) else {}
        properties = {**_mapping(inner.get("properties")), **_mapping(whole.get("properties"))}
        required = [*_list(inner.get("required")), *_list(whole.get("required"))]
        whole = {**inner, **whole, "required": required}
        if properties:
            whole["properties"] = properties
    return whole


def _of_type(document: Document, schema: Mapping[str, Any], depth: int) -> Any:
    made: Mapping[str, Callable[[], Any]] = {
        "string": lambda: _text(schema),
        "integer": lambda: _number(schema, step=1),
        "number": lambda: _number(schema, step=0.5),
        "boolean": lambda: True,
        "array": lambda: _items(document, schema, depth),
        "object": lambda: _members(document, schema, depth),
    }
    return made.get(_type(schema), lambda: None)()


def _type(schema: Mapping[str, Any]) -> str:
    said = schema.get("type")
    if isinstance(said, list):
        said = next((one for one in said if one != "null"), "null")
    if isinstance(said, str):
        return said
    return "object" if "properties" in schema else "array" if "items" in schema else ""


def _text(schema: Mapping[str, Any]) -> str | None:
    """Of a pattern nothing is made up: a text that does not match it would only be refused."""
    if "pattern" in schema:
        return None
    known = _TEXTS.get(str(schema.get("format")))
    if known is not None:
        return known
    least, most = _count(schema.get("minLength"), 1), _count(schema.get("maxLength"), 1000)
    return "a" * min(max(least, 1), most)


def _number(schema: Mapping[str, Any], step: float) -> float | None:
    """The multiple in the allowed range that is nearest to 1 from above, else the range's end."""
    exclusive = [schema.get(name) for name in ("exclusiveMinimum", "exclusiveMaximum")]
    low, high = _bound(schema.get("minimum"), -math.inf), _bound(schema.get("maximum"), math.inf)
    low = max(low, _bound(exclusive[0], -math.inf) + step) if exclusive[0] is not True else low + step
    high = min(high, _bound(exclusive[1], math.inf) - step) if exclusive[1] is not True else high - step
    value = min(max(1.0, low), high)
    multiple = _bound(schema.get("multipleOf"), 0.0)
    if multiple > 0:
        value = math.ceil(value / multiple) * multiple
    if not low <= value <= high:
        return None
    return int(value) if float(value).is_integer() else value


def _items(document: Document, schema: Mapping[str, Any], depth: int) -> list[Any] | None:
    one = _value(document, schema.get("items"), depth + 1)
    count = min(max(_count(schema.get("minItems"), 1), 1), MAX_ITEMS)
    return None if one is None else [one] * count


def _members(document: Document, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
    """What is required."""
    properties = _mapping(schema.get("properties"))
    required = set(map(str, _list(schema.get("required"))))
    return {name: _value(document, properties.get(name), depth + 1) for name in properties if name in required}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list) else ()


def _bound(value: Any, otherwise: float) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else otherwise


def _count(value: Any, otherwise: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else otherwise
