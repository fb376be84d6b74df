"""A comparison of nothing but errors says nothing; and why a verdict is what it is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from cutover.checks.base import Result
from cutover.plan.thresholds import Verdict
from tests.support.rawserver import RawServer, json_answer

Compare = Callable[..., Awaitable[Result]]


class Statuses:
    """Answers with the status that the path names."""

    def __init__(self) -> None:
        self.times: list[float] = []

    async def __call__(self, head: bytes, writer: asyncio.StreamWriter) -> None:
        self.times.append(asyncio.get_running_loop().time())
        status = int(head.split(b"/")[2].split(b" ")[0].split(b"?")[0])
        writer.write(json_answer({"detail": "x"}, status=status))


async def same(compare: Compare, *requests: Any, **settings: Any) -> Result:
    return await compare(Statuses(), Statuses(), requests=list(requests), **settings)


@pytest.mark.parametrize("status", [401, 403, 429])
async def test_an_endpoint_that_old_refuses_is_unknown(compare: Compare, status: int) -> None:
    result = await same(compare, "GET /ok/200", f"GET /patients/{status}")
    assert result.verdict is Verdict.UNKNOWN
    refused = f"old refuses all that was asked of GET /patients/{{id}} ({status} "
    assert refused in result.summary
    assert "are its credentials sent?" in result.summary


async def test_a_refusal_beside_an_answer_is_a_case_like_others(compare: Compare) -> None:
    assert (await same(compare, "GET /patients/200", "GET /patients/401")).verdict is Verdict.PASS


@pytest.mark.parametrize("status", [404, 405, 500, 503])
async def test_nothing_but_errors_is_unknown(compare: Compare, status: int) -> None:
    alone = await same(compare, f"GET /a/{status}", f"GET /b/{status}")
    assert alone.verdict is Verdict.UNKNOWN
    assert f"old answered nothing but errors ({status} ×2)" in alone.summary  # noqa: RUF001 - the sign that people are shown
    assert (await same(compare, f"GET /a/{status}", "GET /b/200")).verdict is Verdict.PASS


@pytest.mark.parametrize("status", [400, 409, 422])
async def test_that_a_request_is_wrong_is_an_answer(compare: Compare, status: int) -> None:
    assert (await same(compare, f"GET /a/{status}")).verdict is Verdict.PASS


@pytest.mark.parametrize("status", [401, 404, 500])
async def test_an_error_that_the_plan_expects_is_what_was_asked_for(compare: Compare, status: int) -> None:
    result = await same(compare, {"path": f"/a/{status}", "status": status})
    assert result.verdict is Verdict.PASS


async def test_another_status_than_the_plan_expects_is_unknown(compare: Compare) -> None:
    result = await same(compare, {"path": "/a/200", "status": 404}, "GET /b/200")
    assert result.verdict is Verdict.UNKNOWN
    assert "old answered 200, and the plan expects 404" in result.summary


async def test_a_limit_that_does_not_hold_is_named_with_what_it_is(compare: Compare) -> None:
    one = RawServer(json_answer({"a": 1}))
    result = await compare(one, json_answer({"a": 2}), thresholds=["mismatches <= 50%"])
    assert "mismatches <= 50%: it is 100%" in result.summary
    assert result.details["reasons"] == ["mismatches <= 50%: it is 100%"]


async def test_an_endpoint_under_limits_that_had_no_request_is_named(compare: Compare) -> None:
    result = await same(compare, "GET /a/200", endpoints={"GET /b": ["mismatches <= 0%"]})
    assert result.verdict is Verdict.UNKNOWN
    assert "GET /b: no request was compared" in result.summary


async def test_no_side_is_asked_more_often_than_the_rate_whatever_differs(compare: Compare) -> None:
    old, new = Statuses(), Statuses()

    async def differing(head: bytes, writer: asyncio.StreamWriter) -> None:
        new.times.append(asyncio.get_running_loop().time())
        writer.write(json_answer({"detail": "y"}))

    requests = [f"GET /a/200?{n}" for n in range(6)]
    await compare(old, differing, requests=requests, rps=50.0, concurrency=6)
    for times in (old.times, new.times):
        assert len(times) >= 12
        assert times[-1] - times[0] >= (len(times) - 1) / 50 * 0.9


async def test_the_worst_of_every_endpoint_is_told_beside_one_with_thousands(compare: Compare) -> None:
    async def answer(head: bytes, writer: asyncio.StreamWriter) -> None:
        side = 1 if b"Bearer old-side" in head else 2
        many = {f"name{chr(97 + n % 26)}{'x' * (n // 26)}": side for n in range(900)}
        writer.write(json_answer(many if b"/many" in head else {"a": side}))

    requests = ["GET /many", *(f"GET /other{letter}" for letter in "abc")]
    result = await compare(answer, answer, requests=requests)
    told = [group["endpoint"] for group in result.details["groups"]]
    assert {"GET /othera", "GET /otherb", "GET /otherc"} < set(told)
    assert len(told) + result.details["groups_left_out"] == 903


async def test_members_named_by_ids_are_one_finding(compare: Compare) -> None:
    old, new = ({"by_id": {str(n): {"a": side} for n in range(20)}} for side in (1, 2))
    result = await compare(json_answer(old), json_answer(new))
    assert [(g["path"], g["count"], g["cure"]) for g in result.details["groups"]] == [
        ("$.by_id.*.a", 20, "ignore: ['$.by_id.*.a']")
    ]
    assert (await compare(json_answer(old), json_answer(new), ignore=["$.by_id.*.a"])).verdict is not Verdict.FAIL


@pytest.mark.parametrize(("old", "new", "method"), [(404, 500, "GET"), (401, 302, "GET"), (307, 301, "POST")])
async def test_no_rule_is_proposed_that_the_plan_refuses_or_that_cures_nothing(
    compare: Compare, old: int, new: int, method: str
) -> None:
    asked = {"method": method, "path": "/a", "unsafe": True}
    sides = [json_answer({}, "Location: /b/", status=status) for status in (old, new)]
    result = await compare(*sides, requests=[asked])
    assert {group["cure"] for group in result.details["groups"] if group["kind"] == "status"} == {""}


async def test_what_is_no_http_is_told_in_one_line(compare: Compare) -> None:
    result = await compare(json_answer({}), b"NOT HTTP AT ALL\r\n\r\n")
    (group,) = result.details["groups"]
    assert "no HTTP answer: " in group["message"]
    assert "\n" not in group["message"]


async def test_a_group_of_several_changes_says_none_of_them_for_all(compare: Compare) -> None:
    result = await compare(json_answer([{"a": None}, {"a": 1}]), json_answer([{"a": "x"}, {"a": "x"}]))
    assert {(g["path"], g["count"], g["message"]) for g in result.details["groups"]} == {("$[].a", 2, "")}
