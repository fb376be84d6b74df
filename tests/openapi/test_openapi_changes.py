"""What a client of old's would meet: for each kind of change a pair that shows it, and what must stay quiet."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutover.openapi.changes import Change, compare, paired
from cutover.openapi.document import Document
from cutover.openapi.levels import LEVELS, Level

STRING = {"type": "string"}
INTEGER = {"type": "integer"}


def document(operations: dict[str, Any], *, version: str = "3.1.0", **more: Any) -> Document:
    """``{"GET /a": {...}}``."""
    paths: dict[str, Any] = {}
    for name, operation in operations.items():
        method, _, path = name.partition(" ")
        paths.setdefault(path, {})[method.lower()] = operation
    return Document.parse({"openapi": version, "paths": paths, **more}, "example")


def changes(old: Any, new: Any, **more: Any) -> list[Change]:
    """Of one operation, ``POST /a``; ``more`` is of both documents."""
    return compare(document({"POST /a": old}, **more), document({"POST /a": new}, **more))


def ids(found: list[Change]) -> list[str]:
    return [change.id for change in found]


def body(schema: Any, *, required: bool = True, media: str = "application/json") -> dict[str, Any]:
    return {"requestBody": {"required": required, "content": {media: {"schema": schema}}}}


def reply(schema: Any, status: str = "200", media: str = "application/json", **more: Any) -> dict[str, Any]:
    return {"responses": {status: {"content": {media: {"schema": schema}}, **more}}}


def query(schema: Any, **more: Any) -> dict[str, Any]:
    return {"parameters": [{"name": "page", "in": "query", "schema": schema, **more}]}


def header(**more: Any) -> dict[str, Any]:
    return {"responses": {"200": {"headers": {"X-Total": {"schema": INTEGER, **more}}}}}


def secured(*ways: Any) -> dict[str, Any]:
    return {"security": list(ways)}


def told_apart(name: str) -> dict[str, Any]:
    return {"oneOf": [CAT, DOG], "discriminator": {"propertyName": name}}


def properties(required: list[str] | None = None, **schemas: Any) -> dict[str, Any]:
    return {"type": "object", "properties": schemas, "required": required or []}


CLOSED = {"additionalProperties": False}
NULLABLE = {"type": ["string", "null"]}
CAT, DOG = properties(["meow"], meow=STRING), properties(["bark"], bark=STRING)
BIRD = properties(["sing"], sing=STRING)
SCHEMES = {
    "components": {
        "securitySchemes": {
            "bearer": {"type": "http", "scheme": "bearer"},
            "oauth": {"type": "oauth2", "flows": {}},
            "basic": {"type": "http", "scheme": "Basic"},
            "token": {"type": "apiKey", "in": "header", "name": "Authorization"},
            "session": {"type": "apiKey", "in": "cookie", "name": "sessionid"},
        }
    }
}

# Id, where, old, new: alone in its comparison.
AB = properties(a=STRING, b=STRING)

FOUND: list[tuple[str, str, Any, Any]] = [
    ("operation-deprecated", "", {}, {"deprecated": True}),
    ("parameter-added-required", "query page", {}, query(INTEGER, required=True)),
    ("parameter-added", "query page", {}, query(INTEGER)),
    ("parameter-removed", "query page", query(INTEGER), {}),
    ("parameter-became-required", "query page", query(INTEGER), query(INTEGER, required=True)),
    ("parameter-became-optional", "query page", query(INTEGER, required=True), query(INTEGER)),
    ("parameter-deprecated", "query page", query(INTEGER), query(INTEGER, deprecated=True)),
    ("parameter-default-changed", "query page", query(INTEGER | {"default": 20}), query(INTEGER | {"default": 50})),
    ("parameter-style-changed", "query page", query({"type": "array"}), query({"type": "array"}, explode=False)),
    ("request-type-changed", "query page", query(STRING), query(INTEGER)),
    ("request-type-changed", "query page $[]", query({"items": STRING}), query({"items": INTEGER})),
    ("request-enum-narrowed", "query page", query({"enum": ["a", "b"]}), query({"enum": ["a"]})),
    ("request-limit-tightened", "query page", query(INTEGER | {"maximum": 100}), query(INTEGER | {"maximum": 50})),
    ("body-added-required", "request", {}, body(STRING)),
    ("body-added", "request", {}, body(STRING, required=False)),
    ("body-removed", "request", body(STRING), {}),
    ("body-became-required", "request", body(STRING, required=False), body(STRING)),
    ("body-became-optional", "request", body(STRING), body(STRING, required=False)),
    ("request-property-added-required", "request $.a", body(properties()), body(properties(["a"], a=STRING))),
    ("request-property-added", "request $.a", body(properties()), body(properties(a=STRING))),
    ("request-property-removed", "request $.a", body(properties(a=STRING)), body(properties())),
    ("request-property-became-required", "request $.a", body(properties(a=STRING)), body(properties(["a"], a=STRING))),
    ("request-property-became-optional", "request $.a", body(properties(["a"], a=STRING)), body(properties(a=STRING))),
    ("request-properties-closed", "request $", body(properties()), body(properties() | CLOSED)),
    ("request-type-changed", "request $.a", body(properties(a=INTEGER)), body(properties(a=STRING))),
    ("request-type-changed", "request $", body({"type": "number"}), body(INTEGER)),
    ("request-type-changed", "request $.a[].b", body(properties(a={"items": properties(b=STRING)})),
     body(properties(a={"items": properties(b=INTEGER)}))),
    ("request-type-changed", "request $.*", body({"additionalProperties": STRING}),
     body({"additionalProperties": INTEGER})),
    ("request-now-described", "request $.a", body(properties(a={})), body(properties(a=STRING))),
    ("request-format-changed", "request $", body(STRING), body(STRING | {"format": "uuid"})),
    ("request-format-changed", "request $", body(STRING | {"format": "date"}), body(STRING | {"format": "date-time"})),
    ("request-enum-narrowed", "request $", body(STRING), body({"enum": ["a"]})),
    ("request-enum-narrowed", "request $", body({"enum": ["a", "b"]}), body({"const": "a"})),
    ("request-became-not-nullable", "request $", body(NULLABLE), body(STRING)),
    ("request-limit-tightened", "request $", body(STRING | {"maxLength": 9}), body(STRING | {"maxLength": 5})),
    ("request-limit-tightened", "request $", body(INTEGER | {"minimum": 0}), body(INTEGER | {"exclusiveMinimum": 0})),
    ("request-limit-added", "request $", body({"type": "array"}), body({"type": "array", "maxItems": 5})),
    ("request-limit-added", "request $", body(STRING), body(STRING | {"minLength": 1})),
    ("request-pattern-changed", "request $", body(STRING), body(STRING | {"pattern": "^a"})),
    ("request-default-changed", "request $", body(STRING | {"default": "a"}), body(STRING | {"default": "b"})),
    ("request-choice-removed", "request $", body({"anyOf": [CAT, DOG, BIRD]}), body({"anyOf": [CAT, DOG]})),
    ("request-widened", "request $", body({"anyOf": [CAT, DOG]}), body({"oneOf": [DOG, BIRD, CAT]})),
    ("request-widened", "request $", body(INTEGER), body({"type": "number"})),
    ("request-widened", "request $", body(STRING), body(NULLABLE)),
    ("request-widened", "request $", body({"enum": ["a"]}), body({"enum": ["a", "b"]})),
    ("request-widened", "request $", body(STRING | {"format": "uuid"}), body(STRING)),
    ("request-widened", "request $", body(STRING | {"maxLength": 5}), body(STRING)),
    ("request-widened", "request $", body(STRING), body({})),
    ("request-media-type-removed", "request text/csv",
     {"requestBody": {"content": {"text/csv": {}, "application/json": {}}}},
     {"requestBody": {"content": {"application/json": {}}}}),
    ("request-media-type-added", "request text/csv",
     {"requestBody": {"content": {"application/json": {}}}},
     {"requestBody": {"content": {"application/json; charset=utf-8": {}, "text/csv": {}}}}),
    ("success-status-removed", "204", {"responses": {"200": {}, "204": {}}}, {"responses": {"200": {}}}),
    ("other-status-removed", "404", {"responses": {"200": {}, "404": {}}}, {"responses": {"200": {}}}),
    ("status-added", "404", {"responses": {"200": {}}}, {"responses": {"200": {}, "404": {}}}),
    ("response-media-type-removed", "200 application/json", reply(STRING), {"responses": {"200": {}}}),
    ("response-media-type-added", "200 application/json", {"responses": {"200": {}}}, reply(STRING)),
    ("response-header-removed", "200 header X-Total", header(required=True), {"responses": {"200": {}}}),
    ("response-optional-header-removed", "200 header X-Total", header(), {"responses": {"200": {}}}),
    ("response-optional-header-removed", "200 header X-Total", header(required=True), header()),
    ("response-header-added", "200 header X-Total", {"responses": {"200": {}}}, header()),
    ("response-type-changed", "200 header X-Total", header(), header(schema=STRING)),
    ("response-property-removed", "200 $.a", reply(properties(a=STRING)), reply(properties())),
    ("response-property-added", "200 $.a", reply(properties()), reply(properties(a=STRING))),
    ("response-property-became-optional", "200 $.a", reply(properties(["a"], a=STRING)), reply(properties(a=STRING))),
    ("response-property-became-required", "200 $.a", reply(properties(a=STRING)), reply(properties(["a"], a=STRING))),
    ("response-property-removed", '200 $["a b"][].c', reply({"properties": {"a b": {"items": properties(c=STRING)}}}),
     reply({"properties": {"a b": {"items": properties()}}})),
    ("response-type-changed", "200 $", reply(INTEGER), reply(STRING)),
    ("response-type-changed", "200 $", reply(INTEGER), reply({"type": "number"})),
    ("response-type-changed", "200 $[1]", reply({"prefixItems": [STRING, STRING]}),
     reply({"prefixItems": [STRING, INTEGER]})),
    ("response-narrowed", "200 $", reply({"type": "number"}), reply(INTEGER)),
    ("response-narrowed", "200 $", reply({}), reply(INTEGER)),
    ("response-narrowed", "200 $", reply(STRING), reply(STRING | {"maxLength": 5})),
    ("response-narrowed", "200 $", reply({"oneOf": [CAT, DOG]}), reply(CAT)),
    ("response-no-longer-described", "200 $", reply(INTEGER), reply({})),
    ("response-format-changed", "200 $", reply(STRING | {"format": "date"}), reply(STRING | {"format": "date-time"})),
    ("response-format-removed", "200 $", reply(STRING | {"format": "date"}), reply(STRING)),
    ("response-enum-widened", "200 $", reply({"enum": ["a"]}), reply({"enum": ["a", "b"]})),
    ("response-enum-widened", "200 $", reply({"enum": ["a"]}), reply(STRING)),
    ("response-became-nullable", "200 $.a", reply(properties(a=STRING)), reply(properties(a=NULLABLE))),
    ("response-became-nullable", "200 $", reply({"anyOf": [CAT, DOG]}), reply({"anyOf": [CAT, DOG, {"type": "null"}]})),
    ("response-limit-loosened", "200 $", reply(STRING | {"maxLength": 5}), reply(STRING | {"maxLength": 9})),
    ("response-pattern-changed", "200 $", reply(STRING | {"pattern": "^a"}), reply(STRING | {"pattern": "^b"})),
    ("response-choice-added", "200 $", reply({"oneOf": [CAT, DOG]}), reply({"oneOf": [CAT, DOG, BIRD]})),
    ("request-discriminator-changed", "request $", body(told_apart("kind")), body(told_apart("type"))),
    ("response-discriminator-changed", "200 $", reply(told_apart("kind")), reply(told_apart("type"))),
    ("response-discriminator-changed", "200 $", reply(properties() | {"discriminator": {"propertyName": "kind"}}),
     reply(properties() | {"discriminator": {"propertyName": "type"}})),
    ("request-dependency-added", "request $", body(AB), body(AB | {"dependentRequired": {"a": ["b"]}})),
    ("request-widened", "request $", body(AB | {"dependencies": {"a": ["b"]}}), body(AB)),
    ("response-dependency-removed", "200 $", reply(AB | {"dependentRequired": {"a": ["b"]}}), reply(AB)),
    ("response-enum-changed", "200 $", reply({"const": "a"}), reply({"const": "b"})),
    ("response-enum-changed", "200 $", reply({"enum": ["a", "b"]}), reply({"enum": ["a", "c"]})),
    ("response-no-longer-described", "200 $.*", reply({"additionalProperties": INTEGER}), reply({"type": "object"})),
    ("response-no-longer-described", "200 $[]", reply({"items": INTEGER}), reply({"type": "array"})),
    ("response-no-longer-described", "200 $[1]", reply({"prefixItems": [STRING, STRING]}),
     reply({"prefixItems": [STRING]})),
    ("response-type-changed", "200 $[0]", reply({"items": INTEGER}),
     reply({"prefixItems": [STRING], "items": INTEGER})),
    ("request-now-described", "request $.*", body({"type": "object"}), body({"additionalProperties": INTEGER})),
    ("request-now-described", "request $[]", body({"type": "array"}), body({"items": INTEGER})),
    ("request-type-changed", "request $[]", body({"items": INTEGER}), body({"type": "array", "items": False})),
    ("schema-not-understood", "200 $.a", reply(properties(a={})), reply(properties(a={"type": 5}))),
    ("schema-not-understood", "200 $.a", reply(properties(a={})), reply(properties(a={"type": "strin"}))),
    ("schema-not-understood", "200 $", reply(AB), reply(AB | {"required": "a"})),
    ("schema-not-understood", "request $.a", body(properties(a={})), body(properties(a="string"))),
    ("schema-not-understood", "request $[]", body({"items": CAT}), body({"items": CAT | {"anyOf": {"x": 1}}})),
    ("integer-width-changed", "200 $", reply(INTEGER | {"format": "int32"}), reply(INTEGER | {"format": "int64"})),
    ("integer-width-changed", "request $", body(INTEGER | {"format": "int64"}), body(INTEGER | {"format": "int32"})),
    ("security-added", "", {}, secured({"bearer": []})),
    ("security-added", "", secured({"bearer": []}, {}), secured({"bearer": []})),
    ("security-changed", "", secured({"bearer": []}), secured({"session": []})),
    ("security-changed", "", secured({"bearer": []}, {"basic": []}), secured({"bearer": []})),
    ("security-changed", "", secured({"bearer": []}), secured({"bearer": [], "session": []})),
    ("security-scope-added", "", secured({"oauth": ["read"]}), secured({"oauth": ["read", "write"]})),
    ("security-unclear", "", secured({"bearer": []}), secured({"token": []})),
    ("security-removed", "", secured({"bearer": []}), {}),
]  # fmt: skip


@pytest.mark.parametrize(("id_", "where", "old", "new"), FOUND, ids=[f"{n}-{row[0]}" for n, row in enumerate(FOUND)])
def test_a_change_is_found_with_its_place_and_nothing_else(id_: str, where: str, old: Any, new: Any) -> None:
    (change,) = changes(old, new, **SCHEMES)
    assert (change.id, change.where, change.operation) == (id_, where, "POST /a")
    assert change.level is LEVELS[id_]
    assert change.message


@pytest.mark.parametrize(("id_", "where", "old", "new"), FOUND, ids=[f"{n}-{row[0]}" for n, row in enumerate(FOUND)])
def test_the_other_way_round_is_another_change_or_none(id_: str, where: str, old: Any, new: Any) -> None:
    found = changes(new, old, **SCHEMES)
    assert id_ not in ids(found) or id_ in SYMMETRIC
    if LEVELS[id_] is Level.INFO and id_ not in {
        "response-pattern-changed",
        "operation-deprecated",
        "parameter-deprecated",
    }:
        assert id_ == "status-added" or found


SYMMETRIC = {
    "parameter-default-changed", "parameter-style-changed", "request-type-changed", "request-format-changed",
    "request-default-changed", "response-type-changed", "response-format-changed", "response-pattern-changed",
    "request-discriminator-changed", "response-discriminator-changed", "response-enum-changed",
    "schema-not-understood", "security-changed", "security-unclear",
}  # fmt: skip


@pytest.mark.parametrize(
    "schema", [{"type": 5}, {"type": "object", "required": "a"}, {"properties": []}, 5, {"enum": 1}]
)
def test_what_is_not_understood_is_never_equal(schema: Any) -> None:
    found = changes(reply({"type": "array", "items": schema}), reply({"type": "array", "items": copy.deepcopy(schema)}))
    assert ids(found) == ["schema-not-understood"] * 2
    assert [change.message.split("'")[0] for change in found] == ["old", "new"]


def test_every_id_is_shown_by_a_test() -> None:
    elsewhere = {
        "operation-removed", "operation-added", "reference-not-followed", "request-property-refused",
    }  # fmt: skip
    assert {row[0] for row in FOUND} | elsewhere == set(LEVELS)


A = {"$ref": "#/components/schemas/A"}
COMPONENTS = {
    "schemas": {
        "A": properties(["id"], id=INTEGER, next={"$ref": "#/components/schemas/A"}),
        "Kind": {"type": "string", "enum": ["x", "y"]},
        "Blank": {"enum": [""]},
        "Null": {"enum": [None]},
        "Circle": {"$ref": "#/components/schemas/Circle"},
    }
}
NULL = {"type": "null"}

# Two spellings of one schema.
SAME: list[tuple[Any, Any]] = [
    ({"type": ["string", "null"]}, {"type": "string", "nullable": True}),
    ({"anyOf": [STRING, NULL]}, {"type": "string", "nullable": True}),
    ({"oneOf": [NULL, STRING]}, {"type": ["null", "string"]}),
    ({"anyOf": [A, NULL]}, {"allOf": [A], "nullable": True}),
    ({"anyOf": [A, NULL], "title": "A"}, {"oneOf": [A, {"enum": [None]}]}),
    ({"anyOf": [{"$ref": "#/components/schemas/Kind"}, NULL]},
     {"oneOf": [{"$ref": "#/components/schemas/Kind"}, {"$ref": "#/components/schemas/Null"}], "nullable": True}),
    ({"type": "string", "enum": ["x", "y", ""]},
     {"oneOf": [{"$ref": "#/components/schemas/Kind"}, {"$ref": "#/components/schemas/Blank"}]}),
    ({"type": "string", "enum": ["y", "x", None], "nullable": True}, {"anyOf": [{"enum": ["x", "y"]}, NULL]}),
    ({"anyOf": [STRING, INTEGER]}, {"type": ["integer", "string"]}),
    ({"const": "a"}, {"type": "string", "enum": ["a"]}),
    (A, {"allOf": [A]}),
    (A, {"allOf": [{"allOf": [A, A]}, {"description": "an A"}], "readOnly": False}),
    (A, properties(["id"], id=INTEGER, next=A)),
    (properties(["a"], a=STRING, b=INTEGER), {"allOf": [properties(["a"], a=STRING), properties(b=INTEGER)]}),
    (INTEGER | {"exclusiveMinimum": 0}, INTEGER | {"minimum": 1}),
    (INTEGER | {"minimum": 0, "exclusiveMinimum": True}, INTEGER | {"minimum": 1}),
    ({"type": "number", "minimum": 0, "exclusiveMinimum": True}, {"type": "number", "exclusiveMinimum": 0.0}),
    (INTEGER, INTEGER | {"format": "int64"}),
    (INTEGER, INTEGER | {"minimum": -2147483648, "maximum": 2147483647}),
    (INTEGER, INTEGER | {"minimum": -9223372036854775808, "maximum": 9223372036854775807, "format": "int64"}),
    ({"type": "number"}, {"type": "number", "format": "double"}),
    (STRING | {"format": "url"}, STRING | {"format": "uri"}),
    (STRING | {"format": "binary"}, STRING | {"contentMediaType": "application/octet-stream"}),
    (STRING | {"minLength": 0}, STRING),
    ({"type": "array", "items": {}}, {"type": "array"}),
    ({"type": "object", "additionalProperties": True}, {"type": "object"}),
    ({"type": "object", "additionalProperties": {}}, {"type": "object"}),
    (STRING | {"title": "T", "description": "D", "example": "e", "deprecated": False}, STRING | {"examples": ["f"]}),
    ({"anyOf": [CAT, DOG]}, {"oneOf": [DOG, CAT]}),
    ({"anyOf": [CAT, DOG, NULL]}, {"oneOf": [DOG, CAT], "nullable": True}),
    (True, {}),
    ({"$ref": "#/components/schemas/Circle"}, {}),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), SAME)
@pytest.mark.parametrize(
    "make", [body, reply, lambda schema: reply({"items": schema}), lambda s: body(properties(x=s))]
)
def test_two_spellings_of_one_thing_are_no_change(make: Any, one: Any, other: Any) -> None:
    assert changes(make(one), make(other), components=COMPONENTS) == []
    assert changes(make(other), make(one), components=COMPONENTS) == []


QUIET: list[tuple[Any, Any]] = [
    ({"operationId": "a", "summary": "s", "tags": ["t"]}, {"operationId": "b", "description": "d"}),
    (query({"anyOf": [STRING, NULL]}), query(STRING)),
    (query({"enum": [1, 2]}), query({"enum": ["2", "1"]})),
    (query(INTEGER | {"default": 20}), query(INTEGER)),
    (query(INTEGER), query(INTEGER | {"default": 20})),
    (query(INTEGER, explode=False), query(INTEGER, style="form", explode=True)),
    (
        {"parameters": [{"name": "X-Tenant", "in": "header"}]},
        {"parameters": [{"name": "x-tenant", "in": "header", "schema": {}}]},
    ),
    (header(), {"responses": {"200": {"headers": {"x-total": {"schema": INTEGER}}}}}),
    (reply(STRING, "200"), reply(STRING, "2XX")),
    (reply(STRING, "200"), reply(STRING, "default")),
    (reply(STRING, media="application/json"), reply(STRING, media="application/json; charset=utf-8")),
    (secured({"bearer": []}), secured({"oauth": []})),
    (secured({"bearer": [], "session": []}), secured({"bearer": []})),
    (secured({"bearer": []}), secured({"session": []}, {"bearer": []})),
    (body(properties(id=INTEGER | {"readOnly": True}, a=STRING)), body(properties(a=STRING))),
    (body(properties(a=STRING)), body(properties(["id"], id=INTEGER | {"readOnly": True}, a=STRING))),
    (reply(properties(p=STRING | {"writeOnly": True}, a=STRING)), reply(properties(a=STRING))),
]


@pytest.mark.parametrize(("old", "new"), QUIET)
def test_what_no_client_notices_is_no_change(old: Any, new: Any) -> None:
    assert changes(old, new, **SCHEMES) == []


def test_operations_are_paired_whatever_their_variables_are_called() -> None:
    path = {"name": "id", "in": "path", "required": True, "schema": INTEGER}
    old = document({"GET /a/{id}": {"parameters": [path]}, "GET /gone": {}, "GET /b": {}, "PUT /b": {}})
    new = document({"GET /a/{pk}": {"parameters": [path | {"name": "pk"}]}, "GET /new": {}, "GET /b/": {}})
    found = compare(old, new)
    assert [str(change) for change in found] == [
        "GET /gone: is gone",
        "GET /b: is gone; there is GET /b/",
        "PUT /b: is gone",
        "GET /new: is new",
        "GET /b/: is new",
    ]
    pairing = paired(old, new)
    assert [(one.name, other.name) for one, other in pairing.common] == [("GET /a/{id}", "GET /a/{pk}")]
    narrowed = document({"GET /a/{pk}": {"parameters": [path | {"name": "pk", "schema": {"type": "boolean"}}]}})
    (change,) = [c for c in compare(old, narrowed) if c.operation == "GET /a/{id}"]
    assert (change.id, change.where) == ("request-type-changed", "path id")


def test_a_prefix_of_olds_may_be_another_of_news() -> None:
    old = document({"GET /a/{id}": {}, "GET /b": {}}, servers=[{"url": "/api/v1"}])
    new = document({"GET /api-dj/a/{pk}": {}, "GET /b": {}})
    assert {change.id for change in compare(old, new)} == {"operation-removed", "operation-added"}
    rewrite = {"/api/v1/a": "/api-dj/a", "/api/v1/": "/"}
    assert compare(old, new, rewrite) == []
    assert len(paired(old, new, rewrite).common) == 2


def test_a_prefix_ends_where_a_segment_does() -> None:
    old = document({"GET /apiary": {"responses": {}}, "GET /api/a": {"responses": {}}})
    new = document({"GET /apiary": {"responses": {}}, "GET /v2/a": {"responses": {}}})
    assert ids(compare(old, new, rewrite_path={"/api": "/v2"})) == []


def test_what_errors_look_like_is_a_warning_at_most() -> None:
    old, new = reply(properties(detail=STRING), "404"), reply(properties(message=STRING), "404")
    assert [(change.level, change.id) for change in changes(old, new)] == [
        (Level.WARNING, "response-property-removed"),
        (Level.INFO, "response-property-added"),
    ]


def test_another_success_is_compared_all_the_same() -> None:
    found = changes(reply(properties(a=STRING), "200"), reply(properties(), "201"))
    assert [(change.id, change.where) for change in found] == [
        ("success-status-removed", "200"),
        ("response-property-removed", "200 $.a"),
        ("status-added", "201"),
    ]
    assert found[0].message == "is no longer answered, but 201"


def test_a_property_that_closed_objects_refuse_breaks() -> None:
    found = changes(body(properties(a=STRING)), body(properties() | {"additionalProperties": False}))
    assert ids(found) == ["request-property-refused", "request-properties-closed"]


def test_a_union_is_compared_alternative_by_alternative() -> None:
    changed = properties(["meow"], meow=INTEGER)
    assert [str(c) for c in changes(reply({"anyOf": [CAT, DOG]}), reply({"anyOf": [DOG, changed]}))] == [
        "POST /a 200 $.meow: was string, is integer"
    ]
    assert ids(changes(body(CAT), body({"anyOf": [DOG, CAT]}))) == ["request-widened"]
    assert [str(c) for c in changes(reply(CAT), reply({"anyOf": [CAT, DOG]}))] == [
        "POST /a 200 $.meow: is gone",
        "POST /a 200 $.bark: is new",
    ]


def test_a_difference_that_all_media_types_share_is_told_once() -> None:
    forms = ["application/json", "application/x-www-form-urlencoded", "multipart/form-data"]

    def sent(schema: Any) -> Any:
        return {"requestBody": {"content": {media: {"schema": schema} for media in forms}}}

    (change,) = changes(sent(properties(a=STRING)), sent(properties(a=INTEGER)))
    assert change.where == "request $.a"
    forms = forms[2:]
    (change,) = changes(sent(properties(a=STRING)), sent(properties(a=INTEGER)))
    assert change.where == "request multipart/form-data $.a"


def test_a_recursive_schema_is_compared_once_and_at_its_shortest_path() -> None:
    def trees(leaf: Any) -> dict[str, Any]:
        tree = properties(leaf=leaf, children={"items": {"$ref": "#/components/schemas/Tree"}})
        return {"schemas": {"Tree": tree}}

    wrapped = reply(properties(root={"$ref": "#/components/schemas/Tree"}))
    old = document({"GET /a": wrapped}, components=trees(STRING))
    new = document({"GET /a": wrapped}, components=trees(INTEGER))
    (change,) = compare(old, new)
    assert change.where == "200 $.root.leaf"


def test_an_operation_tells_a_change_that_another_told_already() -> None:
    def made(leaf: Any) -> Document:
        schemas = {
            "A": properties(b={"$ref": "#/components/schemas/B"}, leaf=leaf),
            "B": properties(a={"$ref": "#/components/schemas/A"}),
        }
        replies = {name: reply({"$ref": f"#/components/schemas/{name}"}) for name in schemas}
        return document({"GET /a": replies["A"], "GET /b": replies["B"]}, components={"schemas": schemas})

    found = compare(made(STRING), made(INTEGER))
    assert [(c.operation, c.where) for c in found] == [("GET /a", "200 $.leaf"), ("GET /b", "200 $.a.leaf")]


def test_what_could_not_be_followed_is_told() -> None:
    (change,) = changes(reply({"$ref": "other.yml#/A"}), reply(STRING))[:1]
    assert change.id == "reference-not-followed"
    assert "other.yml#/A" in str(change)


SCALARS = st.sampled_from(["string", "integer", "number", "boolean", "null"])
LEAVES = st.one_of(
    st.fixed_dictionaries({"type": SCALARS | st.lists(SCALARS, min_size=1, max_size=3, unique=True)}),
    st.fixed_dictionaries(
        {"enum": st.lists(st.none() | st.integers(0, 3) | st.sampled_from("ab"), min_size=1, max_size=3)}
    ),
    st.sampled_from([{"$ref": f"#/components/schemas/{name}"} for name in "XYZ"]),
    st.fixed_dictionaries({"type": st.just("integer"), "minimum": st.integers(-3, 3), "default": st.integers(0, 3)}),
    st.fixed_dictionaries(
        {"type": st.just("string"), "format": st.sampled_from(["uuid", "date"]), "nullable": st.booleans()}
    ),
    st.just({}),
)
SCHEMAS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.fixed_dictionaries({"type": st.just("array"), "items": inner}),
        st.fixed_dictionaries({
            "type": st.just("object"),
            "properties": st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
            "required": st.lists(st.sampled_from("abc"), unique=True, max_size=2),
        }),
        *(st.fixed_dictionaries({key: st.lists(inner, min_size=1, max_size=3)}) for key in ("anyOf", "oneOf", "allOf")),
        st.fixed_dictionaries({"additionalProperties": inner}),
    ),
    max_leaves=6,
)  # fmt: skip
COMPONENTS_OF_THREE = st.fixed_dictionaries(dict.fromkeys("XYZ", SCHEMAS))


def reordered(node: Any) -> Any:
    """The same, written the other way round wherever the order says nothing."""
    if isinstance(node, dict):
        ordered = {key: reordered(value) for key, value in reversed(node.items())}
        for key in ("anyOf", "oneOf", "required", "enum"):
            if isinstance(ordered.get(key), list):
                ordered[key] = ordered[key][::-1]
        return ordered
    return [reordered(item) for item in node] if isinstance(node, list) else copy.copy(node)


@given(schema=SCHEMAS, components=COMPONENTS_OF_THREE)
def test_a_document_never_differs_from_itself_however_it_is_written(schema: Any, components: Any) -> None:
    operation = query(schema) | body(schema) | reply(schema)
    old = document({"POST /a": operation, "GET /b": operation}, components={"schemas": components})
    again = Document.parse(reordered(old.data), "again")
    assert compare(old, old) == []
    assert compare(old, again) == []


@given(one=SCHEMAS, other=SCHEMAS, components=COMPONENTS_OF_THREE)
def test_any_two_schemas_can_be_compared(one: Any, other: Any, components: Any) -> None:
    more = {"components": {"schemas": components}}
    for make in (query, body, reply):
        for change in changes(make(one), make(other), **more):
            assert change.id in LEVELS
