"""Schemas that are written wrongly: what they say is not known, so that no two of them are taken for equal."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from cutover.openapi.keywords import NULL, TYPES

_MAX_SHOWN = 40


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _flag_or_number(value: Any) -> bool:
    return isinstance(value, int | float)


def _mapping(value: Any) -> bool:
    return isinstance(value, dict)


def _list(value: Any) -> bool:
    return isinstance(value, list)


def _schema(value: Any) -> bool:
    return isinstance(value, dict | bool)


def _names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _lists_of_names(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_names, value.values()))


def _types(value: Any) -> bool:
    return all(
        isinstance(one, str) and one in {*TYPES, NULL} for one in (value if isinstance(value, list) else [value])
    )


_EXPECTED: dict[str, Callable[[Any], bool]] = {
    "type": _types,
    "required": _names,
    "properties": _mapping,
    "dependentRequired": _lists_of_names,
    **dict.fromkeys(("items", "additionalProperties"), _schema),
    **dict.fromkeys(("allOf", "anyOf", "oneOf", "enum", "prefixItems"), _list),
    **dict.fromkeys(("format", "pattern"), _text),
    **dict.fromkeys(("exclusiveMinimum", "exclusiveMaximum"), _flag_or_number),
    **dict.fromkeys(
        ("minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"),
        _number,
    ),
}


def not_understood(schema: Any) -> str:
    """``type is 5``: what is wrong in a schema itself, for people; empty where nothing is."""
    if not isinstance(schema, dict):
        return "" if schema is None or isinstance(schema, bool) else f"it is {_shown(schema)}"
    wrong = [key for key, value in schema.items() if (fits := _EXPECTED.get(key)) is not None and not fits(value)]
    return ", ".join(f"{key} is {_shown(schema[key])}" for key in wrong)


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 3] + "..."
