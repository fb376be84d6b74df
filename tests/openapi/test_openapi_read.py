"""Where a document is, and who is told our credentials on the way."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from pathlib import Path

import pytest

from cutover.openapi import read
from cutover.openapi.errors import DocumentError
from cutover.openapi.place import Place, place_of
from cutover.openapi.read import read_document
from cutover.openapi.text import load
from tests.support.rawserver import RawServer, json_answer, raw

DATA = {"openapi": "3.1.0", "paths": {"/a": {"get": {"operationId": "a"}}}}
HEADERS = {"Authorization": "Bearer side-token", "accept": "text/html"}
YAML = """
openapi: 3.1.0
paths: &paths
  /a:
    get: &get
      operationId: no
      responses: {200: {description: on}}
  /b:
    get: {<<: *get, operationId: b}
"""


def test_a_name_says_where_the_document_is(tmp_path: Path) -> None:
    file = tmp_path / "openapi.json"
    file.write_text("{}")
    assert place_of("https://example.com/openapi.json") is Place.URL
    assert place_of(str(file)) is Place.FILE
    assert place_of("/openapi.json") is Place.BACKEND
    assert place_of("/api/schema/?format=json") is Place.BACKEND


@pytest.mark.parametrize("where", ["openapi.json", "", "ftp://example.com/x", "/a b", "\0", "x" * 5000, "/" + "\n"])
def test_what_names_nothing_is_a_mistake(where: str) -> None:
    with pytest.raises(DocumentError):
        place_of(where)


async def test_a_path_is_asked_of_the_backend_with_its_headers() -> None:
    async with RawServer(json_answer(DATA)).running() as server:
        document = await read_document("/v1/openapi.json", base=server.url + "/", headers=HEADERS)
    assert [operation.name for operation in document.operations] == ["GET /a"]
    assert document.name == f"{server.url}/v1/openapi.json"
    (asked,) = server.asked
    assert asked.startswith(b"GET /v1/openapi.json HTTP/1.1\r\n")
    assert b"Authorization: Bearer side-token\r\n" in asked
    assert b"Accept: application/json, application/yaml;q=0.9, */*;q=0.8\r\n" in asked


async def test_a_url_of_the_backend_gets_its_headers_and_one_of_another_host_none() -> None:
    async with RawServer(json_answer(DATA)).running() as own, RawServer(json_answer(DATA)).running() as other:
        await read_document(own.url + "/openapi.json", base=own.url, headers=HEADERS)
        await read_document(other.url + "/openapi.json", base=own.url, headers=HEADERS)
        await read_document(own.url.replace("127.0.0.1", "localhost") + "/x", base=own.url, headers=HEADERS)
    assert [b"side-token" in asked for asked in own.asked] == [True, False]
    assert b"side-token" not in other.asked[0]


async def test_redirects_are_followed_within_the_origin_alone() -> None:
    async with RawServer(json_answer(DATA)).running() as other:
        answers = (
            raw(307, "Location: /openapi.json/"),
            json_answer(DATA),
            raw(302, f"Location: {other.url}/x?t=s3cret"),
        )
        async with RawServer(*answers).running() as server:
            document = await read_document("/openapi.json", base=server.url, headers=HEADERS)
            assert document.name == f"{server.url}/openapi.json/"
            with pytest.raises(DocumentError, match="redirects to another origin") as error:
                await read_document("/openapi.json", base=server.url, headers=HEADERS)
    assert other.asked == []
    assert "s3cret" not in str(error.value)
    assert len([asked for asked in server.asked if b"side-token" in asked]) == 3


async def test_redirects_without_end_are_given_up() -> None:
    async with RawServer(raw(301, "Location: /again")).running() as server:
        with pytest.raises(DocumentError, match="redirects more than 5 times"):
            await read_document("/openapi.json", base=server.url, headers={})


async def test_credentials_of_a_url_are_sent_and_never_shown() -> None:
    async with RawServer(json_answer(DATA), raw(404)).running() as server:
        url = server.url.replace("//", "//user:p%40ss@") + "/openapi.json?format=json"
        document = await read_document(url, base="http://elsewhere", headers=HEADERS)
        with pytest.raises(DocumentError, match="answered 404, expected 200") as error:
            await read_document(url, base=server.url, headers=HEADERS)
    for asked in server.asked:
        assert b"Authorization: Basic dXNlcjpwQHNz\r\n" in asked
        assert b"side-token" not in asked
    for text in (document.name, str(error.value)):
        assert text.startswith(f"{server.url}/openapi.json?format=json")


async def test_nobody_there_is_told_with_the_reason() -> None:
    async with RawServer(b"").running() as server:
        pass
    with pytest.raises(DocumentError, match=r"can't be asked: .*onnect"):
        await read_document("/openapi.json", base=server.url, headers={})


@pytest.mark.parametrize("answer", [b"nonsense\r\n\r\n", raw(200, "Content-Length: 99", length=False)])
async def test_an_answer_that_breaks_off_is_told(answer: bytes) -> None:
    async def cut(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        writer.close()

    async with RawServer(cut).running() as server:
        with pytest.raises(DocumentError):
            await read_document("/openapi.json", base=server.url, headers={})


async def test_an_answer_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "TIMEOUT_S", 0.2)

    async def silent(_: bytes, __: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async with RawServer(silent).running() as server:
        with pytest.raises(DocumentError, match=r"no whole answer within 0\.2s"):
            await read_document("/openapi.json", base=server.url, headers={})


async def test_what_is_too_large_is_not_kept_even_if_it_came_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "MAX_DOCUMENT_BYTES", 1024**2)
    bomb = gzip.compress(b" " * 64 * 1024**2)
    async with RawServer(raw(200, "Content-Encoding: gzip", body=bomb)).running() as server:
        with pytest.raises(DocumentError, match="is larger than 1 MB"):
            await read_document("/openapi.json", base=server.url, headers={})


async def test_files_are_read_as_json_and_as_yaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in {
        "a.json": "\ufeff" + json.dumps(DATA),
        "a.yml": YAML,
        "json.txt": json.dumps(DATA, indent=1),
    }.items():
        (tmp_path / name).write_text(text)
        document = await read_document(str(tmp_path / name), base="http://127.0.0.1:1", headers={})
        assert document.operations[0].name == "GET /a"
    monkeypatch.setattr(read, "MAX_DOCUMENT_BYTES", 10)
    with pytest.raises(DocumentError, match="is larger"):
        await read_document(str(tmp_path / "a.yml"), base="http://127.0.0.1:1", headers={})


def test_yaml_is_that_of_1_2_with_merges_and_keys_as_texts() -> None:
    assert load(YAML.encode(), "x") == {
        "openapi": "3.1.0",
        "paths": {
            "/a": {"get": {"operationId": "no", "responses": {"200": {"description": "on"}}}},
            "/b": {"get": {"operationId": "b", "responses": {"200": {"description": "on"}}}},
        },
    }
    assert load(b"a: [1, 1.5, true, null, ~, 2020-01-01, '1', .inf, !x 5, 0x10]", "x") == {
        "a": [1, 1.5, True, None, None, "2020-01-01", "1", ".inf", "5", 16]
    }


BOMB = b"a0: &a0 [x, x]\n" + b"".join(b"a%d: &a%d [*a%d, *a%d]\n" % (n, n, n - 1, n - 1) for n in range(1, 60))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty"),
        (b"<!DOCTYPE html><html>", "is HTML or XML"),
        (b"\xff\xfe", "is not UTF-8"),
        (b'{"openapi": "3.1.0"', "is no JSON: .* line 1"),
        (b"a: [1", "is no YAML: .* at line"),
        (b"a: \x01", "is no YAML"),
        (b"a: 1\n---\nb: 2", "more than one"),
        (b"a: &a {b: *a}", "contains itself"),
        (b"a: *b", "no anchor"),
        (b"{[a]: 1}", "a key is a text"),
        (b"[" * 10_000 + b"]" * 10_000, "nested more than 200"),
        (b"- " * 10_000 + b"x", "nested more than 200"),
        (b'{"a":' * 100_000, "nested more than 200"),
        (b'{"a": ' + b"9" * 5000 + b"}", "can't be read"),
        (BOMB, "holds more than|nested more than"),
    ],
)
def test_hostile_text_is_refused_soon(content: bytes, told: str) -> None:
    started = time.monotonic()
    with pytest.raises(DocumentError, match=told):
        load(content, "x")
    assert time.monotonic() - started < 20
