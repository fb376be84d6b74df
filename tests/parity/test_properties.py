"""For any JSON: equal documents never differ, and one mutation is found at its place and nowhere else."""

from __future__ import annotations

import copy
import json
import random
from decimal import Decimal
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cutover.parity.answers import Answer
from cutover.parity.document import Budget, parse, same
from cutover.parity.exchange import Asked, compare_answers
from cutover.parity.findings import Findings
from cutover.parity.jsonpath import member
from cutover.parity.options import Options
from cutover.parity.origins import Origins
from cutover.parity.rules import Rules
from cutover.parity.terms import Terms

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=12)
)
RECORDS = st.lists(st.fixed_dictionaries({"id": st.integers(0, 30), "a": SCALARS, "b": SCALARS}), max_size=8)
DOCUMENTS = st.recursive(
    SCALARS | RECORDS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=5),
    max_leaves=25,
)
CONTAINERS = DOCUMENTS.filter(lambda document: isinstance(document, dict | list))


def compare(old: Any, new: Any, **options: Any) -> Findings:
    terms = Terms(Rules(Options.model_validate(options)), Origins(), Budget(60))
    answers = [
        Answer(200, (("Content-Type", "application/json"),), json.dumps(d, ensure_ascii=i == 0).encode() + b" " * i)
        for i, d in enumerate((old, new))
    ]
    return compare_answers(answers[0], answers[1], Asked("GET", "/"), terms).findings


def places(document: Any, path: str = "$", where: tuple[Any, ...] = ()) -> list[tuple[str, tuple[Any, ...]]]:
    """Every place of a document: its index-free path, and the steps to it."""
    found = [(path, where)]
    if isinstance(document, dict):
        for name, value in document.items():
            found += places(value, member(path, name), (*where, name))
    elif isinstance(document, list):
        for index, value in enumerate(document):
            found += places(value, f"{path}[]", (*where, index))
    return found


def at(document: Any, where: tuple[Any, ...]) -> Any:
    for step in where:
        document = document[step]
    return document


@given(DOCUMENTS, st.randoms(use_true_random=False))
def test_equal_documents_never_differ(document: Any, rng: random.Random) -> None:
    assert not compare(document, shuffled(document, rng))


def shuffled(value: Any, rng: random.Random) -> Any:
    if isinstance(value, dict):
        members = [(name, shuffled(v, rng)) for name, v in value.items()]
        rng.shuffle(members)
        return dict(members)
    return [shuffled(v, rng) for v in value] if isinstance(value, list) else value


@settings(max_examples=300)
@given(CONTAINERS, SCALARS, st.data())
def test_one_changed_value_is_found_at_its_place_and_nowhere_else(
    document: Any, value: Any, data: st.DataObject
) -> None:
    leaves = [p for p in places(document)[1:] if not isinstance(at(document, p[1]), dict | list)]
    assume(leaves)
    path, where = data.draw(st.sampled_from(leaves))
    changed = copy.deepcopy(document)
    at(changed, where[:-1])[where[-1]] = value
    assume(not same(parse(json.dumps(document).encode()), parse(json.dumps(changed).encode())))
    assert_only_there(compare(document, changed), path, where)


def assert_only_there(found: Findings, path: str, where: tuple[Any, ...]) -> None:
    """At the place; or, where it is in a list, at an item that holds it: one gone and one new."""
    assert found
    items = {path_of(where[: n + 1]) for n, step in enumerate(where) if isinstance(step, int)}
    lists = {item.removesuffix("[]") for item in items}
    for key in found.keys:
        assert key.path == path or key.path in items or (key.kind == "order" and key.path in lists), (key, path)
    assert sum(tally.count for tally in found.tallies.values()) <= (2 if items else 1) + len(lists)


def path_of(where: tuple[Any, ...]) -> str:
    path = "$"
    for step in where:
        path = member(path, step) if isinstance(step, str) else f"{path}[]"
    return path


@given(CONTAINERS, st.data())
def test_one_removed_member_or_item_is_found_once_at_its_path(document: Any, data: st.DataObject) -> None:
    path, where = data.draw(st.sampled_from(places(document)[1:] or [("", ())]))
    assume(where)
    changed = copy.deepcopy(document)
    del at(changed, where[:-1])[where[-1]]
    for found, kind in ((compare(document, changed), "missing"), (compare(changed, document), "added")):
        assert_only_there(found, path, where)
        assert kind in {key.kind for key in found.keys}


@given(CONTAINERS, SCALARS, st.data())
def test_an_ignore_rule_hides_exactly_what_it_names(document: Any, value: Any, data: st.DataObject) -> None:
    leaves = [p for p in places(document)[1:] if not isinstance(at(document, p[1]), dict | list)]
    assume(leaves)
    path, where = data.draw(st.sampled_from(leaves))
    changed = copy.deepcopy(document)
    at(changed, where[:-1])[where[-1]] = value
    assert not compare(document, changed, ignore=[path])
    other = [p for p, _ in leaves if not p.startswith(path) and not path.startswith(p)]
    assume(other and not same(value, at(document, where)))
    if not isinstance(value, float | int) or isinstance(value, bool):
        hidden = compare(document, changed, ignore=[data.draw(st.sampled_from(other))])
        assume(value != at(document, where) or type(value) is not type(at(document, where)))
        assert hidden


@given(RECORDS.filter(lambda rows: len(rows) > 1), st.randoms(use_true_random=False))
def test_reordered_records_differ_in_order_alone(rows: list[dict[str, Any]], rng: random.Random) -> None:
    moved = rows.copy()
    rng.shuffle(moved)
    assume(json.dumps(moved) != json.dumps(rows))
    found = compare(rows, moved, unordered=["$"])
    assert not found.failed
    kinds = {key.kind.value for key in compare(rows, moved).keys}
    assert kinds <= {"order", "value", "type", "missing", "added"}


@given(st.integers(), st.integers(1, 10**30))
def test_numbers_are_told_apart_to_the_last_digit(number: int, distance: int) -> None:
    assert compare([number], [number + distance]).failed
    assert not same(Decimal(number), Decimal(number + distance))
