"""The table of how answers are compared: each line as pairs that must be found and pairs that must stay quiet."""

from __future__ import annotations

import gzip
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import pytest

from cutover.checks.base import Result
from cutover.plan.thresholds import Verdict
from tests.support.rawserver import groups, json_answer, raw

Compare = Callable[..., Awaitable[Result]]


class Pair(NamedTuple):
    """Answers of old and new. ``fails``, ``warns`` and ``notes`` are (kind, path) of what is found."""

    name: str
    old: bytes
    new: bytes
    settings: dict[str, Any] = {}  # noqa: RUF012 - a table
    fails: list[tuple[str, str]] = []  # noqa: RUF012 - a table
    warns: list[tuple[str, str]] = []  # noqa: RUF012 - a table
    notes: list[tuple[str, str]] = []  # noqa: RUF012 - a table


def body(old: Any, new: Any) -> tuple[bytes, bytes]:
    return json_answer(old), json_answer(new)


def moved(status: int, location: str) -> bytes:
    return raw(status, f"Location: {location}")


def header(*lines: str, status: int = 200) -> bytes:
    return json_answer("{}", *lines, status=status)


TIME = "2024-05-01T12:00:00"

STATUS = [
    Pair("equal", header(), header()),
    Pair("422 against 400", header(status=422), header(status=400), fails=[("status", "status")]),
    Pair("422 against 400, mapped", header(status=422), header(status=400), {"status_map": {422: 400}}),
    Pair("mapped the other way round", header(status=400), header(status=422), {"status_map": {422: 400}},
         fails=[("status", "status")]),
    Pair("200 against 201", header(), header(status=201), fails=[("status", "status")]),
    Pair("200 against 500", header(), header(status=500), fails=[("status", "status")]),
    Pair("both 500", header(status=500), header(status=500), warns=[("status", "status")]),
]  # fmt: skip

REDIRECTS = [
    Pair("307 absolute against 301 relative", moved(307, "http://api.example:8080/api/studies/"),
         moved(301, "/api/studies/"), fails=[("status", "status")]),
    Pair("the same target is asked for", moved(307, "http://api.example:8080/api/studies/"),
         moved(301, "/api/studies/"), {"redirects": "same_target"}),
    Pair("the same target, but new goes elsewhere", moved(307, "/api/studies/"), moved(301, "/api/study/"),
         {"redirects": "same_target"}, fails=[("header", "Location")]),
    Pair("absolute against relative", moved(301, "http://api.example:8080/a"), moved(301, "/a")),
    Pair("relative to the path", moved(301, "studies/"), moved(301, "/api/studies/")),
    Pair("another path", moved(301, "/a"), moved(301, "/b"), fails=[("header", "Location")]),
    Pair("to another host", moved(301, "/a"), moved(301, "http://elsewhere.example/a"), fails=[("header", "Location")]),
    Pair("the query in another order", moved(301, "/a?x=1&y=2"), moved(301, "/a?y=2&x=1"),
         warns=[("header", "Location")]),
    Pair("downgraded to http", moved(301, "https://login.example/a"), moved(301, "http://login.example/a"),
         fails=[("header", "Location")]),
    Pair("its own origin downgraded to http", moved(301, "https://api.example:8080/a"),
         moved(301, "http://api.example:8080/a"), fails=[("header", "Location")]),
    Pair("no Location", moved(301, "/a"), raw(301), fails=[("header", "Location")]),
    Pair("a redirect against an answer", moved(307, "/api/studies/"), header(), fails=[("status", "status")]),
    Pair("paths rewritten", moved(301, "/api/v1/x"), moved(301, "/api-dj/x"),
         {"rewrite_path": {"/api/v1/": "/api-dj/"}}),
]  # fmt: skip

NULLS = [
    Pair("null against missing", *body({"a": None}, {}), fails=[("missing", "$.a")]),
    Pair("missing against null", *body({}, {"a": None}), fails=[("added", "$.a")]),
    Pair("null against empty", *body({"a": None}, {"a": ""}), fails=[("type", "$.a")]),
    Pair("empty against missing", *body({"a": ""}, {}), fails=[("missing", "$.a")]),
    Pair("null equals missing", *body({"a": None, "b": 1}, {"b": 1}), {"null_equals_missing": ["$.a"]}),
    Pair("null equals missing, but not empty", *body({"a": None}, {"a": ""}), {"null_equals_missing": ["$.a"]},
         fails=[("type", "$.a")]),
    Pair("null equals missing elsewhere", *body({"b": None}, {}), {"null_equals_missing": ["$.a"]},
         fails=[("missing", "$.b")]),
    Pair("both null", *body({"a": None, "b": 1}, {"b": 1, "a": None})),
]  # fmt: skip

DATES = [
    Pair("the same instant", *body({"t": f"{TIME}+00:00"}, {"t": f"{TIME}Z"}), warns=[("value", "$.t")]),
    Pair("the same instant in another zone", *body({"t": "2024-05-01T14:00:00+02:00"}, {"t": f"{TIME}Z"}),
         warns=[("value", "$.t")]),
    Pair("instant", *body({"t": "2024-05-01T14:00:00+02:00"}, {"t": f"{TIME}Z"}), {"datetime": {"$.t": "instant"}}),
    Pair("instant everywhere", *body({"t": f"{TIME}.000Z"}, {"t": f"{TIME}Z"}), {"datetime": "instant"}),
    Pair("strict", *body({"t": f"{TIME}+00:00"}, {"t": f"{TIME}Z"}), {"datetime": "strict"}, fails=[("value", "$.t")]),
    Pair("cut to milliseconds", *body({"t": f"{TIME}.123456Z"}, {"t": f"{TIME}.123Z"}), fails=[("value", "$.t")]),
    Pair("cut to milliseconds, allowed", *body({"t": f"{TIME}.123956Z"}, {"t": f"{TIME}.123Z"}),
         {"datetime": {"$.t": "ms"}}),
    Pair("another millisecond", *body({"t": f"{TIME}.123Z"}, {"t": f"{TIME}.124Z"}), {"datetime": "ms"},
         fails=[("value", "$.t")]),
    Pair("naive against aware", *body({"t": f"{TIME}Z"}, {"t": TIME}), {"datetime": "instant"},
         fails=[("value", "$.t")]),
    Pair("naive against aware, by milliseconds", *body({"t": TIME}, {"t": f"{TIME}Z"}), {"datetime": "ms"},
         fails=[("value", "$.t")]),
    Pair("an hour off", *body({"t": f"{TIME}Z"}, {"t": "2024-05-01T13:00:00Z"}), {"datetime": "ms"},
         fails=[("value", "$.t")]),
    Pair("a date against a date", *body({"t": "2024-05-01"}, {"t": "2024-05-02"}), {"datetime": "ms"},
         fails=[("value", "$.t")]),
    Pair("a date format", *body({"t": f"{TIME}Z"}, {"t": "01.05.2024 12:00"}), fails=[("value", "$.t")]),
]  # fmt: skip

NUMBERS = [
    Pair("10 and 10.0", *body('{"n": 10}', '{"n": 10.0}')),
    Pair("1e16", *body('{"n": 1e16}', '{"n": 10000000000000000}')),
    Pair("true against 1", *body('{"n": true}', '{"n": 1}'), fails=[("type", "$.n")]),
    Pair("false against 0.0 deep in lists", *body("[[0.0, [0]]]", "[[0.0, [false]]]"), fails=[("type", "$[][][]")]),
    Pair("string against number", *body('{"n": "10"}', '{"n": 10}'), fails=[("type", "$.n")]),
    Pair("numeric string", *body('{"n": "10.50"}', '{"n": 10.5}'), {"numeric_string": ["$.n"]}),
    Pair("numeric strings of another scale", *body('{"n": "10.50"}', '{"n": "10.5"}'), {"numeric_string": ["$.n"]}),
    Pair("numeric string of another value", *body('{"n": "10.51"}', '{"n": 10.5}'), {"numeric_string": ["$.n"]},
         fails=[("value", "$.n")]),
    Pair("numbers beyond doubles", *body('{"n": 9007199254740993}', '{"n": 9007199254740992}'),
         fails=[("value", "$.n")]),
    Pair("decimals beyond doubles", *body('{"n": 0.1234567890123456789}', '{"n": 0.1234567890123456788}'),
         fails=[("value", "$.n")]),
    Pair("one double in two spellings", *body('{"n": 0.1}', '{"n": 0.10000000000000001}'), warns=[("value", "$.n")]),
    Pair("within tolerance", *body({"n": 1.004}, {"n": 1.0}), {"tolerance": {"$.n": 0.01}}),
    Pair("beyond tolerance", *body({"n": 1.02}, {"n": 1.0}), {"tolerance": {"$.n": 0.01}}, fails=[("value", "$.n")]),
    Pair("an integer of 5,000 digits", *body('{"n": ' + "1" * 5000 + "}", '{"n": ' + "1" * 4999 + "2}"),
         fails=[("value", "$.n")]),
]  # fmt: skip

SPELLING = [
    Pair("key order, spacing, escapes", *body('{"a":1,"b":"\\u00e9\\/"}', '{ "b": "é/",\n "a": 1 }')),
    Pair("another letter", *body({"b": "é"}, {"b": "e"}), fails=[("value", "$.b")]),
]

INVALID = [
    Pair("a duplicate member", *body('{"a": 1}', '{"a": 1, "a": 1}'), fails=[("body", "$")]),
    Pair("NaN", *body('{"a": 1}', '{"a": NaN}'), fails=[("body", "$")]),
    Pair("Infinity in old", *body('{"a": Infinity}', '{"a": 1}'), fails=[("body", "$")]),
    Pair("cut off", *body('{"a": 1}', '{"a": 1'), fails=[("body", "$")]),
    Pair("broken UTF-8", json_answer({"a": "é"}), json_answer(b'{"a": "\xe9"}'), fails=[("body", "$")]),
    Pair("no body", json_answer({"a": 1}), json_answer(""), fails=[("body", "$")]),
    Pair("names twice in different objects", *body('[{"a": 1}, {"a": 1}]', '[{"a": 1},{"a": 1}]')),
]

WIDE = [{"id": n, **{name: f"{name}{n}" for name in "abcdef"}} for n in range(9)]
ROWS = [{"id": n, "name": f"n{n}"} for n in range(300)]
PAGE = {"count": 300, "next": None, "previous": None, "results": ROWS}

ENVELOPE = [
    Pair("a list against a page", *body(ROWS, PAGE), fails=[("type", "$")]),
    Pair("a page against a list", *body(PAGE, ROWS), fails=[("type", "$")]),
    Pair("unwrapped", *body(ROWS, PAGE), {"unwrap": {"new": "$.results"}}),
    Pair("unwrapped, and a row differs", *body([{"id": 1, "a": 1}], {"count": 1, "results": [{"id": 1, "a": 2}]}),
         {"unwrap": {"new": "$.results"}}, fails=[("value", "$[].a")]),
    Pair("own origin in next", *body({"next": "http://api.example:8080/a?page=2", "results": []},
                                     {"next": "/a?page=2", "results": []})),
    Pair("another page in next", *body({"next": "/a?page=2", "results": []}, {"next": "/a?page=3", "results": []}),
         fails=[("value", "$.next")]),
    Pair("next is gone", *body({"next": "/a?page=2", "results": []}, {"next": None, "results": []}),
         fails=[("type", "$.next")]),
]  # fmt: skip

ERROR_OLD, ERROR_NEW = {"detail": [{"loc": ["page"], "msg": "no int"}]}, {"page": ["A valid integer is required."]}
ERRORS = [
    Pair("other words on a 400", json_answer(ERROR_OLD, status=400), json_answer(ERROR_NEW, status=400),
         warns=[("missing", "$.detail"), ("added", "$.page")]),
    Pair("ignored", json_answer(ERROR_OLD, status=400), json_answer(ERROR_NEW, status=400), {"error_body": "ignore"}),
    Pair("strict", json_answer({"detail": "a"}, status=404), json_answer({"detail": "b"}, status=404),
         {"error_body": "strict"}, fails=[("value", "$.detail")]),
    Pair("shape, other words", json_answer({"detail": "a"}, status=404), json_answer({"detail": "b"}, status=404),
         {"error_body": "shape"}),
    Pair("shape, another shape", json_answer({"detail": "a"}, status=404), json_answer({"detail": ["a"]}, status=404),
         {"error_body": "shape"}, fails=[("type", "$.detail")]),
    Pair("an HTML page", json_answer({"detail": "Not Found"}, status=404),
         raw(404, "Content-Type: text/html", body="<h1>Not Found</h1>"),
         fails=[("header", "Content-Type")], warns=[("body", "$")]),
    Pair("a 2xx is no error", json_answer({"detail": "a"}), json_answer({"detail": "b"}), {"error_body": "ignore"},
         fails=[("value", "$.detail")]),
]  # fmt: skip

HEADERS = [
    Pair("names without case", header("X-Total: 5"), header("x-total: 5")),
    Pair("another value", header("X-Total: 5"), header("X-Total: 6"), fails=[("header", "X-Total")]),
    Pair("gone", header("X-Total: 5"), header(), fails=[("header", "X-Total")]),
    Pair("new", header(), header("X-Total: 5"), warns=[("header", "X-Total")]),
    Pair("repeated in another order", header("Link: a", "Link: b"), header("Link: b", "Link: a")),
    Pair("repeated against joined", header("Link: a", "Link: b"), header("Link: a, b"), fails=[("header", "Link")]),
    Pair("once against twice", header("Link: a"), header("Link: a", "Link: a"), fails=[("header", "Link")]),
    Pair("hop by hop, Date and Server", header("Date: now", "Server: uvicorn", "Keep-Alive: 5"),
         header("Server: WSGIServer", "Connection: keep-alive")),
    Pair("a volatile value", header("X-Request-Id: 1", 'ETag: "a"'), header("X-Request-Id: 2", 'ETag: "b"')),
    Pair("a volatile header gone", header("X-Request-Id: 1"), header(), fails=[("header", "X-Request-Id")]),
    Pair("ignored", header("X-Total: 5"), header("X-Total: 6"), {"ignore_headers": ["x-total"]}),
    Pair("Allow on a 405", header("Allow: GET, HEAD", status=405), header("Allow: HEAD, GET", status=405)),
    Pair("more allowed on a 405", header("Allow: GET", status=405), header("Allow: GET, OPTIONS", status=405),
         notes=[("header", "Allow")]),
    Pair("less allowed on a 405", header("Allow: GET, PUT", status=405), header("Allow: GET", status=405),
         fails=[("header", "Allow")]),
]  # fmt: skip

COOKIES = [
    Pair("value and Expires are free",
         header("Set-Cookie: sid=1; Path=/; HttpOnly; Expires=Wed, 01 May 2030 00:00:00 GMT"),
         header("Set-Cookie: sid=2; HttpOnly; expires=Thu, 02 May 2030 00:00:00 GMT; path=/")),
    Pair("HttpOnly lost", header("Set-Cookie: sid=1; HttpOnly"), header("Set-Cookie: sid=1"),
         fails=[("header", "Set-Cookie: sid")]),
    Pair("Secure lost", header("Set-Cookie: sid=1; Secure"), header("Set-Cookie: sid=1"),
         fails=[("header", "Set-Cookie: sid")]),
    Pair("another Path", header("Set-Cookie: sid=1; Path=/"), header("Set-Cookie: sid=1; Path=/api"),
         fails=[("header", "Set-Cookie: sid")]),
    Pair("another SameSite", header("Set-Cookie: sid=1; SameSite=Lax"), header("Set-Cookie: sid=1; SameSite=None"),
         fails=[("header", "Set-Cookie: sid")]),
    Pair("another name", header("Set-Cookie: sid=1"), header("Set-Cookie: session=1"),
         fails=[("header", "Set-Cookie: sid"), ("header", "Set-Cookie: session")]),
    Pair("one of two lost", header("Set-Cookie: a=1", "Set-Cookie: b=1"), header("Set-Cookie: a=1"),
         fails=[("header", "Set-Cookie: b")]),
    Pair("deleted instead of set", header("Set-Cookie: a=1"), header("Set-Cookie: a=; Max-Age=0"),
         fails=[("header", "Set-Cookie: a")]),
    Pair("two in another order", header("Set-Cookie: a=1", "Set-Cookie: b=1"),
         header("Set-Cookie: b=1", "Set-Cookie: a=1")),
]  # fmt: skip


def typed(content_type: str, content: str = "{}", status: int = 200) -> bytes:
    return raw(status, f"Content-Type: {content_type}", body=content)


CONTENT_TYPES = [
    Pair("charset utf-8 and none", typed("application/json"), typed("application/json; charset=UTF-8")),
    Pair("another charset", typed("application/json"), typed("application/json; charset=latin-1"),
         fails=[("header", "Content-Type")]),
    Pair("another media type", typed("application/json"), typed("text/plain"), fails=[("header", "Content-Type")]),
    Pair("another media type on an error", typed("application/json", status=404), typed("text/html", status=404),
         fails=[("header", "Content-Type")]),
    Pair("the charset of text", typed("text/plain; charset=utf-8"), typed("text/plain"),
         fails=[("header", "Content-Type")]),
    Pair("vendor JSON is JSON", typed("application/problem+json", '{"a":1}'),
         typed("application/problem+json", '{ "a": 1 }')),
    Pair("other text", typed("text/plain", "a"), typed("text/plain", "b"), fails=[("body", "$")]),
    Pair("no text", typed("text/plain", "a"), typed("text/plain", ""), fails=[("length", "$")]),
    Pair("another Content-Length", typed("application/json", "[1]"), typed("application/json", "[ 1]")),
]  # fmt: skip

SECURITY = [
    Pair("X-Frame-Options and Vary added", header(), header("X-Frame-Options: DENY", "Vary: Accept, Cookie"),
         notes=[("header", "X-Frame-Options"), ("header", "Vary")]),
    Pair("removed", header("X-Frame-Options: DENY"), header(), fails=[("header", "X-Frame-Options")]),
    Pair("weakened", header("X-Frame-Options: DENY"), header("X-Frame-Options: SAMEORIGIN"),
         fails=[("header", "X-Frame-Options")]),
    Pair("strengthened", header("X-Frame-Options: SAMEORIGIN"), header("X-Frame-Options: DENY"),
         notes=[("header", "X-Frame-Options")]),
    Pair("HSTS shorter", header("Strict-Transport-Security: max-age=31536000"),
         header("Strict-Transport-Security: max-age=3600"), fails=[("header", "Strict-Transport-Security")]),
    Pair("HSTS longer", header("Strict-Transport-Security: max-age=3600"),
         header("Strict-Transport-Security: max-age=31536000"), notes=[("header", "Strict-Transport-Security")]),
    Pair("CSP in another order", header("Content-Security-Policy: default-src 'self'; img-src a b"),
         header("Content-Security-Policy: img-src b a; default-src 'self'"),
         notes=[("header", "Content-Security-Policy")]),
    Pair("another CSP", header("Content-Security-Policy: default-src 'self'"),
         header("Content-Security-Policy: default-src *"), fails=[("header", "Content-Security-Policy")]),
    Pair("Vary loses a word", header("Vary: Accept, Cookie"), header("Vary: accept"), fails=[("header", "Vary")]),
    Pair("Vary in another order", header("Vary: Accept, Cookie"), header("vary: cookie", "vary: accept")),
    Pair("Allow-Origin changed", header("Access-Control-Allow-Origin: https://a.example"),
         header("Access-Control-Allow-Origin: *"), fails=[("header", "Access-Control-Allow-Origin")]),
    Pair("Allow-Credentials added", header(), header("Access-Control-Allow-Credentials: true"),
         fails=[("header", "Access-Control-Allow-Credentials")]),
    Pair("more methods allowed", header("Access-Control-Allow-Methods: GET"),
         header("Access-Control-Allow-Methods: GET, PUT"), notes=[("header", "Access-Control-Allow-Methods")]),
]  # fmt: skip


def zipped(value: bytes) -> bytes:
    return raw(200, "Content-Type: application/json", "Content-Encoding: gzip", body=gzip.compress(value))


ENCODING = [
    Pair("gzip against plain", json_answer('{"a": 1}'), zipped(b'{"a": 1}'), notes=[("header", "Content-Encoding")]),
    Pair("gzip on both", zipped(b'{"a": 1}'), zipped(b'{"a":1}')),
    Pair("another value within gzip", zipped(b'{"a": 1}'), zipped(b'{"a":2}'), fails=[("value", "$.a")]),
    Pair("gzip that ends too early", zipped(b'{"a": 1}'),
         raw(200, "Content-Type: application/json", "Content-Encoding: gzip", body=gzip.compress(b'{"a": 1}')[:-9]),
         fails=[("body", "$")]),
    Pair("no gzip in spite of the header", zipped(b'{"a": 1}'),
         raw(200, "Content-Type: application/json", "Content-Encoding: gzip", body='{"a": 1}'), fails=[("body", "$")]),
    Pair("an encoding that nobody asked for", json_answer("{}"),
         raw(200, "Content-Type: application/json", "Content-Encoding: br", body="x"), fails=[("body", "$")]),
]  # fmt: skip

LISTS = [
    Pair("rows that were lists and became objects", *body([[1, "a"], [2, "b"]], [{"id": 1}, {"id": 2}]),
         fails=[("type", "$[]")]),
    Pair("another order", *body([1, 2, 3], [1, 3, 2]), fails=[("order", "$")]),
    Pair("another order is asked for", *body({"a": [1, 2, 3]}, {"a": [3, 1, 2]}), {"unordered": ["$.a"]}),
    Pair("unordered, but one more", *body([1, 1, 1], [1]), {"unordered": ["$"]}, fails=[("missing", "$[]")]),
    Pair("one inserted at the front", *body(ROWS, [{"id": -1, "name": "x"}, *ROWS]), fails=[("added", "$[]")]),
    Pair("one gone from the middle", *body(ROWS, ROWS[:150] + ROWS[151:]), fails=[("missing", "$[]")]),
    Pair("one changed", *body(ROWS, [*ROWS[:9], {"id": 9, "name": "x"}, *ROWS[10:]]), fails=[("value", "$[].name")]),
    Pair("records in another order", *body(ROWS, ROWS[::-1]), fails=[("order", "$")]),
    Pair("paired by a key of the plan",
         *body([{"k": 1, "a": 1}, {"k": 2, "a": 1}], [{"k": 2, "a": 2}, {"k": 1, "a": 1}]),
         {"key": {"$": "k"}, "unordered": ["$"]}, fails=[("value", "$[].a")]),
    Pair("numbers became strings in every id", *body([{"id": 1}, {"id": 2}], [{"id": "1"}, {"id": "2"}]),
         fails=[("type", "$[].id")]),
    Pair("one replaced by another", *body(WIDE[:4], [*WIDE[:2], WIDE[8], WIDE[3]]),
         fails=[("missing", "$[]"), ("added", "$[]")]),
    Pair("one with another id", *body(WIDE, [*WIDE[:4], {**WIDE[4], "id": 99}, *WIDE[5:]]),
         fails=[("value", "$[].id")]),
    Pair("two gone and one changed between them", *body(WIDE, [*WIDE[:3], {**WIDE[4], "id": 99}, *WIDE[6:]]),
         fails=[("missing", "$[]"), ("value", "$[].id")]),
    Pair("an empty list", *body([1], []), fails=[("missing", "$[]")]),
]  # fmt: skip

IGNORED = [
    Pair("a member", *body({"a": 1, "b": 1}, {"a": 2, "b": 1}), {"ignore": ["$.a"]}),
    Pair("nothing but the member", *body({"a": 1, "b": 1}, {"a": 2, "b": 2}), {"ignore": ["$.a"]},
         fails=[("value", "$.b")]),
    Pair("a member of each item", *body([{"a": 1, "b": 1}], [{"a": 2, "b": 1}]), {"ignore": ["$[*].a"]}),
    Pair("one item's member", *body([{"a": 1}, {"a": 1}], [{"a": 2}, {"a": 2}]), {"ignore": ["$[0].a"]},
         fails=[("value", "$[].a")]),
    Pair("a name at any depth", *body({"x": [{"etag": 1}], "n": 1}, {"x": [{"etag": 2}], "n": 1}),
         {"ignore": ["..etag"]}),
    Pair("not a longer name", *body({"ab": 1}, {"ab": 2}), {"ignore": ["$.a"]}, fails=[("value", "$.ab")]),
    Pair("a quoted name", *body({"a.b": 1, "c": 1}, {"a.b": 2, "c": 1}), {"ignore": ['$["a.b"]']}),
]  # fmt: skip

TABLE = {
    "status": STATUS, "redirects": REDIRECTS, "null": NULLS, "dates": DATES, "numbers": NUMBERS, "spelling": SPELLING,
    "invalid": INVALID, "envelope": ENVELOPE, "errors": ERRORS, "headers": HEADERS, "cookies": COOKIES,
    "content-type": CONTENT_TYPES, "security": SECURITY, "encoding": ENCODING, "lists": LISTS, "ignored": IGNORED,
}  # fmt: skip


@pytest.mark.parametrize(
    "pair", [pytest.param(pair, id=f"{row}: {pair.name}") for row, pairs in TABLE.items() for pair in pairs]
)
async def test_the_table_holds(pair: Pair, compare: Compare) -> None:
    result = await compare(pair.old, pair.new, **pair.settings)
    found = {level: [(kind, path) for kind, path, _ in groups(result, level)] for level in ("fail", "warn", "note")}
    assert sorted(found["fail"]) == sorted(pair.fails), result.details["groups"]
    assert sorted(found["warn"]) == sorted(pair.warns), result.details["groups"]
    assert sorted(found["note"]) == sorted(pair.notes), result.details["groups"]
    assert result.verdict is (Verdict.FAIL if pair.fails else Verdict.PASS)


@pytest.mark.parametrize("row", TABLE)
def test_every_line_has_what_must_be_found_and_what_must_stay_quiet(row: str) -> None:
    assert any(pair.fails for pair in TABLE[row])
    assert any(not pair.fails and not pair.warns for pair in TABLE[row])
