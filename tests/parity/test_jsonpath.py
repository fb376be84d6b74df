from __future__ import annotations

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from cutover.parity.jsonpath import compile_paths, lookup, member, parse_path


def matched(paths: list[str], *place: str | int) -> list[str]:
    state = compile_paths((parse_path(p), p) for p in paths)
    for step in place:
        state = state.name(step) if isinstance(step, str) else state.item(step)
    return sorted(state.found)


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("$", ()),
        ("$.a", ("a",)),
        ("$.a.b", ("a", "b")),
        ('$["a b"]', ("a b",)),
        ("$['a.b']", ("a.b",)),
        ('$["\\u00e9"]', ("é",)),
        ("$.a[*]", ("a", 3)),
        ("$.a[]", ("a", 0)),
        ("$[0].x", (0, "x")),
        ("$.*.x", ("any", "x")),
        ("$..etag", ("a", 1, "b", "etag")),
        ("..etag", ("etag",)),
        ("$.a..b.c", ("a", "x", 1, "b", "c")),
        ("$..a..b", ("a", "b", "a", 0, "b")),
    ],
)
def test_a_path_matches_its_place(path: str, place: tuple[str | int, ...]) -> None:
    assert matched([path], *place) == [path]


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("$.a", ()),
        ("$.a", ("ab",)),
        ("$.a", ("b", "a")),
        ("$.a", ("a", "a")),
        ("$.a", (0,)),
        ("$[0]", (1,)),
        ("$[*]", ("a",)),
        ("$.*", (0,)),
        ("$..b.c", ("b", "x", "c")),
        ("$.a[]", ("a",)),
    ],
)
def test_a_path_matches_no_other_place(path: str, place: tuple[str | int, ...]) -> None:
    assert matched([path], *place) == []


def test_paths_that_overlap_are_each_found() -> None:
    paths = ["$.a[*].b", "$.a[0].b", "..b", "$.a[1].b"]
    assert matched(paths, "a", 0, "b") == sorted(["$.a[*].b", "$.a[0].b", "..b"])


@pytest.mark.parametrize(
    "text",
    ["a", "", "$a", "$.", "$.a.", "$[", "$[a]", "$.a b", "$[-1]", "$..", "$[?(@.x)]", '$["a]', "$[0:2]", 1, None],
)
def test_what_is_no_path_is_a_mistake(text: Any) -> None:
    with pytest.raises(PydanticCustomError, match=r"not a path|quoted"):
        parse_path(text)


@given(st.lists(st.one_of(st.text(max_size=8), st.integers(0, 50)), max_size=6))
def test_the_path_of_a_finding_matches_where_it_was_found(place: list[str | int]) -> None:
    path = "$"
    for step in place:
        path = member(path, step) if isinstance(step, str) else f"{path}[]"
    assert matched([path], *place) == [path]


@given(st.dictionaries(st.text(string.printable, max_size=5), st.integers(), min_size=1))
def test_lookup_goes_where_the_path_says(document: dict[str, int]) -> None:
    name = next(iter(document))
    assert lookup({"a": [document]}, parse_path(member("$.a[0]", name))) == document[name]
    with pytest.raises(KeyError):
        lookup({"a": []}, parse_path("$.a[0]"))


def test_many_names_do_not_fill_the_memory() -> None:
    state = compile_paths([(parse_path("..x"), 1)])
    for number in range(10_000):
        assert state.name(f"n{number}").name("x").found == (1,)
    assert list(state.names) == ["x"]
