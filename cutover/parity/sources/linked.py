"""OpenAPI's links: which answer of which operation gives another one's parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from cutover.openapi.document import Document
from cutover.openapi.operations import Operation
from cutover.parity.sources.listing import as_id

_BODY = "$response.body#"
_PATH = "$request.path."
_FIRST_ITEMS = 3


@dataclass(frozen=True, slots=True)
class LinkedFrom:
    """``values`` are expressions by the names of path parameters."""

    operation: Operation
    values: Mapping[str, str]


def linked_from(document: Document) -> dict[str, list[LinkedFrom]]:
    """Links in answers to GET, by the keys of the operations that they lead to."""
    by_id = {one.id: one for one in document.operations if one.id}
    by_pointer = {one.pointer: one for one in document.operations}
    found: dict[str, list[LinkedFrom]] = {}
    for source in document.operations:
        for link in _links(source):
            ref = str(link.get("operationRef", "")).removeprefix("#")
            target = by_id.get(str(link.get("operationId", ""))) or by_pointer.get(ref) or by_pointer.get(unquote(ref))
            parameters = link.get("parameters")
            if target is not None and isinstance(parameters, dict):
                values = {str(name).removeprefix("path."): str(value) for name, value in parameters.items()}
                found.setdefault(target.key, []).append(LinkedFrom(source, values))
    return found


def _links(source: Operation) -> Iterator[Mapping[str, Any]]:
    if source.method == "GET":
        for reply in source.replies:
            if reply.success:
                yield from reply.links.values()


def value_at(expression: str, document: Any, bindings: Mapping[str, str]) -> list[str]:
    """What a link's expression gives; one that names an item of a list gives those of the first few."""
    expression = expression.strip().removeprefix("{").removesuffix("}")
    if expression.startswith(_PATH):
        value = bindings.get(expression.removeprefix(_PATH))
        return [value] if value else []
    if expression.startswith(_BODY):
        parts = [part.replace("~1", "/").replace("~0", "~") for part in expression.removeprefix(_BODY).split("/")[1:]]
        return [text for value in _values(document, parts) if (text := as_id(value))]
    constant = "" if expression.startswith("$") else as_id(expression)
    return [constant] if constant else []


def _values(node: Any, parts: list[str]) -> Iterator[Any]:
    if not parts:
        yield node
    elif isinstance(node, dict) and parts[0] in node:
        yield from _values(node[parts[0]], parts[1:])
    elif isinstance(node, list) and parts[0].isascii() and parts[0].isdecimal():
        first = int(parts[0][:9])
        for item in node[first : first + _FIRST_ITEMS]:
            yield from _values(item, parts[1:])
