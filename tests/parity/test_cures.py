"""The line that is proposed for a finding, pasted into the plan, is the end of that finding; and what is said of it."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import yaml

from cutover.checks.base import Result
from cutover.plan.thresholds import Verdict
from tests.support.rawserver import groups, json_answer, raw

Compare = Callable[..., Awaitable[Result]]

PROPOSED: list[tuple[Any, Any, str]] = [
    ({"n": 0.1}, {"n": 0.1000001}, "tolerance: {'$.n': 0.001}"),
    ({"n": 2.4289}, {"n": 0.8018}, "ignore: ['$.n']"),
    ({"n": 140278052633472}, {"n": 140341254323072}, "ignore: ['$.n']"),
    ({"rows": [{"n": 1.0001}, {"n": 2.0}]}, {"rows": [{"n": 1}, {"n": 3}]}, "ignore: ['$.rows[].n']"),
    ({"n": "1.50"}, {"n": 1.5}, "numeric_string: ['$.n']"),
    ({"n": "a"}, {"n": 1.5}, "ignore: ['$.n']"),
    ({"next": None}, {}, "null_equals_missing: ['$.next']"),
    ({"rows": [{"id": 1, "a": None}, {"id": 2, "a": 3}]}, {"rows": [{"id": 1}, {"id": 2}]}, "ignore: ['$.rows[].a']"),
    ({"at": "2026-01-31T12:00:00.123456Z"}, {"at": "2026-01-31T12:00:00.123Z"}, "datetime: {'$.at': ms}"),
    ({"rows": [[1, "a"], [2, "b"]]}, {"rows": [{"id": 1}, {"id": 2}]}, "ignore: ['$.rows[]']"),
    ({"a b": [1, 2]}, {"a b": [2, 1]}, """unordered: ['$["a b"]']"""),
    ({"it's": 1}, {"it's": 3}, r"""ignore: ['$["it\u0027s"]']"""),
    ({"Content-Length": 1}, {"Content-Length": 3}, "ignore: ['$.Content-Length']"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "cure"), PROPOSED)
async def test_what_is_proposed_cures(old: Any, new: Any, cure: str, compare: Compare) -> None:
    old, new = {"kept": True, **old}, {"kept": True, **new}
    found = await compare(json_answer(old), json_answer(new))
    assert [group["cure"] for group in found.details["groups"]] == [cure]
    cured = await compare(json_answer(old), json_answer(new), **yaml.safe_load(cure))
    assert cured.verdict is Verdict.PASS
    assert groups(cured, "fail", "warn", "note") == []


async def test_what_would_cure_one_of_many_is_not_proposed_for_all(compare: Compare) -> None:
    """A page's link that is null, and one that is lost, are found at one place."""

    async def answer(head: bytes, writer: Any) -> None:
        writer.write(json_answer({"next": "/page/2" if b"page=1" in head else None, "kept": True}))

    asked = ["GET /rows?page=2", "GET /rows?page=1"]
    found = await compare(answer, json_answer({"kept": True}), requests=asked)
    (group,) = found.details["groups"]
    assert (group["count"], group["message"], group["cure"]) == (2, "", "ignore: ['$.next']")


@pytest.mark.parametrize(("name", "value"), [("access_token", "s3cr3t-"), ("note", "x" * 1000)])
async def test_values_that_look_the_same_are_said_to_differ_elsewhere(name: str, value: str, compare: Compare) -> None:
    found = await compare(json_answer({name: value + "1"}), json_answer({name: value + "2"}))
    (group,) = found.details["groups"]
    assert group["samples"][0]["old"] == group["samples"][0]["new"]
    assert group["message"] == "they differ in what is not shown: secret, or too long"


async def test_two_invalid_bodies_are_one_finding_that_names_both(compare: Compare) -> None:
    found = await compare(json_answer('{"a": 1}\n{"a": 1}'), json_answer('{"a": 2}\n{"a": 2}'))
    (group,) = found.details["groups"]
    assert group["count"] == 1
    assert group["message"].startswith("old: invalid JSON: ")
    assert "; new: invalid JSON: " in group["message"]


def page(words: str) -> bytes:
    return raw(200, "Content-Type: text/html", body=f"<p>\nQueries took {words}</p>")


async def test_a_word_of_a_text_is_left_out_by_what_stands_before_it(compare: Compare) -> None:
    found = await compare(page("5.5ms, version 1.0"), page("5.5ms, version 2.0"))
    (group,) = found.details["groups"]
    assert (group["path"], group["cure"]) == (
        "text: Queries took #, version #",
        "ignore_text: ['Queries took #, version #']",
    )
    cured = await compare(page("5.5ms, version 1.0"), page("5.5ms, version 2.0"), **yaml.safe_load(group["cure"]))
    assert groups(cured, "fail", "warn", "note") == []
    other = await compare(page("5.5ms, version 1.0"), page("7.5ms, version 2.0"), **yaml.safe_load(group["cure"]))
    assert groups(other) == [("value", "text: Queries took #", 1)]


async def test_a_body_that_is_no_json_can_be_left_out_as_a_whole_and_that_is_told(compare: Compare) -> None:
    one, other = (raw(200, "Content-Type: image/png", body=body) for body in (b"\x89a", b"\x89b"))
    result = await compare(one, other, ignore=["$"])
    assert result.verdict is Verdict.PASS
    assert result.details["rules"]["left_nothing_of"]["count"] == 1


async def test_each_pair_of_statuses_is_a_finding_of_its_own(compare: Compare) -> None:
    async def answer(head: bytes, writer: Any) -> None:
        writer.write(json_answer({}, status=400 if b"bad" in head else 200))

    found = await compare(answer, json_answer({}, status=404), requests=["GET /a?bad", "GET /a", "GET /a?c"])
    told = [(group["count"], group["samples"][0]["old"], group["cure"]) for group in found.details["groups"]]
    assert told == [(2, "200", ""), (1, "400", "status_map: {400: 404}")]


async def test_a_warning_about_what_moves_on_old_is_none(compare: Compare) -> None:
    moving = itertools.count()

    async def refused(_: bytes, writer: Any) -> None:
        writer.write(json_answer({"error": "bad", "request": next(moving)}, status=400))

    result = await compare(refused, refused)
    assert groups(result, "fail", "warn") == []
    assert [noise["path"] for noise in result.details["noise"]] == ["$.request"]


async def test_for_items_that_one_side_lacks_no_rule_is_proposed(compare: Compare) -> None:
    """It would hide the whole list."""
    found = await compare(json_answer({"rows": [1, 2]}), json_answer({"rows": [1]}))
    assert [(group["path"], group["cure"]) for group in found.details["groups"]] == [("$.rows[]", "")]
