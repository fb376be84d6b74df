"""A value for a parameter of which the document gives no example."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from cutover.openapi.document import Document
from cutover.openapi.example import example
from cutover.openapi.patterns import text_for


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
        ({"type": "string", "pattern": "^[A-Z]{3}$"}, "AAA"),
        ({"type": "string", "pattern": "^[a-z]+$", "minLength": 4}, "aaaa"),
        ({"type": "string", "pattern": "^[a-z]{5}$", "maxLength": 4}, None),
        ({"type": "string", "pattern": "^(?!x)y$"}, None),
        ({"type": "string", "format": "date", "pattern": "^(?!x)y$"}, "2026-01-15"),
        ({"type": "integer", "default": None}, 1),
        ({"enum": [None, "a"]}, "a"),
        ({"type": "integer", "minimum": 10**400}, 1),
        ({"type": "array", "prefixItems": [{"const": 1}, {"const": "x"}]}, [1, "x"]),
        ({"required": ["id", "a"], "properties": {"id": {"const": 1, "readOnly": True}, "a": {"const": 2}}}, {"a": 2}),
        ({"allOf": [{"allOf": [{"type": "integer"}]}, {"minimum": 5}]}, 5),
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


def test_schemas_that_use_each_other_everywhere_fill_no_memory() -> None:
    names = [f"S{number}" for number in range(40)]
    refs = {name: {"$ref": f"#/components/schemas/{name}"} for name in names}
    woven = {name: {"type": "object", "required": names, "properties": refs} for name in names}
    assert len(str(example(document(woven), refs["S0"]))) < 100_000


@pytest.mark.parametrize(
    "pattern",
    [
        r"^[A-Z]{3}$", r"^\d{4}-\d{2}$", r"^(CT|MR)$", r"^(?:ab?c*)+$", r"[-a-zA-Z0-9_]+", r"^\w+@\w+\.com$",
        r"^x{2,}$", r"\ba\b",
        r"^-?\d{0,6}(?:\.\d{0,2})?$", r"^(?P<year>\d{4})$", r"^[]a]$", r"^a|b$", r"^\S+\s\+$", "", r"^.{3,5}$",
        r"^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$", r"^a{1,3}?b$",
    ],
)  # fmt: skip
def test_a_text_is_what_its_pattern_describes(pattern: str) -> None:
    text = text_for(pattern)
    assert text is not None
    assert re.search(pattern, text)


@pytest.mark.parametrize(
    "pattern", [r"(?=a)", r"[^a]", r"\1", r"(a", "[a", "a)", "*", "\\", r"a{9999}", "(" * 5000, r"\p{L}"]
)
def test_of_a_pattern_that_is_not_understood_no_text_is_made_up(pattern: str) -> None:
    assert text_for(pattern) is None


@given(st.text(alphabet="ab[](){}|^$*+?.\\d1,-", max_size=12))
def test_any_pattern_gives_a_short_text_or_none(pattern: str) -> None:
    text = text_for(pattern, 3)
    assert text is None or len(text) < 10_000
