"""FastAPI against Django: what the frameworks do by themselves, and what is said about it."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from cutover.checks.base import Result
from cutover.plan.thresholds import Verdict
from tests.support.rawserver import groups

Compare = Callable[..., Awaitable[Result]]
APPS = Path(__file__).parent / "apps"
TASK = {"method": "POST", "path": "/tasks/", "unsafe": True}
INVALID = {**TASK, "json": {"title": "a", "minutes": "many"}}
FORM = {**TASK, "body": "title=a", "headers": {"Content-Type": "application/x-www-form-urlencoded"}}
VALID = {**TASK, "json": {"title": "a", "minutes": 5}}
Found = list[tuple[str, str]]


class Seen(NamedTuple):
    """What was seen of the two frameworks, the line of the table that says so, and what is found of it."""

    line: str
    name: str
    request: Any
    settings: dict[str, Any] = {}  # noqa: RUF012 - a table
    fails: Found = []  # noqa: RUF012 - a table
    warns: Found = []  # noqa: RUF012 - a table


STATUS, MEDIA_TYPE = ("status", "status"), ("header", "Content-Type")
ROWS = {"unwrap": {"new": "$.results"}}
SEEN = [
    Seen("status", "an invalid body", INVALID, fails=[STATUS]),
    Seen("status", "an invalid body, mapped", INVALID, {"status_map": {422: 400}, "error_body": "ignore"}),
    Seen("status", "a bad path type", "GET /rows/one", fails=[STATUS]),
    Seen("status", "a bad path type, mapped", "GET /rows/one",
         {"status_map": {422: 404}, "error_body": "ignore", "ignore_headers": ["Content-Type"]}),
    Seen("status", "a wrong media type", FORM, fails=[STATUS]),
    Seen("status", "a wrong media type, mapped", FORM, {"status_map": {422: 415}, "error_body": "ignore"}),
    Seen("status", "created on both", VALID),
    Seen("trailing slash", "307 against 301", "GET /same", fails=[STATUS]),
    Seen("trailing slash", "the same target", "GET /same", {"redirects": "same_target"}),
    Seen("trailing slash", "followed", "GET /same", {"redirects": "follow"}),
    Seen("trailing slash", "on POST, which Django's makes a GET", {**VALID, "path": "/tasks"},
         {"redirects": "same_target"}, fails=[STATUS]),
    Seen("Location", "absolute against relative", "GET /rows", {"redirects": "same_target"}),
    Seen("Location", "to another path", "GET /moved/", fails=[("header", "Location")]),
    Seen("null, missing, empty", "missing against null", "GET /sparse/", fails=[("added", "$.note")]),
    Seen("null, missing, empty", "allowed", "GET /sparse/", {"null_equals_missing": ["$.note"]}),
    Seen("date and time", "cut to milliseconds", "GET /rows/3", fails=[("value", "$.taken_at")]),
    Seen("date and time", "by milliseconds", "GET /rows/3", {"datetime": "ms"}),
    Seen("date and time", "+02:00 against Z", "GET /spelled/", warns=[("value", "$.at")]),
    Seen("date and time", "by instant", "GET /spelled/", {"datetime": {"$.at": "instant"}}),
    Seen("date and time", "naive against aware", "GET /naive/", {"datetime": "ms"}, fails=[("value", "$.at")]),
    Seen("numbers", "decimals as strings", "GET /rows/", {**ROWS, "datetime": "instant"},
         fails=[("type", "$[].price")]),
    Seen("numbers", "decimals as strings, allowed", "GET /rows/",
         {**ROWS, "datetime": "instant", "numeric_string": ["$[*].price"]}),
    Seen("numbers", "10 and 10.0, 1e16 and an integer", "GET /spelled/", {"datetime": "instant"}),
    Seen("key order, spacing, escapes", "as each writes them", "GET /same/"),
    Seen("key order, spacing, escapes", "on HEAD", {"method": "HEAD", "path": "/same/", "status": 405}),
    Seen("envelope", "a list against a page", "GET /rows/", fails=[("type", "$")]),
    Seen("envelope", "unwrapped", "GET /rows/",
         {**ROWS, "datetime": "instant", "numeric_string": ["$[*].price"]}),
    Seen("error bodies", "a list of details against fields", INVALID, {"status_map": {422: 400}},
         warns=[("missing", "$.detail"), ("added", "$.minutes")]),
    Seen("error bodies", "an HTML page", "GET /nothing", fails=[MEDIA_TYPE], warns=[("body", "$")]),
    Seen("error bodies", "an HTML page, allowed", {"path": "/nothing", "status": 404},
         {"error_body": "ignore", "ignore_headers": ["Content-Type"]}),
    Seen("error bodies", "strict", INVALID, {"status_map": {422: 400}, "error_body": "strict"},
         fails=[("missing", "$.detail"), ("added", "$.minutes")]),
    Seen("Set-Cookie", "Secure is lost, Expires and the value are free", "GET /login/",
         fails=[("header", "Set-Cookie: sid")]),
    Seen("Set-Cookie", "allowed", "GET /login/", {"ignore_headers": ["Set-Cookie"]}),
    Seen("gzip, HTTP version", "plain against zipped", "GET /zipped/"),
    Seen("order of lists", "the other way round", "GET /order/", fails=[("order", "$")]),
    Seen("order of lists", "allowed", "GET /order/", {"unordered": ["$"]}),
]  # fmt: skip


@contextmanager
def served(app: str) -> Iterator[str]:
    """The app on a socket that listens before it runs, so that nothing has to be waited for."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        descriptor = listening.fileno()
        process = subprocess.Popen([sys.executable, str(APPS / app), str(descriptor)], pass_fds=[descriptor])
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            process.terminate()
            process.wait(10)


@pytest.fixture(scope="module")
def backends() -> Iterator[tuple[str, str]]:
    with served("fastapi_app.py") as old, served("django_app.py") as new:
        yield old, new


@pytest.fixture
def asked(backends: tuple[str, str], compare: Compare) -> Compare:
    async def ask(*requests: Any, **settings: Any) -> Result:
        return await compare(*backends, requests=list(requests), timeout="30s", **settings)

    return ask


@pytest.mark.parametrize("seen", [pytest.param(seen, id=f"{seen.line}: {seen.name}") for seen in SEEN])
async def test_what_was_seen_of_the_frameworks_is_found_or_stays_quiet(seen: Seen, asked: Compare) -> None:
    result = await asked(seen.request, **seen.settings)
    found = {level: [(kind, path) for kind, path, _ in groups(result, level)] for level in ("fail", "warn")}
    assert sorted(found["fail"]) == sorted(seen.fails), result.details["groups"]
    assert sorted(found["warn"]) == sorted(seen.warns), result.details["groups"]
    assert result.verdict is (Verdict.FAIL if seen.fails else Verdict.PASS)


# What is equal in all that either framework writes by itself has no pair to be found here.
QUIET = {"key order, spacing, escapes", "gzip, HTTP version"}


@pytest.mark.parametrize("line", sorted({seen.line for seen in SEEN}))
def test_every_line_has_what_is_found_and_what_is_quiet(line: str) -> None:
    of_line = [seen for seen in SEEN if seen.line == line]
    assert line in QUIET or any(seen.fails for seen in of_line)
    assert any(not seen.fails and not seen.warns for seen in of_line)


async def test_the_same_data_in_two_frameworks_is_no_difference(asked: Compare) -> None:
    result = await asked("GET /same/", "HEAD /same/")
    assert groups(result, "fail", "warn") == []
    assert ("header", "X-Frame-Options", 1) in groups(result, "note")


async def test_statuses_of_validation_differ_and_can_be_mapped(asked: Compare) -> None:
    invalid = {**TASK, "json": {"title": "a", "minutes": "many"}}
    wrong_media_type = {**TASK, "body": "title=a", "headers": {"Content-Type": "application/x-www-form-urlencoded"}}
    result = await asked(invalid)
    assert groups(result) == [("status", "status", 1)]
    assert result.details["groups"][0]["cure"] == "status_map: {422: 400}"
    result = await asked({**invalid, "status_map": {422: 400}}, {**wrong_media_type, "status_map": {422: 415}})
    assert result.verdict is Verdict.PASS
    assert {path for _, path, _ in groups(result, "warn")} >= {"$.minutes"}
    assert (await asked({**invalid, "status_map": {422: 400}}, error_body="ignore")).details["groups"] != []


async def test_a_wrong_path_type_is_422_on_one_and_an_html_404_on_the_other(asked: Compare) -> None:
    assert groups(await asked("GET /rows/one")) == [("status", "status", 1)]
    result = await asked("GET /rows/one", status_map={422: 404}, error_body="ignore")
    assert groups(result) == [("header", "Content-Type", 1)]


async def test_a_missing_slash_redirects_in_two_ways_to_one_place(asked: Compare) -> None:
    result = await asked("GET /same")
    assert groups(result) == [("status", "status", 1)]
    assert result.details["groups"][0]["cure"] == "redirects: same_target"
    result = await asked("GET /same", redirects="same_target")
    assert result.verdict is Verdict.PASS, result.summary
    result = await asked({**TASK, "path": "/tasks", "json": {}}, redirects="same_target")
    assert groups(result) == [("status", "status", 1)]


async def test_a_page_against_a_list_is_one_finding_and_its_rows_can_be_compared(asked: Compare) -> None:
    result = await asked("GET /rows/")
    assert groups(result) == [("type", "$", 1)]
    assert result.details["groups"][0]["cure"] == "unwrap: {new: $.results}"
    result = await asked("GET /rows/", unwrap={"new": "$.results"})
    assert groups(result) == [("type", "$[].price", 7)]
    assert groups(result, "warn") == [("value", "$[].taken_at", 7)]
    cures = [group["cure"] for group in result.details["groups"][:2]]
    assert cures == ["numeric_string: ['$[].price']", "datetime: {'$[].taken_at': instant}"]
    settings = {"numeric_string": ["$[].price"], "datetime": {"$[].taken_at": "instant"}}
    result = await asked("GET /rows/", unwrap={"new": "$.results"}, **settings)
    assert groups(result, "fail", "warn") == []


async def test_django_cuts_times_to_milliseconds(asked: Compare) -> None:
    result = await asked("GET /rows/3")
    assert groups(result) == [("value", "$.taken_at", 1)]
    assert result.details["groups"][0]["cure"] == "datetime: {'$.taken_at': ms}"
    assert (await asked("GET /rows/3", datetime="ms")).verdict is Verdict.PASS


async def test_a_cookie_that_lost_secure_is_found(asked: Compare) -> None:
    result = await asked("GET /login/")
    assert groups(result) == [("header", "Set-Cookie: sid", 1)]
    assert "secure differs" in result.summary
