"""The check ``load`` asks what ``diff`` would: from a file, an access log, a HAR file, old's document."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from cutover.checks.load import Load
from cutover.plan.thresholds import Verdict

if TYPE_CHECKING:
    from .conftest import MakeContext, Serving

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
LOG_LINE = '192.0.2.1 - - [20/Nov/2026:10:00:00 +0000] "{}" 200 12 "-" "curl"\n'
DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "x", "version": "1"},
    "paths": {
        "/items": {"get": {"responses": {}}, "post": {"responses": {}}},
        "/items/{id}": {"get": {"parameters": [{"name": "id", "in": "path", "schema": {"type": "integer"}}]}},
    },
}


def load(**settings: Any) -> Load:
    return Load.model_validate({"backend": "new", "concurrency": 1, "count": 12, "timeout": "5s", **settings})


def asked(serving: Serving) -> Counter[str]:
    return Counter(request.split(b" HTTP")[0].decode() for request in serving.requests)


async def old_with(serving: Serving, answers: dict[str, object], heads: list[bytes]) -> int:
    """An old that answers these paths with JSON, and keeps what it was asked apart from what new was."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            heads.append(head)
            body = json.dumps(answers[head.split()[1].decode()]).encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body))
            writer.write(body)

    return await serving.start(handle)


async def test_a_file_is_asked_in_turn_with_those_that_are_listed(
    serving: Serving, context: MakeContext, tmp_path: Path
) -> None:
    file = tmp_path / "requests.yml"
    file.write_text('["GET /a", {path: /b, headers: {X-Own: "1"}}, "GET /c"]')
    ctx = context(new=await serving.answer(OK), old=1, headers={"Authorization": "Bearer token"})
    settings = load(requests=[{"path": "/c", "status": 200}, "GET /d"], requests_file=str(file), headers={"X-All": "2"})
    result = await settings.run(ctx)
    assert result.passed, result.summary
    assert asked(serving) == {"GET /a": 3, "GET /b": 3, "GET /c": 3, "GET /d": 3}
    assert all(b"X-All: 2" in r and b"Authorization: Bearer token" in r for r in serving.requests)
    assert sum(b"X-Own: 1" in request for request in serving.requests) == 3
    assert settings.requests() == ["GET /c", "GET /d", "GET /a", "GET /b", "GET /c"]


async def test_what_writes_is_asked_only_where_it_says_so_and_the_rest_is_told(
    serving: Serving, context: MakeContext, tmp_path: Path
) -> None:
    file = tmp_path / "requests.yml"
    file.write_text('["GET /a", "DELETE /a", {method: POST, path: /b, json: {x: 1}, unsafe: true}]')
    ctx = context(new=await serving.answer(OK), old=1)
    result = await load(requests_file=str(file)).run(ctx)
    assert result.passed, result.summary
    assert "left out, as it may change data: 1 of the requests" in result.summary
    assert asked(serving) == {"GET /a": 6, "POST /b": 6}
    assert all(request.endswith(b'{"x": 1}') for request in serving.requests if request.startswith(b"POST"))


async def test_an_access_log_gives_its_reads_within_the_limit(
    serving: Serving, context: MakeContext, tmp_path: Path
) -> None:
    log = tmp_path / "access.log"
    lines = ["GET /a?x=1 HTTP/1.1"] * 3 + ["GET /b HTTP/1.1"] * 2 + ["POST /c HTTP/1.1", "GET /d HTTP/1.1"]
    log.write_text("".join(map(LOG_LINE.format, lines)))
    ctx = context(new=await serving.answer(OK), old=1)
    result = await load(access_log=str(log), limit=2, rate="100/s").run(ctx)
    assert asked(serving) == {"GET /a?x=1": 6, "GET /b": 6}
    assert "beyond the limit" in " ".join(one["reason"] for one in result.details["sources"]["left_out"])


async def test_a_har_file_gives_the_reads_of_the_service(
    serving: Serving, context: MakeContext, tmp_path: Path
) -> None:
    old = "http://127.0.0.1:1"
    entries = [
        {"request": {"method": "GET", "url": f"{old}/a", "headers": []}, "response": {"status": 200, "content": {}}},
        {"request": {"method": "PUT", "url": f"{old}/a", "headers": []}, "response": {"status": 200, "content": {}}},
    ]
    har = tmp_path / "recorded.har"
    har.write_text(json.dumps({"log": {"version": "1.2", "entries": entries}}))
    result = await load(har=str(har)).run(context(new=await serving.answer(OK), old=old))
    assert result.passed, result.summary
    assert asked(serving) == {"GET /a": 12}


async def test_olds_document_is_asked_of_old_and_its_reads_of_new(serving: Serving, context: MakeContext) -> None:
    heads: list[bytes] = []
    old = await old_with(serving, {"/openapi.json": DOCUMENT, "/items": [{"id": 7}]}, heads)
    settings = load(openapi="/openapi.json")
    assert set(settings.asks()) == {"new", "old"}
    result = await settings.run(context(new=await serving.answer(OK), old=old, headers={"X-Key": "k"}))
    assert result.passed, result.summary
    assert asked(serving) == {"GET /items": 6, "GET /items/7": 6}
    assert all(b"x-key: k" in head.lower() and b"x-cutover-probe: 1" in head.lower() for head in heads)


async def test_a_source_that_can_not_be_read_makes_it_unknown(
    serving: Serving, context: MakeContext, tmp_path: Path, closed_port: int
) -> None:
    ctx = context(new=await serving.answer(OK), old=closed_port)
    empty, only_writes = tmp_path / "empty.log", tmp_path / "requests.yml"
    empty.write_text(LOG_LINE.format("POST /a HTTP/1.1"))
    only_writes.write_text('["DELETE /a"]')
    for settings, words in (
        ({"access_log": str(tmp_path / "none.log")}, "none.log"),
        ({"openapi": "/openapi.json"}, "no requests: "),
        ({"access_log": str(empty)}, "no requests: "),
        ({"requests_file": str(only_writes)}, "none may be asked of those that"),
    ):
        result = await load(**settings).run(ctx)
        assert result.verdict is Verdict.UNKNOWN
        assert words in result.summary
    assert serving.requests == []


def test_new_has_no_document_in_a_load() -> None:
    with pytest.raises(ValidationError, match="from old's document alone: leave new out"):
        load(openapi={"old": "/openapi.json", "new": "/schema"})


def test_says_what_it_will_ask_and_from_where() -> None:
    settings = load(requests=["GET /a"], openapi="/openapi.json", access_log=["x.log"])
    assert settings.requests() == ["GET /a", "(from the OpenAPI document /openapi.json)", "(from the access log x.log)"]
