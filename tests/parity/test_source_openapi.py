"""Requests from a document, with ids that old gives."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from cutover.openapi.document import Document
from cutover.openapi.read import read_document
from cutover.parity.answers import Answer, Failure
from cutover.parity.fetch import Asker, Side
from cutover.parity.options import ComparedRequest
from cutover.parity.sources.ids import MAX_ASKED, MAX_FAILURES
from cutover.parity.sources.openapi import DrawnFromDocument, draw

CLINIC = Path(__file__).parent / "apps" / "clinic_app.py"
REPORT = "0e0f3c1e-6b0f-4e0e-8a3a-2f3f6f0d9a1"


@pytest.fixture(scope="module")
def clinic() -> Iterator[str]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        descriptor = listening.fileno()
        process = subprocess.Popen([sys.executable, str(CLINIC), str(descriptor)], pass_fds=[descriptor])
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            process.terminate()
            process.wait(10)


@pytest.fixture
async def asker(clinic: str) -> AsyncIterator[Asker]:
    async with Side("old", clinic, dict).open() as asker:
        yield asker


async def test_a_real_document_is_covered_with_ids_of_its_real_server(clinic: str, asker: Asker) -> None:
    document = await read_document("/openapi.json", base=clinic, headers={})
    statuses: dict[str, int] = {}

    async def ask(request: ComparedRequest) -> Answer | Failure:
        return await asker.ask(request, request.path)

    drawn = await draw(document, ask)
    for request in drawn.drawn.requests:
        answer = await ask(request)
        assert isinstance(answer, Answer)
        statuses[str(request)] = answer.status
    assert {name for name, status in statuses.items() if status != 200} == {"GET /locked"}
    assert set(statuses) == {
        "GET /patients", "GET /patients?page=1", "GET /patients?active=true", "GET /patients?active=false",
        "GET /patients/1", "GET /patients/2", "GET /patients/3",
        "GET /patients/1/studies", "GET /patients/2/studies", "GET /patients/3/studies",
        "GET /patients/4/studies/1.2.840.1", "GET /patients/4/studies/1.2.840.2",
        "GET /reports", f"GET /reports/{REPORT}0", f"GET /reports/{REPORT}1", f"GET /reports/{REPORT}2",
        "GET /search?q=knee", "GET /search?q=knee&modality=CT", "GET /search?q=knee&modality=MR",
        "GET /search?q=knee&modality=US",
        "GET /modalities/CT", "GET /modalities/MR", "GET /modalities/US",
        "GET /exports/weekly", "GET /locked", "GET /tenants",
    }  # fmt: skip
    assert drawn.uncovered == {
        "GET /devices/{device_id}": "no list answer gave the device_id",
        "GET /locked/{locked_id}": "no list answer gave the locked_id (GET /locked answered 401)",
        "GET /signed": "its parameter access_token is a credential: list a request",
        "POST /patients/{patient_id}/notes": "writes: list it with unsafe: true",
    }
    assert drawn.drawn.left_out == []


Answers = Mapping[str, Any]


class Old:
    """Answers paths with JSON, or with what a function gives; counts what it was asked."""

    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self.asked: Counter[str] = Counter()

    async def __call__(self, request: ComparedRequest) -> Answer | Failure:
        self.asked[request.path] += 1
        found = self.answers.get(request.path)
        if isinstance(found, Answer | Failure):
            return found
        return Answer(404) if found is None else Answer(200, body=json.dumps(found).encode())


def document(*paths: str, schema: Any = None, **more: Any) -> Document:
    """GET at each path; ``more`` are whole path items by their paths' names."""
    items: dict[str, Any] = {path: {"get": {"responses": {"200": {"description": ""}}}} for path in paths}
    for path in paths if schema else ():
        names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
        items[path]["get"]["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": schema} for name in names
        ]
    data = {
        "openapi": "3.0.3",
        "info": {"title": "t", "version": "1"},
        "paths": {**items, **more.pop("items", {})},
        **more,
    }
    return Document.parse(data, "openapi.json")


def operation(**parts: Any) -> dict[str, Any]:
    return {"get": {"responses": {"200": {"description": ""}}, **parts}}


def query(name: str, *, required: bool = False, schema: Any = None, **more: Any) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": required, "schema": schema or {"type": "string"}, **more}


async def drawn(doc: Document, answers: Answers | None = None, limit: int | None = None) -> DrawnFromDocument:
    return await draw(doc, Old(answers or {}), limit=limit)


def asked(found: DrawnFromDocument) -> list[str]:
    return [str(request).removeprefix("GET ") for request in found.drawn.requests]


ITEM = {"id": 7, "uuid": f"{REPORT}0", "slug": "knee", "study_id": 9, "name": "Knee"}


@pytest.mark.parametrize(
    ("path", "answer", "expected"),
    [
        ("/studies/{study_id}", [ITEM], "/studies/9"),
        ("/studies/{studyId}", [ITEM], "/studies/9"),
        ("/studies/{id}", [ITEM], "/studies/7"),
        ("/studies/{uuid}", [ITEM], f"/studies/{REPORT}0"),
        ("/studies/{study_slug}", [ITEM], "/studies/knee"),
        ("/studies/{study}", [ITEM], "/studies/7"),
        ("/studies/{id}/", {"results": [ITEM]}, "/studies/7/"),
        ("/studies/{id}", {"data": {"items": [ITEM]}}, "/studies/7"),
        ("/studies/{id}", {"studies": [ITEM], "tags": ["a"]}, "/studies/7"),
        ("/studies/{id}", {"total": 1, "things": [ITEM]}, "/studies/7"),
        ("/studies/{id}", {"_embedded": {"studies": [ITEM]}}, "/studies/7"),
        ("/studies/{id}", ["a b/c"], "/studies/a%20b%2Fc"),
        ("/studies/{id}", [{"study_id": 9}], "/studies/9"),
        ("/studies/{key}", [{"_id": "x"}], "/studies/x"),
        ("/studies/{id}/files", [ITEM], "/studies/7/files"),
    ],
)
async def test_names_tell_which_member_is_the_id(path: str, answer: Any, expected: str) -> None:
    assert asked(await drawn(document("/studies", path), {"/studies": answer})) == ["/studies", expected]


async def test_a_list_elsewhere_gives_ids_by_its_name_or_its_members() -> None:
    doc = document("/patients", "/archive/{patient_id}", "/by-doctor/{doctor_id}", "/any/{id}")
    found = await drawn(doc, {"/patients": [{"id": 3, "doctor_id": 8}]})
    assert asked(found) == ["/patients", "/archive/3", "/by-doctor/8"]
    assert found.uncovered == {"GET /any/{id}": "no list answer gave the id"}


async def test_what_does_not_fit_the_schema_is_no_id() -> None:
    doc = document("/studies", "/studies/{study}", schema={"type": "string", "format": "uuid"})
    assert asked(await drawn(doc, {"/studies": [{"id": 7, "uuid": f"{REPORT}1"}]}))[1:] == [f"/studies/{REPORT}1"]
    doc = document("/studies", "/studies/{study}", schema={"type": ["integer", "null"]})
    assert asked(await drawn(doc, {"/studies": [{"id": "x", "pk": 5}]}))[1:] == ["/studies/5"]


async def test_a_search_beside_the_path_gives_ids() -> None:
    found = await drawn(document("/studies/search", "/studies/{id}"), {"/studies/search": [{"id": 4}]})
    assert asked(found) == ["/studies/search", "/studies/4"]


async def test_links_tell_where_ids_are() -> None:
    link = {"operationId": "show", "parameters": {"key": "$response.body#/rows/0/nr"}}
    listing = operation(responses={"200": {"description": "", "links": {"one": link}}})
    doc = document(items={"/things": listing, "/one/{key}": operation(operationId="show")})
    rows = [{"nr": n} for n in range(5, 15)]
    assert asked(await drawn(doc, {"/things": {"rows": rows}})) == ["/things", "/one/5", "/one/6", "/one/7"]


async def test_links_in_a_circle_end() -> None:
    def linked(to: str) -> dict[str, Any]:
        link = {"operationId": to, "parameters": {"id": "$response.body#/id"}}
        return operation(
            operationId={"b": "a", "a": "b"}[to], responses={"200": {"description": "", "links": {"l": link}}}
        )

    found = await drawn(document(items={"/a/{id}": linked("b"), "/b/{id}": linked("a")}))
    assert set(found.uncovered) == {"GET /a/{id}", "GET /b/{id}"}


async def test_parents_without_children_are_passed_over() -> None:
    doc = document("/p", "/p/{pid}/s", "/p/{pid}/s/{sid}")
    answers: dict[str, Any] = {"/p": [{"id": n} for n in range(1, 9)], **{f"/p/{n}/s": [] for n in range(1, 9)}}
    answers["/p/6/s"] = [{"id": "x", "p_id": 6}]
    found = await drawn(doc, answers)
    assert set(asked(found)) == {"/p", "/p/1/s", "/p/2/s", "/p/3/s", "/p/6/s/x"}


async def test_optional_parameters_come_one_at_a_time_and_not_too_many() -> None:
    parameters = [
        query("q"),
        query("sort", schema={"enum": ["name", "-name"]}),
        query("tag", schema={"type": "array", "items": {"enum": ["a", "b"]}}, explode=False),
        query("deep", schema={"type": "boolean"}),
        query("page", required=True, schema={"type": "integer", "default": 1}),
        query("api_key"),
    ]
    found = await drawn(document(items={"/a": operation(parameters=parameters)}))
    assert asked(found) == [
        "/a?page=1", "/a?page=1&sort=name", "/a?page=1&tag=a", "/a?page=1&deep=true",
        "/a?page=1&q=a", "/a?page=1&sort=-name", "/a?page=1&tag=b", "/a?page=1&deep=false",
    ]  # fmt: skip
    many = [query(f"p{number}", schema={"enum": list("abcdef")}) for number in range(20)]
    found = await drawn(document(items={"/a": operation(parameters=many)}))
    assert asked(found) == ["/a", *(f"/a?p{number}=a" for number in range(12))]
    found = await drawn(document(items={"/a": operation(parameters=many[:1])}))
    assert asked(found) == ["/a", "/a?p0=a", "/a?p0=b", "/a?p0=c", "/a?p0=d"]


@pytest.mark.parametrize(
    ("parameter", "expected"),
    [
        (query("a", example=[1, "b c"]), "a=1&a=b%20c"),
        (query("a", example=[1, 2], explode=False), "a=1,2"),
        (query("a", example=[1, 2], explode=False, style="pipeDelimited"), "a=1|2"),
        (query("a", example={"b": 1, "c": True}, style="deepObject", explode=True), "a[b]=1&a[c]=true"),
        (query("a", example={"b": 1, "c": 2}), "b=1&c=2"),
        (query("a", example={"b": 1}, explode=False), "a=b,1"),
        (query("a[]", example="x&y=ä"), "a[]=x%26y%3D%C3%A4"),
        ({"name": "f", "in": "query", "content": {"application/json": {"example": {"a": [1]}}}}, "f=%7B%22a%22:[1]%7D"),
    ],
)
async def test_values_are_written_as_their_style_says(parameter: Any, expected: str) -> None:
    found = await drawn(document(items={"/a": operation(parameters=[{**parameter, "required": True}])}))
    assert asked(found) == [f"/a?{expected.replace('[1]', '%5B1%5D')}"]


async def test_odd_names_and_values_of_a_document_break_nothing() -> None:
    parameters = [
        query("\ud800", required=True, example="\ud800"),
        query("", required=True, example="x"),
        query("a b\r\n", required=True, example={"\ud800": [None, {}]}),
        {"name": "X\r\nY", "in": "header", "required": True, "schema": {}, "example": "x"},
        {"name": "X-A", "in": "header", "required": True, "example": "\r\n\ud800ä"},
    ]
    found = await drawn(document("/ä \ud800\n/b?c#d", items={"/a": operation(parameters=parameters)}))
    first, second = found.drawn.requests
    assert first.path == "/%C3%A4%20%ED%A0%80%0A/b%3Fc%23d"
    assert second.path.startswith("/a?%ED%A0%80=%ED%A0%80&x&")
    assert second.headers == {"X-A": "%0D%0A%ED%A0%80%C3%A4"}


async def test_the_limit_is_spread_and_what_it_leaves_out_is_named() -> None:
    doc = document("/a", "/b", items={"/c": operation(parameters=[query("sort", schema={"enum": ["x", "y"]})])})
    assert asked(await drawn(doc, limit=4)) == ["/a", "/b", "/c", "/c?sort=x"]
    found = await drawn(doc, limit=2)
    assert asked(found) == ["/a", "/b"]
    assert found.uncovered == {"GET /c": "beyond the limit of 2"}
    assert [(one.reason, one.count, one.first) for one in found.drawn.left_out] == [
        ("beyond the limit of 2", 3, ["GET /c"])
    ]


async def test_what_is_no_plain_read_is_not_asked() -> None:
    stream = operation(responses={"200": {"description": "", "content": {"text/event-stream": {}}}})
    with_body = operation(requestBody={"required": True, "content": {"application/json": {}}})
    found = await drawn(document(items={"/events": stream, "/find": with_body, "/x": {"put": {"responses": {}}}}))
    assert found.uncovered == {
        "GET /events": "a stream of events, which never ends",
        "GET /find": "needs a body: list a request",
        "PUT /x": "writes: list it with unsafe: true",
    }


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, body=b"<html>"), Answer(200, body=b"[" * 100_000), Answer(200, body=b"\xff"), Answer(500),
        Answer(302, (("location", "/login"),)), Failure("timeout", "no whole answer within 10s"), [], {}, None, 7, "x",
        [None, [], {}, {"id": None}, {"id": {}}, {"id": True}, {"id": "x" * 500}, {"id": ""}, {"id": ".."}, {"": 1}],
        {"results": {"results": {"results": {"results": []}}}}, Answer(200, body=b" " * 5_000_000),
    ],
)  # fmt: skip
async def test_an_answer_without_ids_leaves_an_operation_uncovered(answer: Any) -> None:
    found = await drawn(document("/studies", "/studies/{study_id}"), {"/studies": answer})
    assert asked(found) == ["/studies"]
    assert found.uncovered["GET /studies/{study_id}"].startswith("no list answer gave the study_id (GET /studies ")


async def test_an_old_that_does_not_answer_is_not_asked_for_ever() -> None:
    doc = document(*(f"/l{n}" for n in range(50)), *(f"/l{n}/{{l{n}_id}}" for n in range(50)))
    old = Old({f"/l{n}": Failure("connection", "refused") for n in range(50)})
    found = await draw(doc, old)
    assert old.asked.total() == MAX_FAILURES
    assert len(found.uncovered) == 50


async def test_lists_are_asked_once_and_not_too_often() -> None:
    names: Callable[[int], str] = "l{}".format
    doc = document(*(f"/{names(n)}" for n in range(400)), *(f"/{names(n)}/{{id}}" for n in range(400)))
    old = Old({f"/{names(n)}": [{"id": 1}] for n in range(400)})
    await draw(doc, old)
    assert set(old.asked.values()) == {1}
    assert old.asked.total() == MAX_ASKED
