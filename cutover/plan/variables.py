"""``${name}`` of what steps save while a run goes on: found in a plan's data, and filled in."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from typing import Any

from cutover.redact import redactor

JSON_KEY = "json"
REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def names_in(data: Any, names: Collection[str]) -> set[str]:
    """Which of ``names`` stand as ``${name}`` in the strings of JSON-like data."""
    if isinstance(data, str):
        return {name for name in REFERENCE.findall(data) if name in names} if "${" in data else set()
    if isinstance(data, Mapping):
        return {name for value in data.values() for name in names_in(value, names)}
    if isinstance(data, list | tuple):
        return {name for item in data for name in names_in(item, names)}
    return set()


def fill(data: Any, values: Mapping[str, Any], *, in_json: bool = False) -> Any:
    """The data with each ``${name}`` of ``values`` replaced, once: what comes from a value is not read again.

    Below a key ``json`` (or ``in_json``) a string that is nothing but ``${name}`` becomes the value with its own type;
    elsewhere, and within longer strings, it becomes its text.
    """
    if isinstance(data, str):
        return _filled(data, values, typed=in_json)
    if isinstance(data, Mapping):
        return {key: fill(value, values, in_json=in_json or key == JSON_KEY) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [fill(item, values, in_json=in_json) for item in data]
    return data


def _filled(text: str, values: Mapping[str, Any], *, typed: bool) -> Any:
    if "${" not in text:
        return text
    whole = REFERENCE.fullmatch(text)
    if typed and whole is not None and whole[1] in values:
        return values[whole[1]]
    return REFERENCE.sub(lambda found: as_text(values[found[1]]) if found[1] in values else found[0], text)


def as_text(value: Any) -> str:
    """A value as it stands in a text: numbers, and true and false, are spelled as in JSON."""
    return value if isinstance(value, str) else json.dumps(value)


def conceal(values: Mapping[str, Any]) -> None:
    """Take values out of everything that leaves this process, from now on."""
    for value in values.values():
        redactor.add(as_text(value))
