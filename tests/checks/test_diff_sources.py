"""Requests that ``diff`` draws from documents, logs and HAR files when it runs."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from cutover.checks.base import Result
from cutover.checks.diff import Diff
from cutover.plan.thresholds import Verdict
from tests.support.rawserver import Context, groups

Ask = Callable[..., Awaitable[Result]]

STUDY = {"name": "study_id", "in": "path", "required": True, "schema": {"type": "integer"}}
OLD = {
    "openapi": "3.1.0",
    "info": {"title": "studies", "version": "1"},
    "paths": {
        "/studies": {"get": {"responses": {"200": {"description": "all"}}}, "post": {"responses": {}}},
        "/studies/{study_id}": {
            "get": {"parameters": [STUDY], "responses": {}}, "delete": {"parameters": [STUDY], "responses": {}},
        },
        "/patients/{patient_id}": {"get": {"parameters": [{**STUDY, "name": "patient_id"}], "responses": {}}},
    },
}  # fmt: skip


def without(document: dict[str, Any], path: str, method: str) -> dict[str, Any]:
    paths = {
        p: {m: o for m, o in operations.items() if (p, m) != (path, method)}
        for p, operations in document["paths"].items()
    }
    return {**document, "paths": paths}


@asynccontextmanager
async def studies(document: dict[str, Any] | None, first: int = 1, status: str = "reported") -> AsyncIterator[str]:
    """Three studies behind HTTP, and their document."""
    rows = {n: {"id": n, "status": status} for n in range(first, first + 3)}

    async def answer(request: web.Request) -> web.Response:
        if request.path == "/openapi.json" and document is not None:
            return web.json_response(document)
        if request.path == "/studies":
            return web.json_response({"results": list(rows.values())})
        name = request.path.rpartition("/")[2]
        if request.path.startswith("/studies/") and name.isdigit() and int(name) in rows:
            return web.json_response(rows[int(name)])
        return web.json_response({"detail": "Not found"}, status=404)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    async def run(old: str, new: str, **settings: Any) -> Result:
        return await Diff.model_validate(settings).run(Context(old, new, tmp_path))

    return run


async def test_what_the_document_reads_is_compared_with_ids_that_old_gives(ask: Ask) -> None:
    async with studies(OLD) as old, studies(OLD, status="REPORTED") as new:
        result = await ask(old, new, openapi="/openapi.json")
    assert groups(result) == [("value", "$.results[].status", 3), ("value", "$.status", 3)]
    assert {group["endpoint"] for group in result.details["groups"]} == {"GET /studies", "GET /studies/{study_id}"}
    coverage = result.details["coverage"]
    assert [one["operation"] for one in coverage["compared"]] == ["GET /studies", "GET /studies/{study_id}"]
    assert [one["operation"] for one in coverage["not_compared"]] == [
        "POST /studies", "DELETE /studies/{study_id}", "GET /patients/{patient_id}",
    ]  # fmt: skip
    assert "2 of 5 operations compared" in result.summary


async def test_an_operation_that_new_lacks_fails_unless_the_plan_allows_it(ask: Ask) -> None:
    delete = "DELETE /studies/{study_id}"
    async with studies(OLD) as old, studies(without(OLD, "/studies/{study_id}", "delete")) as new:
        failed = await ask(old, new, openapi="/openapi.json")
        allowed = await ask(old, new, openapi="/openapi.json", lacking=[delete])
    assert failed.verdict is Verdict.FAIL
    assert failed.details["coverage"]["new_lacks"] == [delete]
    assert f"new's document lacks {delete}" in failed.summary
    assert allowed.verdict is Verdict.PASS


async def test_without_a_document_of_new_nothing_is_said_to_be_lacking(ask: Ask) -> None:
    async with studies(OLD) as old, studies(None) as new:
        result = await ask(old, new, openapi="/openapi.json")
    assert result.verdict is Verdict.PASS
    assert "what it lacks is not judged" in result.details["notes"][0]


async def test_a_document_of_new_that_is_named_must_be_there(ask: Ask) -> None:
    async with studies(OLD) as old, studies(None) as new:
        result = await ask(old, new, openapi={"old": "/openapi.json", "new": "/openapi.json"})
    assert result.verdict is Verdict.UNKNOWN
    assert "answered 404" in result.summary


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"openapi": "/none.json"}, "answered 404"),
        ({"openapi": "none.json"}, "no file that exists"),
        ({"access_log": "/nowhere/access.log"}, "/nowhere/access.log"),
        ({"har": "/nowhere/x.har"}, "/nowhere/x.har"),
    ],
)
async def test_a_source_that_is_not_there_is_unknown_and_asks_nobody_else(
    ask: Ask, settings: dict[str, Any], said: str
) -> None:
    async with studies(OLD) as old, studies(OLD) as new:
        result = await ask(old, new, **settings)
    assert result.verdict is Verdict.UNKNOWN
    assert said in result.summary
    assert result.figures == {"requests": 0.0}


async def test_all_sources_add_up_each_request_once_and_the_limit_holds_for_what_is_drawn(
    ask: Ask, tmp_path: Path
) -> None:
    line = '127.0.0.1 - - [20/Nov/2026:10:00:00 +0000] "GET {} HTTP/1.1" 200 5 "-" "browser"\n'
    (tmp_path / "access.log").write_text("".join(line.format(p) for p in ("/studies", "/studies/2", "/studies/9")))
    async with studies(OLD) as old, studies(OLD) as new:
        entry = {"request": {"method": "GET", "url": f"{old}/studies/3", "headers": []}, "response": {"status": 200}}
        (tmp_path / "x.har").write_text(json.dumps({"log": {"entries": [entry]}}))
        settings: dict[str, Any] = {
            "requests": ["GET /studies"], "access_log": str(tmp_path / "access.log"), "har": str(tmp_path / "x.har"),
        }  # fmt: skip
        everything = await ask(old, new, **settings)
        limited = await ask(old, new, limit=1, **settings)
    assert everything.figures["requests"] == 4
    assert limited.figures["requests"] == 2
    assert sum(one["count"] for one in limited.details["left_out"] if "limit" in one["reason"]) >= 1


async def test_the_requests_are_written_for_the_plan(ask: Ask, tmp_path: Path) -> None:
    kept = tmp_path / "kept.yml"
    async with studies(OLD) as old, studies(OLD) as new:
        drawn = await ask(old, new, openapi="/openapi.json", save=str(kept))
        again = await ask(old, new, requests_file=str(kept))
    assert again.figures["requests"] == drawn.figures["requests"] > 1
