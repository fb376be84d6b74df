"""The check ``http`` against real servers that behave and that don't."""

from __future__ import annotations

import asyncio
import gzip
import json
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from cutover.checks.base import Result
from cutover.checks.http import Http, differences
from cutover.plan.thresholds import Verdict
from cutover.redact import redactor

if TYPE_CHECKING:
    from .conftest import MakeContext, Serving


def answer(body: bytes = b"", status: str = "200 OK", headers: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


def http(**settings: Any) -> Http:
    return Http.model_validate({"backend": "new", "path": "/health", **settings})


async def ask(serving: Serving, context: MakeContext, raw: bytes, **settings: Any) -> Result:
    return await http(**settings).run(context(new=await serving.answer(raw)))


async def test_any_2xx_passes_by_default(serving: Serving, context: MakeContext) -> None:
    result = await ask(serving, context, answer(status="204 No Content"))
    assert result.passed
    assert "GET http://127.0.0.1:" in result.summary
    assert result.figures["seconds"] > 0


async def test_says_what_came_and_what_was_expected(serving: Serving, context: MakeContext) -> None:
    result = await ask(serving, context, answer(b"out of\n order", "503 Nope"))
    assert result.verdict is Verdict.FAIL
    assert "/health: 503, expected 2xx; body: out of order" in result.summary


@pytest.mark.parametrize(("expected", "passes"), [(404, True), ([200, 404], True), ([200, 201], False), (200, False)])
async def test_status_is_one_or_a_list(serving: Serving, context: MakeContext, expected: Any, *, passes: bool) -> None:
    result = await ask(serving, context, answer(status="404 Not Found"), status=expected)
    assert result.passed is passes


async def test_redirects_are_not_followed_and_named(serving: Serving, context: MakeContext) -> None:
    result = await ask(serving, context, answer(status="307 Temporary", headers="Location: /health/\r\n"))
    assert "307 to /health/, expected 2xx" in result.summary
    assert len(serving.requests) == 1


async def test_every_request_carries_the_probe_header_the_backends_and_its_own(
    serving: Serving, context: MakeContext
) -> None:
    port = await serving.answer(answer())
    ctx = context(new=port, headers={"Authorization": "Bearer token", "X-Kept": "1"})
    await http(headers={"authorization": "Bearer other"}, path="/a%20b?x=1&y=é").run(ctx)
    head = serving.requests[0].lower()
    assert head.startswith(b"get /a%20b?x=1&y=%c3%a9 http/1.1\r\n")
    assert b"x-cutover-probe: 1\r\n" in head
    assert b"x-kept: 1\r\n" in head
    assert head.count(b"authorization:") == 1
    assert b"authorization: bearer other" in head


async def test_credentials_of_the_url_are_sent_and_not_shown(serving: Serving, context: MakeContext) -> None:
    port = await serving.answer(answer(status="401 No"))
    result = await http().run(context(new=f"http://anna:s3cret-word@127.0.0.1:{port}/base"))
    assert b"Authorization: Basic YW5uYTpzM2NyZXQtd29yZA==" in serving.requests[0]
    assert b"GET /base/health " in serving.requests[0]
    assert "s3cret" not in result.summary + str(result.details)


async def test_sends_a_body_with_an_unsafe_method(serving: Serving, context: MakeContext) -> None:
    result = await ask(serving, context, answer(), method="POST", body="über", unsafe=True)
    assert result.passed
    assert serving.requests[0].startswith(b"POST /health")
    assert serving.requests[0].endswith("\r\n\r\nüber".encode())


def test_a_method_that_writes_has_to_be_called_unsafe() -> None:
    with pytest.raises(ValidationError, match="unsafe: true"):
        http(method="DELETE")


def test_head_can_expect_no_body() -> None:
    with pytest.raises(ValidationError, match="no body"):
        http(method="HEAD", contains="x")


def test_headers_can_inject_nothing() -> None:
    with pytest.raises(ValidationError, match="line breaks") as caught:
        http(headers={"X-Token": "secret\r\nX-Other: 1"})
    assert "secret" not in caught.value.errors()[0]["msg"]


async def test_json_is_a_subset(serving: Serving, context: MakeContext) -> None:
    body = json.dumps({"status": "ok", "parts": [{"name": "db", "up": True, "ms": 3}, {"name": "queue"}]}).encode()
    expected = {"status": "ok", "parts": [{"up": True}]}
    assert (await ask(serving, context, answer(body), json=expected)).passed


async def test_json_says_what_differs(serving: Serving, context: MakeContext) -> None:
    body = b'{"status": "degraded", "up": 1, "parts": []}'
    result = await ask(serving, context, answer(body), json={"status": "ok", "up": True, "parts": [1], "x": None})
    for part in (
        '$.status is "degraded", expected "ok"',
        "$.up is 1, expected true",
        "$.parts has 0 items, expected 1",
        "$.x is missing",
    ):
        assert part in result.summary


async def test_json_null_is_an_expectation(serving: Serving, context: MakeContext) -> None:
    assert (await ask(serving, context, answer(b"null"), json=None)).passed
    assert not (await ask(serving, context, answer(b"{}"), json=None)).passed


async def test_a_body_that_is_no_json_fails(serving: Serving, context: MakeContext) -> None:
    result = await ask(serving, context, answer(b"<html>"), json={})
    assert "the body is no JSON" in result.summary
    deep = await ask(serving, context, answer(b"[" * 100_000), json={})
    assert deep.verdict is Verdict.FAIL


async def test_contains_reads_compressed_answers(serving: Serving, context: MakeContext) -> None:
    raw = answer(gzip.compress(b"all is well"), headers="Content-Encoding: gzip\r\n")
    assert (await ask(serving, context, raw, contains="is well")).passed
    result = await ask(serving, context, raw, contains="is ill")
    assert "the body does not contain 'is ill'" in result.summary


async def test_a_huge_body_is_read_up_to_a_megabyte(serving: Serving, context: MakeContext) -> None:
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n" + b"x" * 2_000_000
    result = await ask(serving, context, raw, contains="needle")
    assert "in its first 1024 kb" in result.summary
    assert len(result.summary) < 1000
    assert (await ask(serving, context, raw)).passed


async def test_slower_than_max_time_fails(serving: Serving, context: MakeContext) -> None:
    port = await serving.answer(answer(), delay=0.1)
    result = await http(max_time="50ms").run(context(new=port))
    assert "expected at most 50ms" in result.summary


async def test_a_backend_that_is_down_fails_with_the_reason(context: MakeContext, closed_port: int) -> None:
    result = await http().run(context(new=closed_port))
    assert result.verdict is Verdict.FAIL
    assert "Connection refused" in result.summary


async def test_a_name_that_does_not_resolve_fails_with_the_reason(context: MakeContext) -> None:
    result = await http().run(context(new="http://nowhere.invalid:80"))
    assert "does not resolve" in result.summary


async def test_silence_fails_in_time(serving: Serving, context: MakeContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cutover.checks.http.TIMEOUT_S", 0.2)
    port = await serving.answer(answer(), delay=30)
    result = await http().run(context(new=port))
    assert "no answer within 200ms" in result.summary


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "closed without an answer"),
        (b"SSH-2.0-OpenSSH_9\r\n\r\n", "no HTTP answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", "broke off"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", ""),
        (answer(b"no gzip", headers="Content-Encoding: gzip\r\n"), "can't be decoded"),
    ],
)
async def test_what_is_no_answer_fails(serving: Serving, context: MakeContext, raw: bytes, words: str) -> None:
    port = await serving.answer(raw, close=True)
    result = await http().run(context(new=port))
    assert result.verdict is Verdict.FAIL
    assert words in result.summary


async def test_a_certificate_that_nobody_trusts_fails(
    serving: Serving, context: MakeContext, tls: ssl.SSLContext
) -> None:
    port = await serving.answer(answer(), tls=tls)
    result = await http().run(context(new=f"https://127.0.0.1:{port}"))
    assert "TLS: self-signed certificate" in result.summary


async def test_a_trusted_certificate_passes(
    serving: Serving, context: MakeContext, tls: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trusting = ssl.create_default_context(cafile=certificate)
    monkeypatch.setattr("aiohttp.connector._SSL_CONTEXT_VERIFIED", trusting)
    port = await serving.answer(answer(), tls=tls)
    assert (await http().run(context(new=f"https://127.0.0.1:{port}"))).passed


async def test_proxies_of_the_environment_are_not_used(
    serving: Serving, context: MakeContext, closed_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{closed_port}")
    assert (await ask(serving, context, answer())).passed


async def test_secrets_in_a_body_are_not_repeated(serving: Serving, context: MakeContext) -> None:
    redactor.add("s3cret-of-http")
    result = await ask(serving, context, answer(b"your token is s3cret-of-http", "500 No"))
    assert "s3cret" not in result.summary + str(result.details)


async def test_stops_when_cancelled(serving: Serving, context: MakeContext) -> None:
    port = await serving.answer(answer(), delay=30)
    task = asyncio.create_task(http().run(context(new=port)))
    await asyncio.wait_for(serving.asked.wait(), timeout=5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, timeout=2)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


@given(JSON)
def test_everything_contains_itself(value: Any) -> None:
    assert differences(value, value) == []


SCALARS = st.none() | st.booleans() | st.integers(-2, 2) | st.floats(-2, 2) | st.text(max_size=2)


@given(SCALARS, SCALARS)
def test_scalars_are_compared_by_type_and_value(expected: Any, actual: Any) -> None:
    same = isinstance(expected, bool) == isinstance(actual, bool) and expected == actual
    assert (differences(expected, actual) == []) is same


@given(st.dictionaries(st.text(max_size=3), JSON, min_size=1, max_size=4), st.data())
def test_a_missing_key_is_always_told(value: dict[str, Any], data: st.DataObject) -> None:
    gone = data.draw(st.sampled_from(sorted(value)))
    assert f"$.{gone} is missing" in differences(value, {k: v for k, v in value.items() if k != gone})


LOGIN = {"method": "POST", "unsafe": True, "save": {"token": "$.access_token", "sid": "cookie:sid"}}
SAVED = answer(
    b'{"access_token": "t0ken-of-the-login", "refresh_token": "never-to-be-shown"}',
    headers="Set-Cookie: sid=s3ss10n-id; Path=/\r\n",
)


async def test_a_login_saves_values_and_tells_their_names_alone(serving: Serving, context: MakeContext) -> None:
    result = await ask(serving, context, SAVED, **LOGIN)
    assert result.passed
    assert result.saved == {"token": "t0ken-of-the-login", "sid": "s3ss10n-id"}
    assert result.summary.endswith(", saved token, sid")
    assert result.details["saved"] == ["token", "sid"]
    told = f"{result!r} {json.dumps(result.to_json())}"
    assert not any(secret in told for secret in ("t0ken-of-the-login", "s3ss10n-id", "never-to-be-shown"))
    assert redactor.text("Bearer t0ken-of-the-login") == "Bearer ***"
    assert http(**LOGIN).summary() == "POST /health on new answers 2xx, saves token, sid"


@pytest.mark.parametrize(
    ("raw", "settings", "said"),
    [
        (answer(b'{"access_token": "half-0f-it"}'), {}, "nothing to save as sid: there is no cookie:sid in the answer"),
        (SAVED, {"json": {"access_token": "another"}}, '$.access_token is "***", expected "another"'),
        (SAVED, {"contains": "welcome"}, "the body does not contain 'welcome'"),
        (SAVED, {"status": 201}, "200, expected 201"),
        (answer(b'["no t0ken-of-the-login'), {}, "nothing to save as token: the body is no JSON"),
        (
            answer(b'{"access_token": "' + b"x" * 1_100_000 + b'"}', headers="Set-Cookie: sid=s3ss10n-id\r\n"),
            {},
            "nothing to save as token: the body is no JSON; the body is larger than 1024 kb",
        ),
    ],
)
async def test_what_did_not_pass_saves_nothing_and_shows_nothing_of_the_body(
    serving: Serving, context: MakeContext, raw: bytes, settings: dict[str, Any], said: str
) -> None:
    result = await ask(serving, context, raw, **LOGIN, **settings)
    assert result.verdict is Verdict.FAIL
    assert said in result.summary
    assert result.saved == {}
    told = result.summary + json.dumps(result.to_json())
    secrets = ("t0ken-of-the-login", "s3ss10n-id", "never-to-be-shown", "half-0f-it", "xxxxxxxxxx")
    assert not any(secret in told for secret in secrets)


async def test_a_refused_login_says_why(serving: Serving, context: MakeContext) -> None:
    result = await ask(serving, context, answer(b'{"detail": "wrong password"}', "401 No"), **LOGIN)
    assert result.summary.endswith('/health: 401, expected 2xx; body: {"detail": "wrong password"}')


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"method": "POST", "save": {"token": "$.a"}}, "say unsafe: true beside it"),
        ({"refresh": "30m"}, "refresh says how old a saved value may become"),
        ({"save": {"token": "$.a"}, "refresh": "0s"}, "refresh says how old a saved value may become"),
        ({"save": {"token": "$..a"}}, "may name several places"),
        ({"save": ["token"]}, "valid dictionary"),
    ],
)
def test_a_login_that_cannot_be_is_a_mistake(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        http(**settings)
