"""A value for a parameter of which the document gives no example."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from cutover.openapi.document import Document
from cutover.openapi.example import example


def document(schemas: dict[str, Any] | None = None) -> Document:
    data = {
        "openapi": "3.1.0", "info": {"title": "x", "version": "1"}, "paths": {},
        "components": {"schemas": schemas or {}},
    }  # fmt: skip
    return Document.parse(data, "x.json")


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string", "example": "CT"}, "CT"),
        ({"type": "string", "examples": ["MR", "CT"]}, "MR"),
        ({"type": "string", "default": "d"}, "d"),
        ({"const": 7}, 7),
        ({"enum": ["a", "b"]}, "a"),
        ({"type": "integer"}, 1),
        ({"type": "integer", "minimum": 10}, 10),
        ({"type": "integer", "maximum": 0}, 0),
        ({"type": "integer", "exclusiveMinimum": 4}, 5),
        ({"type": "integer", "minimum": 4, "exclusiveMinimum": True}, 5),
        ({"type": "integer", "multipleOf": 5}, 5),
        ({"type": "integer", "minimum": 2, "maximum": 1}, None),
        ({"type": "number", "exclusiveMaximum": 1}, 0.5),
        ({"type": "boolean"}, True),
        ({"type": "string", "format": "date"}, "2026-01-15"),
        ({"type": "string", "minLength": 3}, "aaa"),
        ({"type": "string", "pattern": "^[A-Z]{3}$"}, None),
        ({"type": ["null", "integer"]}, 1),
        ({"anyOf": [{"type": "null"}, {"type": "integer", "minimum": 3}]}, 3),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 2}, [1, 1]),
        ({"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}, "b": {}}}, {"a": 1}),
        ({"allOf": [{"type": "object", "properties": {"a": {"const": 1}}}, {"required": ["a"]}]}, {"a": 1}),
        ({}, None),
        (True, None),
        ("string", None),
    ],
)
def test_the_document_is_taken_at_its_word(schema: Any, value: Any) -> None:
    assert example(document(), schema) == value


def test_a_schema_that_goes_around_in_a_circle_ends() -> None:
    node = {"type": "object", "required": ["next"], "properties": {"next": {"$ref": "#/components/schemas/Node"}}}
    assert "next" in example(document({"Node": node}), {"$ref": "#/components/schemas/Node"})


schemas = st.one_of(
    st.builds(
        lambda low, span: {"type": "integer", "minimum": low, "maximum": low + span},
        st.integers(-1000, 1000), st.integers(0, 50),
    ),
    st.builds(
        lambda least, span: {"type": "string", "minLength": least, "maxLength": least + span},
        st.integers(0, 9), st.integers(1, 9),
    ),
    st.builds(lambda values: {"enum": values}, st.lists(st.integers() | st.text(), min_size=1)),
)  # fmt: skip


@given(st.dictionaries(st.text("abc", min_size=1), schemas, max_size=4))
def test_what_is_made_up_is_what_the_schema_allows(properties: dict[str, Any]) -> None:
    schema = {"type": "object", "required": sorted(properties), "properties": properties}
    Draft202012Validator(schema).validate(example(document(), schema))
