"""What the keywords of one schema say of its type, its values and its format."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from typing import Any

NULL = "null"
TYPES = ("string", "integer", "number", "boolean", "object", "array")

_IMPLIED = {
    "object": ("properties", "additionalProperties", "required", "minProperties", "maxProperties"),
    "array": ("items", "prefixItems", "minItems", "maxItems", "uniqueItems"),
}
# They say how wide a number is or how a text is shown, and not which values there are.
_FORMATS_WITHOUT_MEANING = frozenset({"float", "double", "password", "textarea", "string", "number", "integer", ""})
_SAME_FORMATS = {"url": "uri", "datetime": "date-time", "guid": "uuid", "ip": "ipv4"}


def canonical(value: Any) -> str:
    """A JSON value as text, the same for the same value: 1 and 1.0 are one."""
    if isinstance(value, float) and math.isfinite(value) and value == int(value):
        value = int(value)
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def enumerated(keywords: dict[str, Any]) -> tuple[str, ...] | None:
    if "const" in keywords:
        return tuple(canonical(value) for value in (keywords["const"],) if value is not None)
    enum = keywords.get("enum")
    if not isinstance(enum, list):
        return None
    return tuple(canonical(value) for value in enum if value is not None)


def types_of(keywords: dict[str, Any], values: tuple[str, ...] | None) -> frozenset[str] | None:
    """The types named, or else those that the other keywords are about."""
    if keywords.get("not") == {}:
        return frozenset()
    kind = keywords.get("type")
    named = kind if isinstance(kind, list) else [kind]
    known = {name for name in named if isinstance(name, str) and name in TYPES}
    if known or NULL in named:
        return frozenset(known - {"integer"} if "number" in known else known)
    if values:
        return frozenset(_type_of(json.loads(value)) for value in values)
    implied = [name for name, keys in _IMPLIED.items() if any(key in keywords for key in keys)]
    return frozenset(implied) or None


def _type_of(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    names = {str: "string", int: "integer", float: "number", dict: "object"}
    return names.get(type(value), "array")


def common_types(listed: Iterable[frozenset[str] | None]) -> frozenset[str] | None:
    common: frozenset[str] | None = None
    for types in listed:
        if common is None:
            common = types
        elif types is not None:
            both = common & types
            whole = "integer" in common | types and "number" in common | types and "number" not in both
            common = both | {"integer"} if whole else both
    return common


def format_of(keywords: list[dict[str, Any]], said: str) -> str:
    name = _SAME_FORMATS.get(said.lower(), said.lower())
    if name in _FORMATS_WITHOUT_MEANING:
        for k in keywords:
            if k.get("contentMediaType") == "application/octet-stream" and "contentEncoding" not in k:
                return "binary"
            if k.get("contentEncoding") == "base64":
                return "byte"
        return ""
    return name


def discriminator_of(keywords: dict[str, Any]) -> str:
    """The property that tells alternatives apart; empty where none is named."""
    discriminator = keywords.get("discriminator")
    name = discriminator.get("propertyName") if isinstance(discriminator, dict) else None
    return name if isinstance(name, str) else ""


def dependent_of(keywords: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Each property with one that must be there if it is."""
    for key in ("dependentRequired", "dependencies"):
        listed = keywords.get(key)
        for name, needed in listed.items() if isinstance(listed, dict) else ():
            yield from ((name, one) for one in (needed if isinstance(needed, list) else ()) if isinstance(one, str))
