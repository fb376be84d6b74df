"""Whatever a document holds, comparing it ends soon, with a result or with a reason."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutover.openapi import changes
from cutover.openapi.changes import compare
from cutover.openapi.document import Document
from cutover.openapi.errors import MAX_SHOWN_CHARS, DocumentError
from cutover.openapi.example import example
from cutover.openapi.levels import LEVELS, Level
from cutover.openapi.patience import Patience, in_thread

LIMIT_S = 60
CHAIN = 1200


def document(schemas: Any, root: Any) -> Document:
    content = {"application/json": {"schema": root}}
    operation = {
        "parameters": [{"name": "q", "in": "query", "schema": root}],
        "requestBody": {"content": content},
        "responses": {"200": {"content": content, "headers": {"X": {"schema": root}}}},
    }
    data = {"openapi": "3.1.0", "paths": {"/a": {"post": operation}}, "components": {"schemas": schemas}}
    return Document.parse(data, "hostile")


def ref(number: int) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/S{number}"}


def chain(link: Any, end: Any) -> Document:
    schemas = {f"S{number}": link(ref(number + 1)) for number in range(CHAIN)}
    return document({**schemas, f"S{CHAIN}": end}, ref(0))


LINKS = {
    "references": lambda inner: inner,
    "properties": lambda inner: {"properties": {"x": inner}, "required": ["x"]},
    "items": lambda inner: {"type": "array", "items": inner, "minItems": 1},
    "mappings": lambda inner: {"additionalProperties": inner},
    "parts": lambda inner: {"allOf": [inner, {"minLength": 1}]},
    "nulls": lambda inner: {"anyOf": [inner, {"type": "null"}]},
    "alternatives": lambda inner: {"anyOf": [inner, {"type": "array", "items": inner}]},
    "choices": lambda inner: {"oneOf": [{"properties": {"x": inner}}, {"properties": {"y": inner}}]},
}


@pytest.mark.parametrize("name", LINKS)
def test_long_chains_end_soon(name: str) -> None:
    started = time.monotonic()
    old, new = chain(LINKS[name], {"type": "string"}), chain(LINKS[name], {"type": "integer"})
    compare(old, new)
    example(old, ref(0))
    assert time.monotonic() - started < LIMIT_S


def woven(count: int, last: Any) -> Document:
    """Every schema uses every other one, in unions too."""
    schemas: dict[str, Any] = {
        f"S{number}": {
            "type": "object",
            "required": [f"p{other}" for other in range(count)],
            "properties": {
                f"p{other}": {
                    "anyOf": [ref(other), ref((other + number) % count), {"type": "array", "items": ref(other)}]
                }
                for other in range(count)
            },
        }
        for number in range(count)
    }
    schemas["S0"]["properties"]["own"] = last
    return document(schemas, ref(1))


def test_schemas_that_all_use_each_other_are_compared_soon() -> None:
    started = time.monotonic()
    old = woven(12, {"type": "string"})
    assert compare(old, woven(12, {"type": "string"})) == []
    found = compare(old, woven(12, {"type": "integer"}))
    breaking = {change.id for change in found if change.level is Level.BREAKING}
    assert breaking == {"request-type-changed", "response-type-changed"}
    example(old, ref(1))
    assert time.monotonic() - started < LIMIT_S


def test_too_many_changes_are_not_told_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "MAX_CHANGES", 1)
    with pytest.raises(DocumentError, match="more than 1 changes"):
        compare(woven(3, {"type": "string"}), woven(3, {"type": "integer"}))


def test_comparing_ends_when_its_time_is_over() -> None:
    documents = woven(12, {"type": "string"}), woven(12, {"type": "integer"})
    with pytest.raises(DocumentError, match="not done with it in 0s"):
        compare(*documents, patience=Patience(0.0, "hostile"))


async def test_comparing_ends_soon_when_nobody_waits_any_more() -> None:
    """Else a command that is interrupted would hang until its threads are done."""
    started, ended = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def endless(patience: Patience) -> None:
        loop.call_soon_threadsafe(started.set)
        try:
            while True:
                patience.spend()
        finally:
            ended.set()

    task = asyncio.create_task(in_thread(endless, LIMIT_S, "hostile"))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(ended.wait, LIMIT_S)


def test_what_is_shown_is_short_and_steers_no_terminal() -> None:
    odd = "\x1b[2J\u202e\n" + "x" * 100_000
    (*_, change) = compare(document({}, {"properties": {odd: {"type": "string"}}}), document({}, {"type": "object"}))
    for text in (change.where, change.message, change.operation, str(change)):
        assert text.isprintable()
        assert len(text) < 4 * MAX_SHOWN_CHARS
    with pytest.raises(DocumentError) as error:
        Document.parse({"openapi": "3.1.0", "paths": {odd: {}}}, "hostile")
    assert error.value.message.isprintable()


KEYWORDS = (
    "type", "enum", "const", "properties", "required", "items", "prefixItems", "additionalProperties", "allOf", "anyOf",
    "oneOf", "not", "format", "pattern", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength",
    "maxLength", "minItems", "maxItems", "multipleOf", "nullable", "readOnly", "writeOnly", "default", "example",
    "examples", "$ref", "unevaluatedProperties", "contentMediaType", "contentEncoding", "discriminator",
)  # fmt: skip
ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.just(10**400),
    st.sampled_from(["", "null", "string", "array", "\ud800"]),
    st.sampled_from(["#/components/schemas/X", "#", "#/paths/~1a/post", "elsewhere"]),
)  # fmt: skip
WRONG = st.recursive(
    ODD,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYWORDS), inner, max_size=4),
    max_leaves=12,
)


@given(one=WRONG, other=WRONG, component=WRONG)
def test_schemas_of_wrong_types_everywhere_are_compared(one: Any, other: Any, component: Any) -> None:
    try:
        old, new = document({"X": component}, one), document({"X": component}, other)
    except DocumentError:
        return
    assert {change.id for change in compare(old, new)} <= set(LEVELS)
    assert {change.id for change in compare(old, old)} <= {"reference-not-followed", "schema-not-understood"}
    example(old, one)
