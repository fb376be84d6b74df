"""What a document says, as operations."""

from __future__ import annotations

import time
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, Header, Query
from fastapi.security import HTTPBearer
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from cutover.openapi.document import Document
from cutover.openapi.errors import DocumentError
from cutover.openapi.operations import Media, Parameter
from tests.openapi.conftest import MakeDocument

GET: dict[str, Any] = {"get": {}}


def test_an_operation_has_all_that_is_said_of_it(document: MakeDocument) -> None:
    read = document(
        {
            "/studies/{id}": {
                "parameters": [
                    {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}},
                    {"name": "page", "in": "query", "schema": {"type": "integer"}},
                ],
                "put": {
                    "operationId": "put_study",
                    "deprecated": True,
                    "parameters": [
                        {"$ref": "#/components/parameters/Page"},
                        {"name": "X-Tenant", "in": "header", "required": True, "example": "demo"},
                        {"name": "Authorization", "in": "header"},
                        {
                            "name": "filter",
                            "in": "query",
                            "content": {"application/json": {"schema": {"type": "array"}}},
                        },
                    ],
                    "requestBody": {
                        "required": True,
                        "content": {
                            "Application/JSON": {
                                "schema": {"$ref": "#/components/schemas/Study"},
                                "examples": {"one": {"value": {"id": 1}}, "two": {"$ref": "#/components/examples/Two"}},
                            }
                        },
                    },
                    "responses": {
                        "200": {"$ref": "#/components/responses/Ok"},
                        "4xx": {"description": "wrong"},
                        "default": {"description": "else"},
                    },
                    "security": [{"token": ["write"]}, {}],
                },
            }
        },
        components={
            "parameters": {"Page": {"name": "page", "in": "query", "required": True, "schema": {"minimum": 1}}},
            "schemas": {"Study": {"type": "object"}},
            "examples": {"Two": {"value": {"id": 2}}},
            "responses": {
                "Ok": {
                    "content": {"application/json": {"schema": {"type": "object"}}},
                    "headers": {"X-Total": {"required": True, "schema": {"type": "integer"}}},
                    "links": {"next": {"operationId": "get_study"}},
                }
            },
        },
    )
    (operation,) = read.operations
    assert operation.name == "PUT /studies/{id}"
    assert operation.key == "PUT /studies/{}"
    assert operation.variables == ["id"]
    assert operation.id == "put_study"
    assert operation.deprecated
    assert operation.pointer == "/paths/~1studies~1{id}/put"
    assert operation.parameters == (
        Parameter("id", "path", required=True, schema={"type": "string"}, style="simple", explode=False),
        Parameter("page", "query", required=True, schema={"minimum": 1}),
        Parameter("X-Tenant", "header", required=True, examples=("demo",), style="simple", explode=False),
        Parameter("filter", "query", schema={"type": "array"}, media_type="application/json"),
    )
    assert operation.body is not None
    assert operation.body.required
    study = Media({"$ref": "#/components/schemas/Study"}, ({"id": 1}, {"id": 2}))
    assert operation.body.media == {"application/json": study}
    assert read.resolve(study.schema) == {"type": "object"}
    ok, client_error, default = operation.replies
    assert (ok.status, client_error.status, default.status) == ("200", "4XX", "default")
    assert ok.success
    assert not default.success
    assert ok.headers["X-Total"].required
    assert ok.links == {"next": {"operationId": "get_study"}}
    assert operation.security == ({"token": ("write",)}, {})


def test_a_variable_that_nobody_describes_is_a_parameter_all_the_same(document: MakeDocument) -> None:
    (operation,) = document({"/a/{id}": GET}).operations
    assert operation.parameters == (Parameter("id", "path", required=True, style="simple", explode=False),)


def test_security_of_the_document_holds_where_an_operation_says_nothing(document: MakeDocument) -> None:
    read = document({"/a": GET, "/login": {"post": {"security": []}}}, security=[{"token": []}])
    assert [operation.security for operation in read.operations] == [({"token": ()},), ()]


@pytest.mark.parametrize(
    ("servers", "path", "template"),
    [
        ([], "/openapi.json", "/a"),
        ([{"url": "/api/v1"}], "/openapi.json", "/api/v1/a"),
        ([{"url": "/api/v1/"}], "/openapi.json", "/api/v1/a"),
        ([{"url": "/"}], "/api/openapi.json", "/a"),
        ([{"url": "https://api.example.com"}], "/openapi.json", "/a"),
        ([{"url": "https://api.example.com/v2/"}], "/openapi.json", "/v2/a"),
        ([{"url": "//api.example.com/v2"}], "/openapi.json", "/v2/a"),
        ([{"url": "v1"}], "/api/openapi.json", "/api/v1/a"),
        ([{"url": "."}], "/api/openapi.json", "/api/a"),
        ([{"url": "https://{env}.example.com/{base}", "variables": {"base": {"default": "v3"}}}], "/", "/v3/a"),
        ([{"url": "https://[broken"}], "/", "/a"),
        ([{"url": 7}, "x"], "/", "/a"),
        ([{"url": "/first"}, {"url": "/second"}], "/", "/first/a"),
    ],
)
def test_paths_begin_with_the_base_path_of_the_server(
    document: MakeDocument, servers: Any, path: str, template: str
) -> None:
    (operation,) = document({"/a": GET}, servers=servers, path=path).operations
    assert operation.template == template


def test_a_path_and_an_operation_may_have_servers_of_their_own(document: MakeDocument) -> None:
    read = document(
        {"/a": {"servers": [{"url": "/files"}], "get": {}, "post": {"servers": [{"url": "/uploads"}]}}, "/b": GET},
        servers=[{"url": "/api"}],
    )
    assert [operation.template for operation in read.operations] == ["/files/a", "/uploads/a", "/api/b"]


def test_a_request_belongs_to_the_most_concrete_template(document: MakeDocument) -> None:
    paths = [
        "/studies/{id}",
        "/studies/search",
        "/{kind}/search",
        "/studies/{id}.{format}",
        "/studies/{id}/images/",
        "/",
    ]
    read = document(dict.fromkeys(paths, GET))

    def matched(path: str, method: str = "GET") -> str | None:
        operation = read.match(method, path)
        return operation.template if operation else None

    assert matched("/studies/search?page=1") == "/studies/search"
    assert matched("/studies/7") == "/studies/{id}"
    assert matched("/studies/a%2Fb%20c") == "/studies/{id}"
    assert matched("/studies/7.json", "get") == "/studies/{id}.{format}"
    assert matched("/patients/search") == "/{kind}/search"
    assert matched("/studies/7/images/") == "/studies/{id}/images/"
    assert matched("/studies/7/images") is None
    assert matched("/studies/") is None
    assert matched("/") == "/"
    assert matched("/studies/7", "POST") is None


def test_a_request_under_another_server_of_the_document_is_known_too(document: MakeDocument) -> None:
    read = document({"/a/{x}": GET}, servers=[{"url": "/api/v1"}, {"url": "https://old.example.com"}, {"url": "/v1"}])
    for path in ("/api/v1/a/7", "/a/7", "/v1/a/7"):
        operation = read.match("GET", path)
        assert operation is not None
        assert operation.template == "/api/v1/a/{x}"
    assert read.match("GET", "/v2/a/7") is None


def test_references_are_followed_over_chains_and_never_in_circles(document: MakeDocument) -> None:
    schemas = {
        "A": {"$ref": "#/components/schemas/B"},
        "B": {"$ref": "#/components/schemas/a~1b%20c"},
        "a/b c": {"type": "string", "maxLength": 5},
        "One": {"$ref": "#/components/schemas/Two"},
        "Two": {"$ref": "#/components/schemas/One"},
        "Remote": {"$ref": "other.yml#/X"},
        "Gone": {"$ref": "#/components/schemas/Nobody"},
        "Listed": {"allOf": [{"type": "integer"}]},
    }
    read = document({}, components={"schemas": schemas})

    def resolved(name: str) -> dict[str, Any]:
        return read.resolve({"$ref": f"#/components/schemas/{name}"})

    assert resolved("A") == {"type": "string", "maxLength": 5}
    assert resolved("One") == resolved("Remote") == resolved("Gone") == {}
    assert resolved("Listed/allOf/0") == {"type": "integer"}
    assert resolved("Listed/allOf/1") == {}
    assert read.resolve({"$ref": "#"}) is read.data
    assert read.resolve(True) == read.resolve(None) == read.resolve("x") == {}
    assert read.resolve(False) == {"not": {}}
    assert read.notes == (
        "other.yml#/X lies outside the document and was not followed",
        "#/components/schemas/Nobody leads nowhere",
    )


def test_what_stands_beside_a_reference_counts_from_3_1_on(document: MakeDocument) -> None:
    schemas = {"A": {"type": "string", "description": "a"}, "B": {"$ref": "#/components/schemas/A", "maxLength": 5}}
    beside = {"$ref": "#/components/schemas/B", "description": "b", "maxLength": 3}
    new = document({}, components={"schemas": schemas})
    assert new.resolve(schemas["B"]) == {"type": "string", "description": "a", "maxLength": 5}
    joined = new.resolve(beside)
    assert joined["maxLength"] == 3
    assert joined["allOf"] == [{"type": "string", "description": "a", "maxLength": 5}]
    old = document({}, version="3.0.3", components={"schemas": schemas})
    assert old.resolve(beside) == {"type": "string", "description": "a"}


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ([], "not a mapping"),
        ({"info": {}}, "has no member openapi"),
        ({"swagger": "2.0"}, r"example at #/swagger: is Swagger 2\.0; OpenAPI 3\.0, 3\.1 and 3\.2 are read"),
        ({"openapi": "4.0"}, r"at #/openapi: has version '4\.0'"),
        ({"openapi": "3.1.0", "paths": []}, "at #/paths: is a list, where a mapping belongs"),
        ({"openapi": "3.1.0", "paths": {"a": {}}}, "at #/paths/a: a path begins with /"),
        ({"openapi": "3.1.0", "paths": {"/a": {"get": None}}}, "at #/paths/~1a/get: is nothing, where a mapping"),
        ({"openapi": "3.1.0", "paths": {"/a": {"get": {"parameters": [{"in": "query"}]}}}}, "without a name"),
        ({"openapi": "3.1.0", "paths": {"/a": {"get": {"parameters": [{"name": "x", "in": "body"}]}}}}, "not 'body'"),
        ({"openapi": "3.1.0", "paths": {"/a": {"get": {"responses": {200: {}}}}}}, "a key is a text, not 200"),
        ({"openapi": "3.1.0", "paths": {"/a": {"get": {"responses": {"200": 1}}}}}, "responses/200: is a number"),
        ({"openapi": "3.1.0", "paths": {"/a": {"get": {"requestBody": {"content": []}}}}}, "requestBody/content: is a"),
    ],
)
def test_a_mistake_is_told_with_its_place(data: Any, told: str) -> None:
    with pytest.raises(DocumentError, match=told):
        Document.parse(data, "example")


@pytest.mark.parametrize("version", ["3.0.3", "3.1.0", "3.2.0", 3.1])
def test_every_version_from_3_0_on_is_read(version: Any) -> None:
    assert Document.parse({"openapi": version}, "example").operations == ()


def nested(depth: int) -> dict[str, Any]:
    node: dict[str, Any] = {}
    for _ in range(depth):
        node = {"items": node}
    return node


def multiplied() -> dict[str, Any]:
    node: dict[str, Any] = {}
    for _ in range(40):
        node = {"a": node, "b": node}
    return node


def circle() -> dict[str, Any]:
    node: dict[str, Any] = {}
    node["again"] = node
    return node


@pytest.mark.parametrize("hostile", [nested(10_000), multiplied(), circle()])
def test_what_is_too_deep_or_too_large_is_refused_soon(hostile: dict[str, Any]) -> None:
    started = time.monotonic()
    with pytest.raises(DocumentError, match=r"nested more than|holds more than"):
        Document.parse({"openapi": "3.1.0", "components": hostile}, "example")
    assert time.monotonic() - started < 20


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
REF = st.sampled_from(["#", "#/", "#/paths", "#/paths/~1a", "#/components/x", "#x", "x", ""])
ANYTHING = JSON | REF.map(lambda ref: {"$ref": ref})
OPERATION = st.fixed_dictionaries(
    {},
    optional={
        "parameters": ANYTHING | st.lists(ANYTHING, max_size=2),
        "requestBody": ANYTHING | st.fixed_dictionaries({"content": ANYTHING}),
        "responses": ANYTHING | st.fixed_dictionaries({"200": ANYTHING}),
        "security": ANYTHING,
        "servers": ANYTHING,
        "operationId": ANYTHING,
    },
)


@given(
    paths=st.dictionaries(
        st.sampled_from(["/a", "/a/{b}", "/{", "x-a"]), ANYTHING | OPERATION | st.fixed_dictionaries({"get": OPERATION})
    ),
    more=ANYTHING,
)
def test_no_document_is_worse_than_a_mistake(paths: Any, more: Any) -> None:
    try:
        read = Document.parse({"openapi": "3.1.0", "paths": paths, "components": more, "servers": more}, "example")
    except DocumentError:
        return
    read.match("GET", "/a/7")
    for operation in read.operations:
        for reply in operation.replies:
            for media in reply.media.values():
                read.resolve(media.schema)


class Study(BaseModel):
    id: int
    note: str | None = None


def fastapi_app(**settings: Any) -> FastAPI:
    app = FastAPI(**settings)
    router = APIRouter(prefix="/studies", dependencies=[Depends(HTTPBearer())])

    @router.get("/{study_id}")
    def read_study(study_id: int, x_tenant: Annotated[str, Header()], page: Annotated[int, Query(ge=1)] = 1) -> Study:
        return Study(id=study_id)

    @router.post("/", status_code=201)
    def create_study(study: Study) -> Study:
        return study

    app.include_router(router)
    return app


def test_the_document_of_a_fastapi_application_is_read() -> None:
    read = Document.parse(fastapi_app().openapi(), "fastapi")
    get, post = read.operations
    assert [(p.name, p.location, p.required) for p in get.parameters] == [
        ("study_id", "path", True), ("page", "query", False), ("x-tenant", "header", True),
    ]  # fmt: skip
    assert get.security == ({"HTTPBearer": ()},)
    assert post.body is not None
    assert read.resolve(post.body.media["application/json"].schema)["required"] == ["id"]
    assert [reply.status for reply in post.replies] == ["201", "422"]
    assert read.match("POST", "/studies/") == post
    assert read.notes == ()


def test_the_root_path_of_a_fastapi_application_is_part_of_its_paths() -> None:
    read = Document.parse(fastapi_app(servers=[{"url": "/api/v1"}]).openapi(), "fastapi")
    assert [operation.name for operation in read.operations] == [
        "GET /api/v1/studies/{study_id}",
        "POST /api/v1/studies/",
    ]
