"""What an operation is asked with: its required parameters always, optional ones one at a time."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from cutover.openapi.document import Document
from cutover.openapi.example import example
from cutover.openapi.operations import Operation, Parameter
from cutover.parity.sources.credentials import is_secret_header, is_secret_parameter
from cutover.parity.sources.listing import kind_of

MAX_VARIANTS = 12
"""Of an operation, beside the request with what is required alone."""

MAX_VALUES = 4
"""Of a parameter."""

MAX_VALUE_CHARS = 1000
EVENT_STREAM = "text/event-stream"
_IN_VALUES = ",:/@!$'()*-._~"
_ALTERNATIVES = ("anyOf", "oneOf", "allOf")
_MAX_LEVELS = 5
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_DELIMITERS = {"spaceDelimited": "%20", "pipeDelimited": "|"}


class NotAskableError(Exception):
    """The operation can't be asked; the message says why."""


@dataclass(frozen=True, slots=True)
class Variant:
    """``query`` is encoded, without the question mark."""

    query: str = ""
    headers: tuple[tuple[str, str], ...] = ()


def variants(document: Document, operation: Operation) -> list[Variant]:
    """The request with what is required first, then at most ``MAX_VARIANTS`` others. Raises ``NotAskableError``."""
    _refuse(operation)
    required: dict[str, tuple[Parameter, Any]] = {}
    others: list[tuple[int, Parameter, Any]] = []
    for parameter in operation.parameters:
        if parameter.location not in {"query", "header"}:
            continue
        if parameter.location == "header" and not (parameter.required and HEADER_NAME.fullmatch(parameter.name)):
            continue
        if _is_secret(parameter):
            if parameter.required and parameter.location == "query":
                raise NotAskableError(f"its parameter {parameter.name} is a credential: list a request")
            continue
        values, described = values_of(document, parameter)
        # Each parameter once, those first of which the document names a value; then further values.
        turns = list(enumerate(values, 0 if described else 1))
        if parameter.required:
            if not values:
                raise NotAskableError(f"no value is known for its parameter {parameter.name}")
            required[parameter.name] = (parameter, values[0])
            turns = turns[1:]
        others += [(turn, parameter, value) for turn, value in turns]
    base = list(required.values())
    others.sort(key=lambda other: other[0])
    changed = [[*_without(base, parameter), (parameter, value)] for _, parameter, value in others[:MAX_VARIANTS]]
    return list(dict.fromkeys(_variant(chosen) for chosen in [base, *changed]))


def _refuse(operation: Operation) -> None:
    if operation.body is not None and operation.body.required:
        raise NotAskableError("needs a body: list a request")
    given = [media for reply in operation.replies if reply.success for media in reply.media]
    if given and all(media.startswith(EVENT_STREAM) for media in given):
        raise NotAskableError("a stream of events, which never ends")


def values_of(document: Document, parameter: Parameter) -> tuple[list[Any], bool]:
    """A few values, and whether the document names them itself: examples, enums, defaults, true and false."""
    schema = plain_schema(document, parameter.schema)
    found = [*parameter.examples]
    found += schema["examples"] if isinstance(schema.get("examples"), list) else []
    found += [schema[name] for name in ("example", "const", "default") if name in schema]
    for listed in (schema, plain_schema(document, schema.get("items"))):
        values = listed.get("enum")
        found += values if isinstance(values, list) else []
    if kind_of(schema) == "boolean":
        found += [True, False]
    described = [value for value in found if value is not None and _fits(parameter, value)]
    if described:
        return _once(described)[:MAX_VALUES], True
    made = example(document, parameter.schema)
    return ([made] if made is not None and _fits(parameter, made) else []), False


def plain_schema(document: Document, schema: Any) -> dict[str, Any]:
    """The schema itself where it is one of a single alternative, beside null: FastAPI's way to say optional."""
    resolved = document.resolve(schema)
    for _ in range(_MAX_LEVELS):
        alternatives = (resolved[name] for name in _ALTERNATIVES if isinstance(resolved.get(name), list))
        listed: list[Any] = next(alternatives, [])
        inner = [one for one in map(document.resolve, listed) if one.get("type") != "null"]
        if len(inner) != 1:
            break
        resolved = {**inner[0], **{name: value for name, value in resolved.items() if name not in _ALTERNATIVES}}
    return resolved


def _once(values: list[Any]) -> list[Any]:
    return list({json.dumps(value, sort_keys=True, default=str): value for value in values}.values())


def _fits(parameter: Parameter, value: Any) -> bool:
    return len(_header(value) if parameter.location == "header" else _query(parameter, value)) <= MAX_VALUE_CHARS


def _is_secret(parameter: Parameter) -> bool:
    if parameter.location == "header":
        return is_secret_header(parameter.name)
    return is_secret_parameter(parameter.name, "")


def _without(chosen: list[tuple[Parameter, Any]], parameter: Parameter) -> list[tuple[Parameter, Any]]:
    return [(one, value) for one, value in chosen if one.name != parameter.name]


def _variant(chosen: list[tuple[Parameter, Any]]) -> Variant:
    pieces = [_query(one, value) for one, value in chosen if one.location == "query"]
    headers = tuple((one.name, _header(value)) for one, value in chosen if one.location == "header")
    return Variant("&".join(piece for piece in pieces if piece), headers)


def _header(value: Any) -> str:
    text = ",".join(map(_text, value)) if isinstance(value, list) else _text(value)
    return text if text.isascii() and text.isprintable() else quote(text.encode("utf-8", "surrogatepass"))


def _query(parameter: Parameter, value: Any) -> str:
    """A parameter as its style says: ``a=1&a=2``, ``a=1,2``, ``a[b]=1``."""
    name = quote(parameter.name.encode("utf-8", "surrogatepass"), safe="[]$-._~")
    return "&".join(f"{key}={text}" if key else text for key, text in _pairs(parameter, name, value))


def _pairs(parameter: Parameter, name: str, value: Any) -> Iterator[tuple[str, str]]:
    if parameter.media_type or not isinstance(value, list | dict):
        yield name, _quoted(value)
    elif isinstance(value, dict) and parameter.style == "deepObject":
        yield from ((f"{name}[{_quoted(key)}]", _quoted(inner)) for key, inner in value.items())
    elif isinstance(value, dict) and parameter.explode:
        yield from ((_quoted(key), _quoted(inner)) for key, inner in value.items())
    elif isinstance(value, dict):
        yield name, ",".join(_quoted(part) for pair in value.items() for part in pair)
    elif parameter.explode:
        yield from ((name, _quoted(item)) for item in value)
    else:
        yield name, _DELIMITERS.get(parameter.style, ",").join(map(_quoted, value))


def _quoted(value: Any) -> str:
    return quote(_text(value).encode("utf-8", "surrogatepass"), safe=_IN_VALUES)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
