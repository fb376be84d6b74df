"""How much may differ: of all requests, of one kind, of one endpoint."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from cutover.checks.base import Result
from cutover.checks.diff import Diff
from cutover.plan.thresholds import Verdict
from tests.support.rawserver import Context, RawServer, json_answer

OLD = json_answer('{"a": 1, "b": 2}')


class ByPath:
    """Answers by the path's first segment, and as old else."""

    def __init__(self, **answers: str) -> None:
        self.answers = answers

    async def __call__(self, request: bytes, writer: asyncio.StreamWriter) -> None:
        segment = request.split(b" ")[1].split(b"/")[1].decode()
        writer.write(json_answer(self.answers[segment]) if segment in self.answers else OLD)


@pytest.fixture
async def sides() -> AsyncIterator[tuple[RawServer, RawServer]]:
    new = ByPath(value='{"a": 1, "b": 3}', missing='{"a": 1}', both='{"a": 2}')
    async with RawServer(OLD).running() as old, RawServer(new).running() as other:
        yield old, other


async def judge(sides: tuple[RawServer, RawServer], folder: Path, *paths: str, **settings: Any) -> Result:
    check = Diff.model_validate({"requests": [f"GET {path}" for path in paths], **settings})
    return await check.run(Context(sides[0].url, sides[1].url, folder))


SAME = [f"/same/{n}" for n in range(3)]


@pytest.mark.parametrize(
    ("thresholds", "verdict"),
    [
        (["mismatches <= 50%"], Verdict.PASS),
        (["mismatches <= 49%"], Verdict.FAIL),
        (["missing <= 34%", "value <= 34%"], Verdict.PASS),
        (["missing <= 33%"], Verdict.FAIL),
        (["value <= 33%"], Verdict.FAIL),
        (["status <= 0%", "header <= 0%", "type <= 0%"], Verdict.PASS),
    ],
)
async def test_kinds_are_shares_of_all_requests(
    sides: tuple[RawServer, RawServer], tmp_path: Path, thresholds: list[str], verdict: Verdict
) -> None:
    """One differs in a value, one lacks a member, one both; three are the same."""
    result = await judge(sides, tmp_path, *SAME, "/value", "/missing", "/both", thresholds=thresholds)
    assert result.verdict is verdict
    assert {name: round(value) for name, value in result.figures.items()} == {
        "requests": 6, "mismatches": 50, "missing": 33, "value": 33,
    }  # fmt: skip


async def test_an_endpoint_with_limits_of_its_own_is_judged_by_them_alone(
    sides: tuple[RawServer, RawServer], tmp_path: Path
) -> None:
    endpoints = {"GET /value": ["mismatches <= 100%"]}
    passed = await judge(sides, tmp_path, *SAME, "/value", endpoints=endpoints)
    assert passed.verdict is Verdict.PASS
    failed = await judge(sides, tmp_path, *SAME, "/value", "/missing", endpoints=endpoints)
    assert failed.verdict is Verdict.FAIL


async def test_an_endpoint_under_limits_that_nobody_asked_is_unknown(
    sides: tuple[RawServer, RawServer], tmp_path: Path
) -> None:
    result = await judge(sides, tmp_path, *SAME, endpoints={"GET /none": ["mismatches <= 0%"]})
    assert result.verdict is Verdict.UNKNOWN


async def test_requests_come_at_the_rate_that_was_asked(sides: tuple[RawServer, RawServer], tmp_path: Path) -> None:
    started = asyncio.get_running_loop().time()
    result = await judge(sides, tmp_path, *SAME, "/same/4", "/same/5", rps=20.0, concurrency=4)
    assert result.figures["requests"] == 5
    assert asyncio.get_running_loop().time() - started >= 4 / 20
