"""For any JSON: equal documents never differ, one mutation is found at its place, and a rule hides what it names."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cutover.parity.answers import Answer
from cutover.parity.document import Budget, InvalidJsonError, parse, same
from cutover.parity.exchange import Asked, compare_answers
from cutover.parity.findings import Findings
from cutover.parity.jsonpath import member
from cutover.parity.options import Options
from cutover.parity.origins import Origins
from cutover.parity.rules import Rules
from cutover.parity.terms import Terms
from tests.support.respell import respelled

# The same examples on every run: what is found here is found again.
FIXED = settings(max_examples=150, derandomize=True, deadline=None, database=None)

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12)
    | st.sampled_from(["2024-05-01T12:00:00Z", "2024-05-01T12:00:00", "10.50", "", "null", "/a?page=2", -0.0, 10**30])
)
RECORDS = st.lists(st.fixed_dictionaries({"id": st.integers(0, 30), "a": SCALARS, "b": SCALARS}), max_size=8)
DOCUMENTS = st.recursive(
    SCALARS | RECORDS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=5),
    max_leaves=25,
)
CONTAINERS = DOCUMENTS.filter(lambda document: isinstance(document, dict | list))
LISTS = st.lists(SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(st.sampled_from("ab"), SCALARS), max_size=8)
RANDOM = st.randoms(use_true_random=False)
Where = tuple[str | int, ...]


def compare_bodies(old: bytes, new: bytes, **options: Any) -> Findings:
    terms = Terms(Rules(Options.model_validate(options)), Origins(), Budget(60))
    answers = [Answer(200, (("Content-Type", "application/json"),), body) for body in (old, new)]
    return compare_answers(answers[0], answers[1], Asked("GET", "/"), terms).findings


def compare(old: Any, new: Any, **options: Any) -> Findings:
    return compare_bodies(
        *(json.dumps(d, ensure_ascii=i == 0).encode() + b" " * i for i, d in enumerate((old, new))), **options
    )


def places(document: Any, path: str = "$", where: Where = ()) -> list[tuple[str, Where]]:
    """Every place of a document: its index-free path, and the steps to it."""
    found = [(path, where)]
    if isinstance(document, dict):
        for name, value in document.items():
            found += places(value, member(path, name), (*where, name))
    elif isinstance(document, list):
        for index, value in enumerate(document):
            found += places(value, f"{path}[]", (*where, index))
    return found


def leaves(document: Any) -> list[tuple[str, Where]]:
    return [p for p in places(document)[1:] if not isinstance(at(document, p[1]), dict | list)]


def at(document: Any, where: Where) -> Any:
    for step in where:
        document = document[step]
    return document


def with_value(document: Any, where: Where, value: Any) -> Any:
    changed = copy.deepcopy(document)
    at(changed, where[:-1])[where[-1]] = value
    return changed


def exact(where: Where) -> str:
    """The path of one place, with its indexes, as a plan writes it."""
    path = "$"
    for step in where:
        path = member(path, step) if isinstance(step, str) else f"{path}[{step}]"
    return path


def differ(old: Any, new: Any) -> bool:
    """As JSON goes: by the parser whose equality everything rests on."""
    return not same(parse(json.dumps(old).encode()), parse(json.dumps(new).encode()))


@FIXED
@given(DOCUMENTS, RANDOM)
def test_equal_documents_in_another_spelling_never_differ(document: Any, rng: random.Random) -> None:
    """Members in another order, other space, escapes for letters, exponents and zeros for digits."""
    assert not compare_bodies(json.dumps(document).encode(), respelled(document, rng).encode())


@FIXED
@given(CONTAINERS, SCALARS, st.data())
def test_one_changed_value_is_found_at_its_place_and_nowhere_else(
    document: Any, value: Any, data: st.DataObject
) -> None:
    assume(leaves(document))
    path, where = data.draw(st.sampled_from(leaves(document)))
    changed = with_value(document, where, value)
    assume(differ(document, changed))
    assert_only_there(compare(document, changed), path, where)


@FIXED
@given(st.dictionaries(st.text(max_size=5), SCALARS | RECORDS.map(lambda rows: {"rows": {"n": len(rows)}}), min_size=1),
       SCALARS, st.data())  # fmt: skip
def test_one_changed_value_outside_of_lists_is_one_finding_at_its_path(
    document: Any, value: Any, data: st.DataObject
) -> None:
    path, where = data.draw(st.sampled_from(leaves(document)))
    changed = with_value(document, where, value)
    assume(differ(document, changed))
    assert [(key.path, tally.count) for key, tally in compare(document, changed)] == [(path, 1)]


@FIXED
@given(st.integers(2, 8), SCALARS, st.data())
def test_one_changed_value_of_a_record_with_an_id_is_one_finding_at_its_path(
    count: int, value: Any, data: st.DataObject
) -> None:
    """Also where the records stand in another order, which is a finding of its own."""
    rows = [{"id": n, "a": n, "b": {"c": str(n)}} for n in range(count)]
    path, where = data.draw(st.sampled_from([p for p in leaves(rows) if p[1][-1] != "id"]))
    changed = with_value(rows, where, value)
    assume(differ(rows, changed))
    assert [(key.path, tally.count) for key, tally in compare(rows, changed)] == [(path, 1)]
    changed.reverse()
    assert [(key.path, tally.count) for key, tally in compare(rows, changed, unordered=["$"])] == [(path, 1)]
    found = compare(rows, changed)
    assert {(key.kind.value, key.path) for key in found.keys} - {("order", "$")} == {
        (key.kind.value, key.path) for key in found.keys if key.path == path
    }


def assert_only_there(found: Findings, path: str, where: Where) -> None:
    """At the place; or, where it is in a list, at an item that holds it: one gone and one new."""
    assert found
    items = {path_of(where[: n + 1]) for n, step in enumerate(where) if isinstance(step, int)}
    lists = {item.removesuffix("[]") for item in items}
    for key in found.keys:
        assert key.path == path or key.path in items or (key.kind == "order" and key.path in lists), (key, path)
    assert sum(tally.count for tally in found.tallies.values()) <= (2 if items else 1) + len(lists)


def path_of(where: Where) -> str:
    path = "$"
    for step in where:
        path = member(path, step) if isinstance(step, str) else f"{path}[]"
    return path


@FIXED
@given(CONTAINERS, st.data())
def test_one_removed_member_or_item_is_found_once_at_its_path(document: Any, data: st.DataObject) -> None:
    path, where = data.draw(st.sampled_from(places(document)[1:] or [("", ())]))
    assume(where)
    changed = copy.deepcopy(document)
    del at(changed, where[:-1])[where[-1]]
    for found, kind in ((compare(document, changed), "missing"), (compare(changed, document), "added")):
        assert_only_there(found, path, where)
        assert kind in {key.kind for key in found.keys}


@FIXED
@given(CONTAINERS, SCALARS, st.data())
def test_an_ignore_rule_hides_exactly_what_it_names(document: Any, value: Any, data: st.DataObject) -> None:
    """The place itself, with or without its indexes; and no rule for another place hides it."""
    assume(leaves(document))
    path, where = data.draw(st.sampled_from(leaves(document)))
    changed = with_value(document, where, value)
    assume(differ(document, changed))
    assert not compare(document, changed, ignore=[path])
    assert not compare(document, changed, ignore=[exact(where)])
    others = [other for _, other in leaves(document) if other != where]
    if others:
        rule = exact(data.draw(st.sampled_from(others)))
        assert compare(document, changed, ignore=[rule])


@FIXED
@given(st.dictionaries(st.text(max_size=5), DOCUMENTS, min_size=2, max_size=5), SCALARS, SCALARS, st.data())
def test_of_two_changes_a_rule_hides_the_one_that_it_names(
    document: dict[str, Any], value: Any, other_value: Any, data: st.DataObject
) -> None:
    name, other = data.draw(st.permutations(sorted(document)))[:2]
    changed = {**document, name: value, other: other_value}
    assume(differ(document[name], value) and differ(document[other], other_value))
    path, other_path = member("$", name), member("$", other)
    assert {key.path for key in compare(document, changed).keys} == {path, other_path}
    assert {key.path for key in compare(document, changed, ignore=[path]).keys} == {other_path}
    assert not compare(document, changed, ignore=[path, other_path])


@FIXED
@given(LISTS, RANDOM)
def test_an_unordered_list_may_be_shuffled(items: list[Any], rng: random.Random) -> None:
    moved = items.copy()
    rng.shuffle(moved)
    assert not compare(items, moved, unordered=["$"])
    assert not compare({"a": items, "b": 1}, {"b": 1, "a": moved}, unordered=["$.a"])


@FIXED
@given(LISTS.filter(bool), RANDOM, st.data())
def test_an_unordered_list_has_each_item_as_often_as_before(
    items: list[Any], rng: random.Random, data: st.DataObject
) -> None:
    twice = [*items, data.draw(st.sampled_from(items))]
    rng.shuffle(twice)
    assert compare(items, twice, unordered=["$"]).failed
    assert compare(twice, items, unordered=["$"]).failed
    instead = twice.copy()
    instead.remove(data.draw(st.sampled_from(instead)))
    if sorted(map(json.dumps, instead)) != sorted(map(json.dumps, items)) and differ_as_bags(instead, items):
        assert compare(items, instead, unordered=["$"])


def differ_as_bags(one: list[Any], other: list[Any]) -> bool:
    left = other.copy()
    for item in one:
        index = next((i for i, candidate in enumerate(left) if not differ(item, candidate)), None)
        if index is None:
            return True
        del left[index]
    return False


@FIXED
@given(
    st.lists(st.tuples(SCALARS, SCALARS), min_size=1, max_size=8),
    st.integers(1, 5),
    RANDOM,
    st.booleans(),
)
def test_records_are_paired_by_the_key_that_the_plan_names(
    values: list[tuple[Any, Any]],
    offset: int,
    rng: random.Random,
    ordered: bool,  # noqa: FBT001 - drawn
) -> None:
    """Whatever else is in them: one value of one record differs, and nothing else is said."""
    rows = [{"k": f"key{n}", "a": a, "b": b} for n, (a, b) in enumerate(values)]
    changed = copy.deepcopy(rows)
    changed[offset % len(rows)]["a"] = {"another": "value"}
    if not ordered:
        rng.shuffle(changed)
    found = compare(rows, changed, key={"$": "k"}, unordered=["$"])
    assert [(key.path, tally.count) for key, tally in found] == [("$[].a", 1)]


@FIXED
@given(RECORDS.filter(lambda rows: len(rows) > 1), RANDOM)
def test_reordered_records_differ_in_order_alone(rows: list[dict[str, Any]], rng: random.Random) -> None:
    moved = rows.copy()
    rng.shuffle(moved)
    assume(json.dumps(moved) != json.dumps(rows))
    assert not compare(rows, moved, unordered=["$"]).failed
    kinds = {key.kind.value for key in compare(rows, moved).keys}
    assert kinds <= {"order", "value", "type", "missing", "added"}


@FIXED
@given(st.integers(), st.integers(1, 10**30))
def test_numbers_are_told_apart_to_the_last_digit(number: int, distance: int) -> None:
    assert compare([number], [number + distance]).failed


@FIXED
@given(st.dictionaries(st.text(max_size=5), SCALARS, min_size=1, max_size=5), RANDOM, st.data())
def test_a_member_that_stands_twice_is_found_in_a_long_text_too(
    members: dict[str, Any], rng: random.Random, data: st.DataObject
) -> None:
    """Wherever it is, in whatever spelling: long texts are read in a faster way."""
    twice = data.draw(st.sampled_from(sorted(members)))
    inner = respelled(members, rng)
    brace = inner.index("{") + 1
    broken = f"{inner[:brace]}{respelled(twice, rng)}:1,{inner[brace:]}"
    padding = json.dumps("x" * 70_000)
    parse(f"[{padding}, {inner}]".encode())
    with pytest.raises(InvalidJsonError, match="stands twice"):
        parse(f"[{padding}, {broken}]".encode())
