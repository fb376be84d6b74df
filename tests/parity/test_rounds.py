"""A difference counts when it is still there on asking again; data that moves is no difference."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable

from cutover.checks.base import Result
from cutover.plan.thresholds import Verdict
from tests.support.rawserver import RawServer, groups, json_answer, raw

Compare = Callable[..., Awaitable[Result]]


class Counting:
    """Each answer has the next number, of one counter or of two."""

    def __init__(self, counter: itertools.count[int], template: str) -> None:
        self.counter = counter
        self.template = template

    async def __call__(self, _: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(json_answer(self.template.replace("N", str(next(self.counter)))))


async def test_a_value_that_moves_on_old_is_noise_and_is_named(compare: Compare) -> None:
    moving = itertools.count()
    result = await compare(Counting(moving, '{"at": N, "a": 1}'), Counting(moving, '{"at": N, "a": 1}'))
    assert result.verdict is Verdict.PASS
    assert groups(result) == []
    assert [(n["path"], n["requests"]) for n in result.details["noise"]] == [("$.at", 1)]


async def test_a_lasting_difference_is_found_beside_noise(compare: Compare) -> None:
    moving = itertools.count()
    result = await compare(Counting(moving, '{"at": N, "a": 1}'), Counting(moving, '{"at": N, "a": 2}'))
    assert groups(result) == [("value", "$.a", 1)]


async def test_a_moving_value_does_not_hide_that_it_became_null(compare: Compare) -> None:
    result = await compare(Counting(itertools.count(), '{"at": N}'), json_answer('{"at": null}'))
    assert groups(result) == [("type", "$.at", 1)]


async def test_items_that_come_and_go_do_not_hide_a_wrong_field_in_them(compare: Compare) -> None:
    moving = itertools.count(1000)
    rows = ",".join(f'{{"id": {n}, "a": 1}}' for n in range(20))
    result = await compare(
        Counting(moving, f'[{rows}, {{"id": N, "a": 1}}]'),
        Counting(moving, f"[{rows}, {{'id': N, 'a': 1}}]".replace("'", '"').replace('"a": 1', '"a": 2', 1)),
    )
    assert groups(result) == [("value", "$[].a", 1)]


async def test_data_that_moved_between_the_two_answers_is_no_difference(compare: Compare) -> None:
    """Written after old had answered and before new did."""
    before, after = json_answer({"n": 1}), json_answer({"n": 2})
    result = await compare(RawServer(before, after), after)
    assert result.verdict is Verdict.PASS
    assert groups(result, "fail", "warn") == []


async def test_a_difference_seen_once_on_a_steady_old_is_a_warning(compare: Compare) -> None:
    steady, once = json_answer({"n": 1}), json_answer({"n": 2})
    result = await compare(steady, RawServer(once, steady))
    assert result.verdict is Verdict.PASS
    assert groups(result, "warn") == [("value", "$.n", 1)]


async def test_a_500_of_new_counts_even_if_it_is_gone_when_asked_again(compare: Compare) -> None:
    fine = json_answer({"n": 1})
    result = await compare(fine, RawServer(raw(500), fine))
    assert result.verdict is Verdict.FAIL
    assert groups(result) == [("status", "status", 1)]
    assert "not every time" in result.summary


async def test_equal_answers_are_asked_for_once(compare: Compare) -> None:
    old, new = RawServer(json_answer({"n": 1})), RawServer(json_answer({"n": 1}))
    await compare(old, new)
    assert (len(old.asked), len(new.asked)) == (1, 1)


async def test_a_difference_is_asked_for_three_times_of_old_and_twice_of_new(compare: Compare) -> None:
    old, new = RawServer(json_answer({"n": 1})), RawServer(json_answer({"n": 2}))
    await compare(old, new)
    assert (len(old.asked), len(new.asked)) == (3, 2)


async def test_the_order_of_asking_alternates(compare: Compare) -> None:
    order: list[str] = []

    def telling(name: str) -> Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]:
        async def respond(_: bytes, writer: asyncio.StreamWriter) -> None:
            order.append(name)
            writer.write(json_answer("{}"))

        return respond

    await compare(telling("old"), telling("new"), requests=["GET /a", "GET /b"], concurrency=1)
    assert order == ["old", "new", "new", "old"]


async def test_a_request_that_writes_is_sent_once_and_only_when_the_plan_says_so(compare: Compare) -> None:
    old, new = RawServer(json_answer({"n": 1})), RawServer(json_answer({"n": 2}))
    writes = {"method": "POST", "path": "/tasks", "json": {"a": 1}, "unsafe": True}
    result = await compare(old, new, requests=[writes, {"method": "DELETE", "path": "/tasks/1"}])
    assert result.verdict is Verdict.FAIL
    assert (len(old.asked), len(new.asked)) == (1, 1)
    assert result.details["skipped"] == {"count": 1, "first": ["DELETE /tasks/1"]}
    assert "DELETE /tasks/1" in result.summary


async def test_nothing_compared_is_unknown(compare: Compare) -> None:
    result = await compare(json_answer("{}"), json_answer("{}"), requests=[{"method": "POST", "path": "/x"}])
    assert result.verdict is Verdict.UNKNOWN
    assert "mismatches" not in result.figures


async def test_findings_are_grouped_by_endpoint_with_at_most_five_samples(compare: Compare) -> None:
    requests = [f"GET /studies/{n}?full=1" for n in range(12)]
    result = await compare(json_answer({"at": "a"}), json_answer({"at": "b"}), requests=requests)
    [group] = result.details["groups"]
    assert (group["endpoint"], group["path"], group["count"]) == ("GET /studies/{id}", "$.at", 12)
    assert len(group["samples"]) == 5
    assert group["samples"][0]["old"] == '"a"'
    assert group["cure"] == "ignore: ['$.at']"
    assert result.summary.startswith("12 requests compared, 12 differ: GET /studies/{id} $.at value ×12")  # noqa: RUF001 - the sign that people are shown


async def test_mismatches_may_be_allowed(compare: Compare) -> None:
    async def one_of_four(head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(json_answer({"n": 2 if b"/bad" in head else 1}))

    requests = ["GET /a", "GET /b", "GET /c", "GET /bad"]
    result = await compare(json_answer({"n": 1}), one_of_four, requests=requests, thresholds=["mismatches <= 25%"])
    assert result.verdict is Verdict.PASS
    assert result.figures == {"requests": 4.0, "mismatches": 25.0, "value": 25.0}
    result = await compare(json_answer({"n": 1}), one_of_four, requests=requests, thresholds=["mismatches <= 24%"])
    assert result.verdict is Verdict.FAIL


async def test_a_rule_that_never_matched_is_named_and_one_that_matched_is_not(compare: Compare) -> None:
    answer = json_answer({"a": 1, "x": 2})
    result = await compare(
        answer, answer, ignore=["$.a", "$.b"], ignore_headers=["X-Gone", "Content-Type"],
        requests=[{"path": "/a", "ignore": ["$.x", "$.c"]}, {"path": "/b"}],
    )  # fmt: skip
    assert result.details["rules"]["never_matched"] == ["ignore: $.b", "ignore: $.c", "ignore_headers: X-Gone"]
    assert "$.b" in result.summary


async def test_rules_that_match_in_equal_bodies_are_not_dead(compare: Compare) -> None:
    """Whether the bytes are the same or only what they mean, and however the name is written."""
    rules = ["$.a", "$.é", "$.list[*].b", "..deep", "$.list[1]", '$["a b"]', "$.*.any", "$.gone", "..missing"]
    document = {"a": 1, "é": 2, "list": [{"b": 1}, 2, 3], "x": {"y": {"deep": 1}, "any": 2}, "a b": 3, "kept": 4}
    for other in (json_answer(document), json_answer(json.dumps(document, ensure_ascii=False, indent=1))):
        result = await compare(json_answer(document), other, ignore=rules)
        assert result.verdict is Verdict.PASS
        assert result.details["rules"]["never_matched"] == ["ignore: $.gone", "ignore: ..missing"]


async def test_rules_that_leave_nothing_of_a_body_are_reported(compare: Compare) -> None:
    result = await compare(json_answer({"a": 1, "b": [2]}), json_answer({"a": 2, "b": [3]}), ignore=["$.a", "$.b[*]"])
    assert result.verdict is Verdict.PASS
    assert result.details["rules"]["left_nothing_of"] == {"count": 1, "first": ["GET /api/studies"]}
    assert "leave nothing" in result.summary
    result = await compare(json_answer({"a": 1}), json_answer({"a": 1}), ignore=["$"])
    assert result.details["rules"]["left_nothing_of"]["count"] == 1


async def test_options_of_one_request_hold_for_it_alone(compare: Compare) -> None:
    requests = [{"path": "/a", "ignore": ["$.n"]}, "GET /b"]
    result = await compare(json_answer({"n": 1, "m": 1}), json_answer({"n": 2, "m": 1}), requests=requests)
    assert [g["samples"][0]["request"] for g in result.details["groups"]] == ["GET /b"]


async def test_redirects_are_followed_where_the_plan_says_so(compare: Compare) -> None:
    async def redirecting(head: bytes, writer: asyncio.StreamWriter) -> None:
        answer = json_answer({"n": 1}) if b"GET /a/ " in head else raw(307, "Location: /a/")
        writer.write(answer)

    result = await compare(redirecting, json_answer({"n": 1}), requests=["GET /a"], redirects="follow")
    assert result.verdict is Verdict.PASS
    result = await compare(redirecting, json_answer({"n": 2}), requests=["GET /a"], redirects="follow")
    assert groups(result) == [("value", "$.n", 1)]
    loop = raw(307, "Location: /a")
    assert (await compare(loop, loop, requests=["GET /a"], redirects="follow")).verdict is Verdict.UNKNOWN


async def test_the_path_on_new_may_be_another(compare: Compare) -> None:
    old, new = RawServer(json_answer("{}")), RawServer(json_answer("{}"))
    await compare(old, new, requests=["GET /api/v1/a?b=1"], rewrite_path={"/api/v1/": "/api-dj/"})
    assert old.asked[0].startswith(b"GET /api/v1/a?b=1 ")
    assert new.asked[0].startswith(b"GET /api-dj/a?b=1 ")


async def test_values_of_secret_names_are_not_shown(compare: Compare) -> None:
    result = await compare(json_answer({"access_token": "marked-one"}), json_answer({"access_token": "marked-two"}))
    assert result.verdict is Verdict.FAIL
    assert "marked" not in str(result)


async def test_one_record_is_told_as_a_whole(compare: Compare) -> None:
    result = await compare(
        json_answer([{"id": 1, "state": "done", "n": 10}]), json_answer('[{"id": 1, "state": "DONE", "n": 10.0}]')
    )
    [record] = result.details["records"]
    assert record["differences"] == ['Value of root[\'state\'] changed from "done" to "DONE".']


async def test_paths_named_by_ids_do_not_fill_the_memory(compare: Compare) -> None:
    old, new = ({f"id{n}": value for n in range(3000)} for value in (1, 2))
    result = await compare(json_answer(old), json_answer(new), requests=["GET /a?n=1", "GET /a?n=2"])
    found = groups(result)
    assert len(found) <= 1001
    assert ("value", "(further paths)", 4000) in found
    assert result.details["differing"] == 2


async def test_a_status_that_mends_a_failure_of_old_is_found(compare: Compare) -> None:
    result = await compare(json_answer({}, status=500), json_answer({}, status=400))
    assert groups(result) == [("status", "status", 1)]
    assert result.details["noise"] == []


async def test_samples_are_those_of_the_first_requests_whichever_is_answered_first(compare: Compare) -> None:
    last_compared = asyncio.Event()
    asked_last = itertools.count(1)

    async def slow_at_first(head: bytes, writer: asyncio.StreamWriter) -> None:
        if b"n=0 " in head:
            await asyncio.wait_for(last_compared.wait(), 10)
        writer.write(json_answer({"a": 1}))
        # Where both differ, old is asked a third time, and that is all.
        if b"n=9 " in head and next(asked_last) == 3:
            last_compared.set()

    requests = [f"GET /a?n={n}" for n in range(10)]
    result = await compare(slow_at_first, json_answer({"a": 2}), requests=requests, concurrency=2)
    (group,) = result.details["groups"]
    assert [sample["request"] for sample in group["samples"]] == requests[:5]
