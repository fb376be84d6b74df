"""FastAPI against Django: what the frameworks do by themselves, and what is said about it."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cutover.checks.base import Result
from cutover.plan.thresholds import Verdict
from tests.support.rawserver import groups

Compare = Callable[..., Awaitable[Result]]
APPS = Path(__file__).parent / "apps"
TASK = {"method": "POST", "path": "/tasks/", "unsafe": True}


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
