"""What stands in a plan under ``diff``."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from cutover.checks import CHECKS
from cutover.checks.diff import Diff
from cutover.plan.thresholds import Verdict
from tests.support.rawserver import Context, RawServer, json_answer

MINIMAL: dict[str, Any] = {"requests": ["GET /a"]}


def test_it_is_registered_under_its_name() -> None:
    assert CHECKS["diff"] is Diff


def test_it_says_what_it_will_ask() -> None:
    check = Diff.model_validate({"requests": ["GET /a", {"method": "POST", "path": "/b", "unsafe": True}]})
    assert list(check.requests()) == ["GET /a", "POST /b"]
    assert check.summary() == "2 requests, old against new, mismatches <= 0%"


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({}, "requests"),
        ({"requests": ["GET a"]}, "not a request"),
        (MINIMAL | {"ignroe": []}, "did you mean 'ignore'"),
        (MINIMAL | {"ignore": ["generated_at"]}, "not a path"),
        (MINIMAL | {"ignore": ["$.a["]}, "not a path"),
        (MINIMAL | {"unordered": "$.a"}, "list"),
        (MINIMAL | {"tolerance": {"$.a": -1}}, "greater"),
        (MINIMAL | {"tolerance": {"$.a": "1"}}, "number"),
        (MINIMAL | {"datetime": "days"}, "instant"),
        (MINIMAL | {"datetime": {"$.a": "days"}}, "instant"),
        (MINIMAL | {"redirects": "maybe"}, "same_target"),
        (MINIMAL | {"rewrite_path": {"api": "/x"}}, "starts with /"),
        (MINIMAL | {"unwrap": {"new": "$.results[*]"}}, "one place"),
        (MINIMAL | {"error_body": "none"}, "shape"),
        (MINIMAL | {"status_map": {200: 404}}, "success to an error"),
        (MINIMAL | {"status_map": {500: 200}}, "success to an error"),
        (MINIMAL | {"status_map": {99: 200}}, "greater"),
        (MINIMAL | {"ignore_headers": ["X Total"]}, "pattern"),
        (MINIMAL | {"concurrency": 0}, "greater"),
        (MINIMAL | {"timeout": 5}, "unit"),
        (MINIMAL | {"max_body": 64}, "unit"),
        (MINIMAL | {"thresholds": ["p95 <= 1s"]}, "diff measures requests, mismatches"),
        (MINIMAL | {"thresholds": []}, "at least one"),
        (MINIMAL | {"against": {"old": "new"}}, "itself"),
        (MINIMAL | {"requests_file": "/nowhere/requests.txt"}, "can't be read"),
        ({"requests": [{"path": "/a", "ignore": ["a"]}]}, "not a path"),
        ({"requests": [{"path": "/a", "ignored": ["$.a"]}]}, "did you mean 'ignore'"),
    ],
)
def test_a_mistake_is_found_when_the_plan_is_checked(settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError) as mistake:
        Diff.model_validate(settings)
    assert complaint in str(mistake.value)


def test_every_setting_of_the_reference_is_taken() -> None:
    check = Diff.model_validate({
        "requests": [{"path": "/a", "status_map": {422: 400}}, "HEAD /b"],
        "headers": {"X-Tenant": "a"},
        "ignore": ["$.generated_at", "$.results[*].x"],
        "unordered": ["$.tags"],
        "key": {"$.results": "uid"},
        "null_equals_missing": ["$.results[].note"],
        "numeric_string": ["$.price"],
        "tolerance": {"$.score": 0.001, "$.n": 1},
        "datetime": {"$.at": "ms"},
        "redirects": "same_target",
        "rewrite_path": {"/api/v1/": "/api-dj/"},
        "unwrap": {"new": "$.results"},
        "error_body": "shape",
        "ignore_headers": ["X-Version"],
        "concurrency": 8,
        "timeout": "5s",
        "max_body": "64mb",
        "thresholds": ["mismatches <= 1%", "requests >= 2"],
        "against": {"old": "old", "new": "proxy"},
    })  # fmt: skip
    assert check.max_body == 64 * 1024 * 1024
    assert Diff.model_json_schema()["properties"]["ignore"]["items"]["type"] == "string"


FILES = {
    "requests.txt": "# comment\n\nGET /a?x=1\nHEAD /b\n",
    "requests.yml": '- GET /a?x=1\n- {method: HEAD, path: /b, ignore: ["$.x"]}\n',
    "requests.json": json.dumps(["GET /a?x=1", {"method": "HEAD", "path": "/b"}]),
}


@pytest.mark.parametrize("name", FILES)
def test_requests_are_read_from_files(name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_text(FILES[name])
    check = Diff.model_validate({"requests_file": str(file)})
    assert list(check.requests()) == ["GET /a?x=1", "HEAD /b"]


def test_a_mistake_in_a_file_of_requests_has_its_line(tmp_path: Path) -> None:
    file = tmp_path / "requests.txt"
    file.write_text("GET /a\nGTE /b\n")
    with pytest.raises(ValidationError, match=r"requests\.txt:2: .*'GTE /b' is not a request"):
        Diff.model_validate({"requests_file": str(file)})


@pytest.fixture
async def same_sides() -> AsyncIterator[tuple[RawServer, RawServer]]:
    async with RawServer(json_answer({"a": 1})).running() as old, RawServer(json_answer({"a": 1})).running() as new:
        yield old, new


async def test_it_passes_on_equal_backends_and_tells_how_far_it_is(
    same_sides: tuple[RawServer, RawServer], tmp_path: Path
) -> None:
    context = Context(same_sides[0].url, same_sides[1].url, tmp_path)
    result = await Diff.model_validate({"requests": ["GET /a", "GET /b"]}).run(context)
    assert result.verdict is Verdict.PASS
    assert result.summary == "2 requests compared, none differs"
    assert result.figures == {"requests": 2.0, "mismatches": 0.0}
    assert context.said[-1] == "2 compared, 0 differ"
    assert json.loads(json.dumps(result.details)) == result.details


async def test_no_more_requests_are_under_way_than_concurrency_says(
    same_sides: tuple[RawServer, RawServer], tmp_path: Path
) -> None:
    under_way = most = 0

    async def slow(_: bytes, writer: asyncio.StreamWriter) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        for _turn in range(5):
            await asyncio.sleep(0)
        under_way -= 1
        writer.write(json_answer({"a": 1}))

    async with RawServer(slow).running() as old:
        context = Context(old.url, same_sides[1].url, tmp_path)
        await Diff.model_validate({"requests": [f"GET /{n}" for n in range(30)], "concurrency": 3}).run(context)
    assert 1 <= most <= 3


@pytest.mark.parametrize(
    ("settings", "least"),
    [
        ({"requests": ["GET /a"] * 14, "rps": 0.2}, 14 * 5),
        ({"openapi": "/openapi.json", "rps": 10.0}, 1000 / 10),
        ({"requests": ["GET /a"] * 1000, "concurrency": 1}, 1000 * 10),
    ],
)
def test_a_step_is_not_given_up_while_its_requests_may_still_be_answered(
    settings: dict[str, Any], least: float
) -> None:
    assert Diff.model_validate(settings).default_timeout() > least
