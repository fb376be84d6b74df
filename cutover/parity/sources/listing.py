"""The items of a list's answer, and the ids that they hold."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from cutover.parity.answers import Answer, Failure
from cutover.parity.sources.naming import ENVELOPES, fields_for, forms, member, words

MAX_LIST_BYTES = 4 * 1024 * 1024
"""Of an answer that is looked into: parsing holds the event loop, in whichever thread it happens."""

MAX_ITEMS = 50
MAX_ID_CHARS = 200
_SUCCESS = 2
_MAX_LEVELS = 3

_TYPES = {
    "integer": re.compile(r"-?\d{1,30}"),
    "number": re.compile(r"-?\d{1,30}(?:\.\d{1,30})?"),
    "boolean": re.compile(r"true|false"),
}
_UUID = re.compile(r"[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}")


def document_of(answer: Answer | Failure) -> tuple[Any, str]:
    """The JSON of an answer, or None and why there is none."""
    import orjson  # noqa: PLC0415 - start-up time

    if isinstance(answer, Failure):
        return None, f"gave no answer ({answer.reason})"
    if answer.status // 100 != _SUCCESS:
        return None, f"answered {answer.status}"
    if len(answer.body) > MAX_LIST_BYTES:
        return None, f"answered more than {MAX_LIST_BYTES // 1024**2} MB"
    try:
        return orjson.loads(answer.body), ""
    except ValueError:
        return None, "answered no JSON"


def items_of(document: Any, noun: str, level: int = 0) -> list[Any]:
    """The first items of a list, also in an envelope: under the noun, ``results``, ``items``..., or the only list."""
    if isinstance(document, list):
        return document[:MAX_ITEMS]
    if not isinstance(document, dict) or level >= _MAX_LEVELS:
        return []
    wanted = [*forms("".join(words(noun))), *ENVELOPES]
    by_name = {"".join(words(str(name))): value for name, value in reversed(document.items())}
    for name in wanted:
        if isinstance(by_name.get(name), list | dict) and (items := items_of(by_name[name], noun, level + 1)):
            return items
    lists = [value for value in document.values() if isinstance(value, list) and value]
    return lists[0][:MAX_ITEMS] if len(lists) == 1 else []


def slim(items: list[Any]) -> list[Any]:
    """The items with what could be an id alone."""
    return [_slim(item) if isinstance(item, dict) else item for item in items if isinstance(item, dict | str | int)]


def _slim(item: dict[str, Any]) -> dict[str, Any]:
    kept = ((name, value) for name, value in item.items() if isinstance(value, str | int))
    return {name: value for name, value in kept if len(name) <= MAX_ID_CHARS and len(str(value)) <= MAX_ID_CHARS}


def ids_in(items: list[Any], variable: str, noun: str, schema: Mapping[str, Any], *, direct: bool) -> list[str]:
    """Values of the member that names the variable best and fits its schema, each once."""
    if direct and items and all(_fitting(item, schema) for item in items):
        return _once(_fitting(item, schema) for item in items)
    objects = [item for item in items if isinstance(item, dict)]
    for wanted in fields_for(variable, noun, direct=direct):
        if found := _once(_ids(objects, wanted, schema)):
            return found
    return []


def _ids(objects: list[dict[str, Any]], wanted: str, schema: Mapping[str, Any]) -> Iterator[str]:
    for item in objects:
        name = member(item, wanted)
        if name is not None:
            yield _fitting(item[name], schema)


def _fitting(value: Any, schema: Mapping[str, Any]) -> str:
    """An id that is one of the schema's; empty for what is none."""
    text = as_id(value)
    pattern = _UUID if schema.get("format") == "uuid" else _TYPES.get(kind_of(schema))
    return text if pattern is None or pattern.fullmatch(text) else ""


def as_id(value: Any) -> str:
    """A value as it stands in a path, not yet quoted; empty where it can't stand there."""
    if not isinstance(value, str | int) or isinstance(value, bool):
        return ""
    text = str(value)
    return text if text.strip() and len(text) <= MAX_ID_CHARS and text not in {".", ".."} else ""


def kind_of(schema: Mapping[str, Any]) -> str:
    """The type of a schema, without null; empty where it says none or several."""
    kinds = schema.get("type")
    plain = [kind for kind in (kinds if isinstance(kinds, list) else [kinds]) if isinstance(kind, str)]
    plain = [kind for kind in plain if kind != "null"]
    return plain[0] if len(plain) == 1 else ""


def _once(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(value for value in values if value))
