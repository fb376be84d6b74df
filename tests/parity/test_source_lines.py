"""Files of requests: read, and written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from cutover.parity.options import ComparedRequest, Options
from cutover.parity.sources.lines import read_requests, write_requests
from cutover.redact import redactor

OPTIONS = set(Options.model_fields)
TEXTS = st.text(max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
HEADERS = st.dictionaries(
    st.sampled_from(["Accept", "X-Tenant", "prefer"]),
    st.text(st.characters(min_codepoint=32, max_codepoint=126)),
    max_size=2,
)
PATHS = st.text(st.characters(exclude_categories=["Z", "C"]), max_size=20).map(lambda text: "/" + "".join(text.split()))


@st.composite
def requests(draw: st.DrawFn) -> ComparedRequest:
    value: dict[str, Any] = {"path": draw(PATHS)}
    for name, strategy in {
        "method": st.sampled_from(["GET", "HEAD", "POST", "DELETE"]),
        "headers": HEADERS,
        "unsafe": st.booleans(),
        "ignore": st.lists(st.sampled_from(["$.a", "$.b[*].c", '$["x y"]', "..etag"]), max_size=2),
        "tolerance": st.dictionaries(st.sampled_from(["$.a", "$.b[0]"]), st.floats(0, 10), max_size=2),
        "datetime": st.sampled_from(["ms", {"$.a": "instant"}]),
        "unwrap": st.just({"new": "$.results"}),
        "status_map": st.just({422: 400}),
    }.items():
        if draw(st.booleans()):
            value[name] = draw(strategy)
    if draw(st.booleans()):
        value |= draw(st.fixed_dictionaries({"json": JSON}) | st.fixed_dictionaries({"body": TEXTS}))
    return ComparedRequest.model_validate(value)


@given(st.lists(requests(), max_size=4))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_written_is_read_back_the_same(tmp_path: Path, listed: list[ComparedRequest]) -> None:
    file = tmp_path / "requests.yml"
    assert write_requests(file, listed, origin="an access log") == []
    again = read_requests(file)
    assert again == listed
    assert [one.model_fields_set & OPTIONS for one in again] == [one.model_fields_set & OPTIONS for one in listed]


def test_the_file_says_where_its_requests_came_from_and_is_closed_to_others(tmp_path: Path) -> None:
    file = tmp_path / "requests.yml"
    listed = [ComparedRequest.model_validate(one) for one in ("GET /a?b=1", {"path": "/c", "ignore": ["$.d"]})]
    write_requests(file, listed, origin="access log /var/log/nginx/access.log\n60 of 1,200 requests")
    assert file.read_text() == (
        "# access log /var/log/nginx/access.log\n# 60 of 1,200 requests\n"
        '- "GET /a?b=1"\n- path: "/c"\n  ignore:\n  - "$.d"\n'
    )
    assert file.stat().st_mode & 0o777 == 0o600


def test_credentials_are_not_written_and_told(tmp_path: Path) -> None:
    file = tmp_path / "requests.yml"
    redactor.add("marked-secret")
    listed = [
        {"path": "/a", "headers": {"Authorization": "Bearer x", "cookie": "a=b", "Accept": "text/html"}},
        {"path": "/b", "headers": {"X-Api-Key": "x"}},
        {"path": "/c", "method": "POST", "unsafe": True, "json": {"password": "marked-secret"}},
        {"path": "/d?q=marked-secret"},
    ]
    told = write_requests(file, [ComparedRequest.model_validate(one) for one in listed], origin="marked-secret")
    assert file.read_text() == '# ***\n- path: "/a"\n  headers:\n    Accept: "text/html"\n- "GET /b"\n'
    assert {one.reason: one.first for one in told} == {
        "written without the header Authorization": ["GET /a"],
        "written without the header cookie": ["GET /a"],
        "written without the header X-Api-Key": ["GET /b"],
        "holds a secret, which no file may": ["POST /c", "GET /d?q=***"],
    }


def test_lines_comments_and_blank_lines_are_read(tmp_path: Path) -> None:
    file = tmp_path / "requests.txt"
    file.write_text("# for the list\n\nGET /a\n  HEAD /b?c=1  \n")
    assert [str(one) for one in read_requests(file)] == ["GET /a", "HEAD /b?c=1"]


@pytest.mark.parametrize("name", ["requests.json", "requests.yaml"])
def test_lists_are_read(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.write_text(json.dumps(["GET /a", {"path": "/b", "headers": {"X-A": "no"}}]))
    assert [str(one) for one in read_requests(file)] == ["GET /a", "GET /b"]


def test_a_file_means_what_the_same_lines_mean_in_a_plan(tmp_path: Path) -> None:
    file = tmp_path / "requests.yml"
    body = "{country: no, t: 12:30, n: 010, on: 2026-11-20, o: 0o10, big: 1e3, nothing: ~, list: [yes, true]}"
    file.write_text(f"- {{method: POST, unsafe: true, path: /a, json: {body}}}\n")
    meant = {"country": "no", "t": "12:30", "n": 10, "on": "2026-11-20", "o": 8, "big": 1000.0, "nothing": None}
    assert read_requests(file)[0].json_body == {**meant, "list": ["yes", True]}


@pytest.mark.parametrize(("name", "content"), [("r.txt", "GET /a\n"), ("r.json", '["GET /a"]'), ("r.yml", "- GET /a")])
def test_a_mark_of_byte_order_is_no_part_of_a_file(tmp_path: Path, name: str, content: str) -> None:
    file = tmp_path / name
    file.write_text(content, encoding="utf-8-sig")
    assert [str(one) for one in read_requests(file)] == ["GET /a"]


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("r.txt", b"GET /a\nget a\n", "r.txt:2: 'get a' is not a request"),
        ("r.txt", b"\xff\xfe", "not UTF-8"),
        ("r.yml", b"- GET /a\n- {method: BREW, path: /b}\n", "r.yml:2: method: "),
        ("r.yml", b"a: 1\n", "holds no list"),
        ("r.yml", b"- [\n", "r.yml"),
        ("r.yml", b"- !!python/object/apply:os.system [ls]\n", "r.yml"),
        ("r.yml", b"- GET /a\n---\n- GET /b\n", "r.yml"),
        ("r.yml", b"[" * 1500, "the file is nested more than 64 levels deep"),
        ("r.yml", b"- GET /a\n- path: /b\n  json: {at: 2026-11-20, n: .nan}\n", "r.yml:3:"),
        (
            "r.yml",
            b"- path: /b\n  json: {a: !!binary aGk=}\n",
            "r.yml:2:13: [0].json.a: files have no tags like !!binary",
        ),
        ("r.yml", b"- path: /b\n  json: 1\n  json: 2\n", "r.yml:3:3: [0].json: duplicate key 'json', first at line 2"),
        ("r.yml", b"- path: /b\n- path: /c\n  tolerance:\n    $.a: x\n", "r.yml:4: tolerance"),
        ("r.json", b'[\n"GET /a",\n\n{"path": "/b",\n"json": {"a": {"b": 1, "b": 2}}}]', "r.json:4: duplicate key 'b'"),
        ("r.json", b'["GET /a", {"path": "/b", "json": NaN}]', "r.json:1: NaN is no number"),
        ("r.json", b'["GET /a", {"path": "/b", "json": -1e999}]', "r.json:1: the number -1e999 is out of range"),
        ("r.json", b'["GET /a",\n\n{"method": "BREW", "path": "/b"}]', "r.json:3: method: "),
        ("r.json", b"[" * 100_000, "r.json is nested too deeply"),
        ("r.json", b"{", "r.json"),
        ("r.json", b"", "r.json"),
    ],
)
def test_a_mistake_names_the_file_and_the_place(tmp_path: Path, name: str, content: bytes, complaint: str) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(PydanticCustomError) as raised:
        read_requests(file)
    assert complaint in raised.value.message()
