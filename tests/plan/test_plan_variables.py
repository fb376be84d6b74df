"""Saved values filled into a plan's data: once, and with their types below ``json``."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutover.plan.variables import fill, names_in

VALUES: dict[str, Any] = {"token": "abc", "id": 7, "flag": True, "ratio": 0.5, "tricky": "${id}", "odd": "../a b?x=1&y"}


def test_names_are_found_in_every_string_and_only_those_asked_for() -> None:
    data = {
        "path": "/${id}",
        "headers": {"A": "Bearer ${token}"},
        "list": [{"x": "${flag}${none}"}],
        "n": 1,
        "${id}": 2,
    }
    assert names_in(data, VALUES) == {"id", "token", "flag"}
    assert names_in(data, {"none"}) == {"none"}
    assert names_in({"a": "${id:-1} $id {id} $${"}, VALUES) == set()


@pytest.mark.parametrize(
    ("data", "filled"),
    [
        ("/items/${id}", "/items/7"),
        ("${token}${id}${flag}${ratio}", "abc7true0.5"),
        ("${id}", "7"),
        ({"json": {"id": "${id}", "all": ["${flag}", {"deep": "${ratio}"}], "text": "no ${id}"}},
         {"json": {"id": 7, "all": [True, {"deep": 0.5}], "text": "no 7"}}),
        ({"json": "${id}", "body": "${id}"}, {"json": 7, "body": "7"}),
        ([{"headers": {"X": "${id}"}}], [{"headers": {"X": "7"}}]),
        (
            {"path": "/items/${odd}?of=${id}", "requests": ["GET /items/${odd}"], "body": "${odd}"},
            {
                "path": "/items/..%2Fa%20b%3Fx%3D1%26y?of=7",
                "requests": ["GET /items/..%2Fa%20b%3Fx%3D1%26y"],
                "body": "../a b?x=1&y",
            },
        ),
        ({"json": {"path": "${odd}", "lines": ["GET /${odd}"]}, "run": ["a", "${odd}"]},
         {"json": {"path": "../a b?x=1&y", "lines": ["GET /../a b?x=1&y"]}, "run": ["a", "../a b?x=1&y"]}),
        ("${other} ${id:-x}", "${other} ${id:-x}"),
        ({"${id}": None, "n": 1.5, "b": False}, {"${id}": None, "n": 1.5, "b": False}),
    ],
)  # fmt: skip
def test_a_reference_becomes_the_value_as_text_and_below_json_with_its_type(data: Any, filled: Any) -> None:
    assert fill(data, VALUES) == filled


def test_what_a_value_holds_is_not_read_again() -> None:
    assert fill("${tricky}/${id}", VALUES) == "${id}/7"
    assert fill({"json": ["${tricky}"]}, VALUES) == {"json": ["${id}"]}


@given(
    st.recursive(
        st.text() | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_data_without_references_is_unchanged(data: Any) -> None:
    if not names_in(data, VALUES):
        assert fill(data, VALUES) == data
