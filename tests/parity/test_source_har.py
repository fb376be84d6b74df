"""Requests from HAR files, as Chrome, Firefox and others save them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from cutover.parity.sources.drawn import Drawn
from cutover.parity.sources.har import read_har

OWN = ["http://127.0.0.1:8080", "http://127.0.0.1:8000"]


def chrome(url: str, method: str = "GET", status: int = 200, kind: str = "fetch", **headers: Any) -> dict[str, Any]:
    """An entry as Chrome's network panel exports it."""
    names = {
        ":authority": "api.example", ":method": method, ":path": "/", ":scheme": "https", "accept": "application/json",
        "accept-encoding": "gzip, deflate, br, zstd", "accept-language": "de,en;q=0.9", "cache-control": "no-cache",
        "dnt": "1", "origin": "https://app.example", "pragma": "no-cache", "priority": "u=1, i",
        "referer": "https://app.example/", "sec-ch-ua": '"Chromium";v="130"', "sec-fetch-mode": "cors",
        "user-agent": "Mozilla/5.0", **headers,
    }  # fmt: skip
    return {
        "_initiator": {"type": "script"}, "_priority": "High", "_resourceType": kind, "cache": {}, "connection": "443",
        "pageref": "page_1", "serverIPAddress": "203.0.113.7", "startedDateTime": "2026-01-31T10:00:00.000Z",
        "time": 31.4, "timings": {"wait": 30},
        "request": {
            "method": method, "url": url, "httpVersion": "http/2.0", "queryString": [], "cookies": [], "bodySize": 0,
            "headers": [{"name": name, "value": value} for name, value in names.items()], "headersSize": -1,
        },
        "response": {
            "status": status, "statusText": "", "httpVersion": "http/2.0", "headers": [], "cookies": [],
            "content": {"size": 2, "mimeType": "application/json", "text": "{}"}, "redirectURL": "",
        },
    }  # fmt: skip


def firefox(url: str, media_type: str = "application/json", **headers: str) -> dict[str, Any]:
    """An entry as Firefox exports it: no resource type, names of headers in their own case."""
    names = {
        "Host": "api.example", "User-Agent": "Mozilla/5.0", "Accept": "application/json", "Accept-Language": "de",
        "Accept-Encoding": "gzip, deflate, br", "Sec-GPC": "1", "Connection": "keep-alive", "TE": "trailers", **headers,
    }  # fmt: skip
    return {
        "startedDateTime": "2026-01-31T10:00:00.000+01:00",
        "request": {
            "bodySize": 0, "method": "GET", "url": url, "httpVersion": "HTTP/1.1", "cookies": [], "queryString": [],
            "headers": [{"name": name, "value": value} for name, value in names.items()], "headersSize": 300,
        },
        "response": {"status": 200, "content": {"mimeType": media_type, "size": 2, "text": "{}"}},
        "cache": {}, "timings": {}, "time": 20, "_securityState": "secure", "pageref": "page_1",
    }  # fmt: skip


def har(tmp_path: Path, *entries: Any, encoding: str = "utf-8") -> Path:
    file = tmp_path / "session.har"
    log = {"version": "1.2", "creator": {"name": "WebInspector", "version": "537.36"}, "pages": [], "entries": entries}
    file.write_text(json.dumps({"log": log}, ensure_ascii=False), encoding=encoding)
    return file


def asked(drawn: Drawn) -> list[str]:
    return [str(request) for request in drawn.requests]


def left_out(drawn: Drawn) -> dict[str, list[str]]:
    return {one.reason: one.first for one in drawn.left_out}


@pytest.mark.parametrize("entry", [chrome, firefox])
def test_a_recording_of_production_is_asked_of_the_service(tmp_path: Path, entry: Any) -> None:
    file = har(
        tmp_path,
        entry("https://cdn.example/logo.svg"),
        entry("https://api.example/v1/studies?page=1#top"),
        entry("https://api.example/v1/studies/7"),
        entry("https://api.example/v1/studies?page=1"),
    )
    drawn = read_har(file, origins=OWN)
    assert asked(drawn) == ["GET /v1/studies?page=1", "GET /v1/studies/7"]
    language = "de,en;q=0.9" if entry is chrome else "de"
    assert drawn.requests[0].headers == {"accept": "application/json", "accept-language": language}
    assert left_out(drawn) == {"asked of others than api.example:443": ["cdn.example:443"]}


def test_the_services_own_urls_go_before_what_was_asked_most(tmp_path: Path) -> None:
    file = har(
        tmp_path,
        chrome("https://api.example/v1/a"), chrome("https://api.example/v1/b"), chrome("http://127.0.0.1:8000/v1/c"),
    )  # fmt: skip
    assert asked(read_har(file, origins=OWN)) == ["GET /v1/c"]


def test_credentials_and_what_only_browsers_need_stay_behind(tmp_path: Path) -> None:
    headers: dict[str, Any] = {
        "Authorization": "Bearer marked-secret", "cookie": "sid=marked-secret", "X-Csrf-Token": "marked-secret",
        "X-Own-Thing": "marked-secret", "If-None-Match": '"x"', "X-Requested-With": "XMLHttpRequest",
        "X-Tenant": "demo",
    }  # fmt: skip
    drawn = read_har(
        har(tmp_path, chrome("https://me:marked-secret@api.example/a?token=marked-secret&b=1", **headers)), origins=OWN
    )
    (request,) = drawn.requests
    assert request.path == "/a?b=1"
    assert request.headers == {
        "accept": "application/json", "accept-language": "de,en;q=0.9", "x-requested-with": "XMLHttpRequest",
        "x-tenant": "demo",
    }  # fmt: skip
    assert left_out(drawn) == {
        "headers that requests are asked without": ["authorization", "cookie", "x-csrf-token", "x-own-thing"],
        "asked without its token parameter": ["GET /a"],
    }
    assert "marked-secret" not in str(drawn)


def test_the_same_path_with_other_headers_is_another_request(tmp_path: Path) -> None:
    file = har(tmp_path, chrome("https://api.example/a"), chrome("https://api.example/a", accept="text/csv"))
    assert [request.headers["accept"] for request in read_har(file, origins=OWN).requests] == [
        "application/json",
        "text/csv",
    ]


def test_only_reads_that_were_answered_are_asked(tmp_path: Path) -> None:
    with_body = chrome("https://api.example/search")
    with_body["request"]["postData"] = {"mimeType": "application/json", "text": "{}"}
    script = firefox("https://api.example/main", media_type="text/javascript")
    file = har(
        tmp_path,
        chrome("https://api.example/a"),
        chrome("https://api.example/missing", status=404),
        chrome("https://api.example/a", method="POST"),
        chrome("https://api.example/a", method="OPTIONS", kind="preflight"),
        chrome("https://api.example/blocked", status=0),
        chrome("https://api.example/broken", status=503),
        chrome("https://api.example/app.js", kind="script"),
        script,
        with_body,
    )  # fmt: skip
    drawn = read_har(file, origins=OWN)
    assert asked(drawn) == ["GET /a", "GET /missing"]
    assert left_out(drawn) == {
        "neither GET nor HEAD: list it, with unsafe: true, if it is to be compared": ["POST /a", "OPTIONS /a"],
        "scripts, styles and fonts": ["GET /app.js", "GET /main"],
        "got no answer when it was recorded": ["GET /blocked"],
        "answered with 5xx when it was recorded": ["GET /broken"],
        "GET and HEAD with a body": ["GET /search"],
    }


def test_the_limit_is_spread_over_endpoints(tmp_path: Path) -> None:
    urls = [f"https://api.example/{name}/{number}" for name in ("a", "b") for number in range(1, 9)]
    drawn = read_har(har(tmp_path, *map(chrome, urls)), origins=OWN, limit=3)
    assert asked(drawn) == ["GET /a/1", "GET /b/1", "GET /a/2"]


def test_a_byte_order_mark_is_no_matter(tmp_path: Path) -> None:
    assert asked(read_har(har(tmp_path, chrome("https://a.example/ä b"), encoding="utf-8-sig"), origins=[])) == [
        "GET /%C3%A4%20b"
    ]


@pytest.mark.parametrize(
    "entry",
    [
        None, 7, "x", [], {}, {"request": []}, {"request": {"method": 1, "url": "https://api.example/"}},
        {"request": {"method": "GET"}}, {"request": {"method": "GET", "url": "data:text/plain,x"}},
        {"request": {"method": "GET", "url": "wss://api.example/ws"}},
        {"request": {"method": "GET", "url": "https://[::1/a"}}, {"request": {"method": "GET", "url": "https://a:99999/b"}},
        {"request": {"method": "GE T", "url": "https://api.example/"}}, {"request": {"method": "GET", "url": "https:///a"}},
    ],
)  # fmt: skip
def test_an_entry_of_wrong_types_is_counted_with_its_place(tmp_path: Path, entry: Any) -> None:
    file = har(tmp_path, chrome("https://api.example/a"), entry)
    drawn = read_har(file, origins=OWN)
    assert asked(drawn) == ["GET /a"]
    assert left_out(drawn) == {"entries without a request that can be read": [f"{file}, entry 2"]}


@pytest.mark.parametrize(
    ("headers", "response"),
    [
        ({"accept": "x"}, {"status": 200}),
        ([1, {"name": 2}, {"name": "accept", "value": "a\r\nb"}], {"status": 200, "content": []}),
    ],
)
def test_odd_members_of_an_entry_are_looked_over(tmp_path: Path, headers: Any, response: Any) -> None:
    request = {"method": "GET", "url": "https://api.example/a", "headers": headers}
    entry = {"request": request, "response": response, "_resourceType": 5}
    (found,) = read_har(har(tmp_path, entry), origins=OWN).requests
    assert (found.path, found.headers) == ("/a", {})


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "session.har:1:1: no JSON"),
        (b'{"log":\n{"entries": [}}', "session.har:2:14: no JSON"),
        (b"[1]", "no list at log.entries"),
        (b'{"log": []}', "no list at log.entries"),
        (b'{"log": {"entries": {}}}', "no list at log.entries"),
        (b'{"log": null}', "no list at log.entries"),
        (b'{"a":' * 50_000, "is no JSON that can be read"),
        (b"\x1f\x8b\x00", "no JSON"),
        (b"\xff\xfe{\x00", "no JSON"),
    ],
)
def test_a_file_that_is_no_har_is_a_mistake_that_names_it(tmp_path: Path, content: bytes, complaint: str) -> None:
    file = tmp_path / "session.har"
    file.write_bytes(content)
    with pytest.raises(PydanticCustomError) as raised:
        read_har(file, origins=OWN)
    assert complaint in raised.value.message()


def test_bodies_that_are_no_text_do_not_matter(tmp_path: Path) -> None:
    file = har(tmp_path, chrome("https://api.example/a"))
    file.write_bytes(file.read_bytes().replace(b'"text": "{}"', b'"text": "\\ud800\xff"'))
    assert asked(read_har(file, origins=OWN)) == ["GET /a"]


def test_a_missing_file_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(PydanticCustomError, match="can't be read"):
        read_har(tmp_path / "none.har", origins=OWN)


def test_an_empty_recording_gives_nothing(tmp_path: Path) -> None:
    assert read_har(har(tmp_path), origins=OWN) == Drawn([], [])


NAMES = st.sampled_from(
    ["request", "response", "method", "url", "headers", "name", "value", "status", "content", "postData"]
)
ODD = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(["GET", "https://a.example/x", "https://[", "accept", "\ud800", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=25,
)


@given(st.lists(ODD | st.fixed_dictionaries({"request": ODD, "response": ODD}), max_size=4))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_json_gives_requests_or_is_counted(tmp_path: Path, entries: list[Any]) -> None:
    file = tmp_path / "session.har"
    file.write_text(json.dumps({"log": {"entries": entries}}))
    drawn = read_har(file, origins=OWN)
    counted = sum(one.count for one in drawn.left_out)
    assert len(drawn.requests) + counted >= min(len(entries), 1)
