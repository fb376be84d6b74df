"""``${name}`` of what steps save while a run goes on: found in a plan's data, and filled in."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import quote

from cutover.redact import redactor

JSON_KEY = "json"
PATH_KEY = "path"
REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_LINE = re.compile(r"[A-Z]+ /")


def names_in(data: Any, names: Collection[str]) -> set[str]:
    """Which of ``names`` stand as ``${name}`` in the strings of JSON-like data."""
    if isinstance(data, str):
        return {name for name in REFERENCE.findall(data) if name in names} if "${" in data else set()
    if isinstance(data, Mapping):
        return {name for value in data.values() for name in names_in(value, names)}
    if isinstance(data, list | tuple):
        return {name for item in data for name in names_in(item, names)}
    return set()


def fill(data: Any, values: Mapping[str, Any], *, key: str = "") -> Any:
    """The data with each ``${name}`` of ``values`` replaced, once: what comes from a value is not read again.

    Below a key ``json`` a string that is nothing but ``${name}`` becomes the value with its own type; elsewhere, and
    within longer strings, it becomes its text. In a ``path``, and in a request of one line, that is percent-encoded: no
    value leads to another path than the plan's. ``key`` is the one under which the data stands.
    """
    if isinstance(data, str):
        return _filled(data, values, key)
    if isinstance(data, Mapping):
        return {name: fill(value, values, key=key if key == JSON_KEY else name) for name, value in data.items()}
    if isinstance(data, list | tuple):
        return [fill(item, values, key=_key_of(item, key)) for item in data]
    return data


def _key_of(item: Any, key: str) -> str:
    line = key != JSON_KEY and isinstance(item, str) and _LINE.match(item)
    return PATH_KEY if line else key


def _filled(text: str, values: Mapping[str, Any], key: str) -> Any:
    if "${" not in text:
        return text
    whole = REFERENCE.fullmatch(text)
    if key == JSON_KEY and whole is not None and whole[1] in values:
        return values[whole[1]]

    def value(found: re.Match[str]) -> str:
        if found[1] not in values:
            return found[0]
        spelled = as_text(values[found[1]])
        return quote(spelled, safe="") if key == PATH_KEY else spelled

    return REFERENCE.sub(value, text)


def as_text(value: Any) -> str:
    """A value as it stands in a text: numbers, and true and false, are spelled as in JSON."""
    return value if isinstance(value, str) else json.dumps(value)


def conceal(values: Mapping[str, Any]) -> None:
    """Take values out of everything that leaves this process, from now on."""
    for value in values.values():
        redactor.add(as_text(value))
