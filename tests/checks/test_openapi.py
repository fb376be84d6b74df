"""What stands in a plan under ``openapi``, and what it says of two backends' documents."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import TypeAdapter, ValidationError

from cutover.actions import ACTIONS
from cutover.checks import CHECKS
from cutover.checks.base import Result
from cutover.checks.openapi import Openapi
from cutover.openapi import read
from cutover.plan.step import Step
from cutover.plan.thresholds import Verdict
from cutover.redact import Redactor
from tests.support.rawserver import Context, RawServer, json_answer, raw

STRING, INTEGER = {"type": "string"}, {"type": "integer"}


def document(paths: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": paths, **more}


def answering(schema: Any) -> dict[str, Any]:
    return {"get": {"responses": {"200": {"content": {"application/json": {"schema": schema}}}}}}


def taking(**schemas: Any) -> dict[str, Any]:
    return {"get": {"parameters": [{"name": n, "in": "query", "schema": s} for n, s in schemas.items()]}}


OLD = document({
    "/a": answering({"type": "object", "properties": {"id": INTEGER}}),
    "/b/{id}": taking(page=INTEGER),
    "/c": taking(),
})  # fmt: skip
NEW = document({
    "/a": answering({"type": "object", "properties": {"id": STRING}}),
    "/b/{pk}": taking(),
    "/d": taking(),
})  # fmt: skip


async def compared(old: Any, new: Any, tmp_path: Path, **settings: Any) -> Result:
    """Over real sockets; a document that is bytes is the whole answer."""
    answers = [one if isinstance(one, bytes) else json_answer(one) for one in (old, new)]
    async with RawServer(answers[0]).running() as ours, RawServer(answers[1]).running() as theirs:
        result = await Openapi.model_validate(settings).run(Context(ours.url, theirs.url, tmp_path))
    assert json.loads(json.dumps(result.details)) == result.details
    return result


def step(text: str) -> Openapi:
    types = {**CHECKS, **ACTIONS}
    made = TypeAdapter(Step).validate_python(yaml.safe_load(text), context={"step_types": types}).settings
    assert isinstance(made, Openapi)
    return made


def test_a_path_alone_is_that_of_both() -> None:
    assert step("openapi: /api/schema/") == step("openapi: {old: /api/schema/, new: /api/schema/}")
    assert step("openapi: {}") == step("openapi:") == step("openapi: /openapi.json")
    assert step("openapi: {new: /api/schema/}").old == "/openapi.json"


def test_it_says_what_it_will_ask(tmp_path: Path) -> None:
    file = tmp_path / "old.json"
    file.write_text("{}")
    check = Openapi.model_validate({"old": str(file), "new": "/api/schema/"})
    assert check.requests() == ["GET /api/schema/ on new"]
    assert check.summary() == f"{file} of old against /api/schema/ of new, nothing breaking"


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"old": "openapi.json"}, "no file that exists"),
        ({"new": "ftp://example.com/x"}, "no http://"),
        ({"old": ""}, "at least 1 character"),
        ({"ignore": ["parameter-remove"]}, "did you mean 'parameter-removed'"),
        ({"ignore": ["GET"]}, "names no changes"),
        ({"ignore": ["GET studies"]}, "names no changes"),
        ({"ignore": ["get /studies"]}, "'get' is no kind of change"),
        ({"ignore": ["parameter-removed GET"]}, "names no changes"),
        ({"ignore": [""]}, "names no changes"),
        ({"ignore": [7]}, "names no changes"),
        ({"fail_on": "info"}, "breaking"),
        ({"rewrite_path": {"a": "/b"}}, "starts with /"),
        ({"olld": "/x"}, "did you mean 'old'"),
    ],
)
def test_a_mistake_is_found_when_the_plan_is_checked(settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError) as mistake:
        Openapi.model_validate(settings)
    assert complaint in str(mistake.value)


async def test_the_same_document_passes(tmp_path: Path) -> None:
    result = await compared(OLD, OLD, tmp_path)
    assert result.verdict is Verdict.PASS
    assert result.summary == "3 operations compared, nothing changed"
    assert result.figures == {"breaking": 0.0, "warnings": 0.0, "infos": 0.0, "operations": 3.0}


async def test_what_breaks_fails_and_the_worst_is_named_first(tmp_path: Path) -> None:
    result = await compared(OLD, NEW, tmp_path)
    assert result.verdict is Verdict.FAIL
    assert result.summary == (
        "2 operations compared, 2 breaking, 1 warning, 1 info: GET /c: is gone (operation-removed); "
        "GET /a 200 $.id: was integer, is string (response-type-changed); "
        "GET /b/{id} query page: is gone: what a client sends there has no effect (parameter-removed); "
        f"all of them: {tmp_path}/changes.txt"
    )
    assert result.figures == {"breaking": 2.0, "warnings": 1.0, "infos": 1.0, "operations": 2.0}
    assert [change["id"] for change in result.details["changes"]] == [
        "operation-removed", "response-type-changed", "parameter-removed", "operation-added",
    ]  # fmt: skip
    assert (tmp_path / "changes.txt").read_text().splitlines()[2:] == [
        "warning   GET /b/{id} query page: is gone: what a client sends there has no effect (parameter-removed)",
        "info      GET /d: is new (operation-added)",
    ]
    assert result.details["changes"][1] == {
        "level": "breaking", "id": "response-type-changed", "operation": "GET /a", "where": "200 $.id",
        "message": "was integer, is string",
    }  # fmt: skip


async def test_warnings_fail_where_the_plan_says_so(tmp_path: Path) -> None:
    old, new = document({"/b": taking(page=INTEGER)}), document({"/b": taking()})
    assert (await compared(old, new, tmp_path)).verdict is Verdict.PASS
    assert (await compared(old, new, tmp_path, fail_on="warning")).verdict is Verdict.FAIL


async def test_what_is_ignored_is_counted_and_what_never_matched_is_told(tmp_path: Path) -> None:
    ignore = ["GET /c", "response-type-changed GET /a", "parameter-removed GET /b/{x}", "operation-added", "GET /x"]
    result = await compared(OLD, NEW, tmp_path, ignore=ignore)
    assert result.verdict is Verdict.PASS
    assert result.summary == "2 operations compared, nothing changed; ignore: 'GET /x' never matched"
    assert result.details["ignored"] == 4
    assert result.details["unused_ignores"] == ["GET /x"]


async def test_a_prefix_that_moved_is_named_by_the_plan(tmp_path: Path) -> None:
    old, new = document({"/api/v1/a": taking()}), document({"/api-dj/a": taking()})
    result = await compared(old, new, tmp_path)
    assert result.verdict is Verdict.UNKNOWN
    assert "no operation in common (GET /api/v1/a on old, GET /api-dj/a on new); rewrite_path" in result.summary
    result = await compared(old, new, tmp_path, rewrite_path={"/api/v1/": "/api-dj/"})
    assert result.verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("old", "new", "settings", "told"),
    [
        (OLD, raw(404), {}, "/openapi.json: answered 404, expected 200"),
        (raw(200, body="<html>"), OLD, {}, "is HTML or XML"),
        (raw(500), raw(503), {}, "answered 503"),
        ({"swagger": "2.0"}, OLD, {}, "is Swagger 2.0"),
        (document({}), OLD, {}, "old's document"),
        (OLD, document({}), {}, "describes no operation"),
        (document({"/a": taking()}), document({"/b": taking()}), {"ignore": ["operation-removed"]}, "in common"),
        (document({"/a": taking()}), document({"/a": taking()}), {"ignore": ["GET /a"]}, "nothing was compared"),
    ],
)
async def test_what_could_not_be_compared_is_unknown(
    old: Any, new: Any, settings: dict[str, Any], told: str, tmp_path: Path
) -> None:
    result = await compared(old, new, tmp_path, **settings)
    assert result.verdict is Verdict.UNKNOWN
    assert told in result.summary


async def test_a_backend_that_is_not_there_is_unknown_and_named(tmp_path: Path) -> None:
    async with RawServer(json_answer(OLD)).running() as new:
        result = await Openapi().run(Context("http://127.0.0.1:1", new.url, tmp_path))
    assert result.verdict is Verdict.UNKNOWN
    assert result.summary.startswith("http://127.0.0.1:1/openapi.json: can't be asked:")


async def test_a_backend_that_never_answers_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "TIMEOUT_S", 0.2)

    async def silent(_: bytes, __: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async with RawServer(silent).running() as old, RawServer(json_answer(OLD)).running() as new:
        result = await Openapi().run(Context(old.url, new.url, tmp_path))
    assert result.verdict is Verdict.UNKNOWN
    assert "no whole answer" in result.summary


async def test_each_side_is_asked_with_its_own_headers_and_under_the_public_name(tmp_path: Path) -> None:
    async with RawServer(json_answer(OLD)).running() as old, RawServer(json_answer(OLD)).running() as new:
        await Openapi().run(Context(old.url, new.url, tmp_path))
    for server, token in ((old, b"Bearer old-side"), (new, b"Bearer new-side")):
        (asked,) = server.asked
        assert token in asked
        assert b"\r\nHost: api.example:8080\r\n" in asked


async def test_a_redirect_to_the_public_name_is_followed_on_the_same_backend(tmp_path: Path) -> None:
    moved = raw(307, "Location: http://api.example:8080/openapi.json/")
    async with RawServer(moved, json_answer(OLD)).running() as old, RawServer(json_answer(OLD)).running() as new:
        result = await Openapi().run(Context(old.url, new.url, tmp_path))
    assert result.verdict is Verdict.PASS
    assert old.asked[1].startswith(b"GET /openapi.json/ ")


async def test_files_and_urls_are_compared_as_well(tmp_path: Path) -> None:
    file = tmp_path / "old.yml"
    file.write_text(yaml.safe_dump(OLD))
    async with RawServer(json_answer(OLD)).running() as elsewhere:
        check = Openapi.model_validate({"old": str(file), "new": f"{elsewhere.url}/x.json"})
        result = await check.run(Context("http://127.0.0.1:1", "http://127.0.0.1:1", tmp_path))
    assert result.verdict is Verdict.PASS
    assert b"new-side" not in elsewhere.asked[0]


async def test_a_document_shows_no_secret_and_steers_no_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    redactor = Redactor()
    redactor.add("s3cret-word")
    monkeypatch.setattr("cutover.checks.openapi.redact", redactor.text)
    monkeypatch.setattr("cutover.checks.openapi.redact_data", redactor.data)
    gone = {"type": "object", "properties": {"s3cret-word\x1b[2J": STRING, "x" * 100_000: STRING, "\ud800": STRING}}
    result = await compared(
        document({"/a": answering(gone)}), document({"/a": answering({"type": "object"})}), tmp_path
    )
    assert result.figures["breaking"] == 3
    text = result.summary + json.dumps(result.details, ensure_ascii=False)
    assert "s3cret" not in text
    assert "\x1b" not in text
    assert len(text.encode()) < 10_000


async def test_very_many_changes_are_counted_and_bounded(tmp_path: Path) -> None:
    old = document({f"/{n}": taking() for n in range(1500)} | {"/a": taking()})
    result = await compared(old, document({"/a": taking()}), tmp_path)
    assert result.figures["breaking"] == 1500
    assert len(result.details["changes"]) == 1000
    assert result.details["not_shown"] == 500
    assert result.summary.endswith(f"; and 1497 more; all of them: {tmp_path}/changes.txt")
    assert len((tmp_path / "changes.txt").read_text().splitlines()) == 1000
