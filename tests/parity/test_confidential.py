"""Secrets in answers: none is told, and whatever else there is stays."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from cutover.checks.base import Result
from cutover.parity.brief import brief, excerpt
from cutover.parity.confidential import holds_secret, looks_secret
from cutover.parity.masking import is_secret_at, mask
from cutover.plan.thresholds import Verdict
from tests.support.rawserver import json_answer, raw

Compare = Callable[..., Awaitable[Result]]

HEAD, PAYLOAD = "eyJhbGciOiJIUzI1NiJ9", "eyJzdWIiOiIxMjM0NTY3ODkwIn0"
JWT = f"{HEAD}.{PAYLOAD}.dozjgNryP4J3jVmNHl0w5NXgL0n3I9PlFUP0THs"
HEX = "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567"


def text_answer(body: str, media_type: str) -> bytes:
    return raw(200, f"Content-Type: {media_type}", body=body.encode())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (json_answer({"access": JWT, "refresh": JWT + "a"}), json_answer({"access": JWT + "b", "refresh": JWT + "c"})),
        (json_answer({"key": HEX}), json_answer({"key": HEX[::-1]})),
        (json_answer({"access_token": ["MARKED-1"]}), json_answer({"access_token": ["MARKED-2"]})),
        (json_answer({"tokens": {"x": "MARKED-1"}}), json_answer({"tokens": {"x": "MARKED-2"}})),
        (json_answer({"tokens": {"x": "MARKED-1"}}), json_answer({"tokens": "MARKED-2"})),
        (json_answer({"kept": 1, "pin": 764831}), json_answer({"kept": 1, "pin": 764832})),
        (json_answer({"user": {"apiKey": "MARKED-1"}}), json_answer({"user": {"apiKey": "MARKED-2"}})),
        (json_answer({"a": f"see /cb?token=MARKED1&x={JWT}"}), json_answer({"a": "see /cb?token=MARKED2"})),
        (
            json_answer({"a": "x"}, "X-Api-Key: MARKED-1"),
            json_answer({"a": "x"}, "X-Api-Key: MARKED-2"),
        ),
        (raw(302, "Location: /cb?code=MARKED111&token=MARKED1"), raw(302, "Location: /b?code=MARKED222&token=MARKED2")),
        (raw(302, "Location: https://u:MARKED1@a.example/"), raw(302, "Location: https://u:MARKED2@a.example/")),
        (text_answer('{"access_token":"MARKED1",}', "application/json"), json_answer({"access_token": "MARKED2"})),
        (text_answer("Error token=MARKED", "text/plain"), text_answer("Error: token=MARKEX", "text/plain")),
        (
            text_answer("<input name=csrf value=MARKED1x>", "text/html"),
            text_answer("<input name=csrf value=MARKED2x>", "text/html"),
        ),
        (
            text_answer("Authorization: Bearer MARKED.a at 10:31", "text/plain"),
            text_answer("Authorization: Bearer MARKED.a at 10:32", "text/plain"),
        ),
        (
            text_answer(f'{{"access_token": "{"a" * 300}MARKED1"', "application/json"),
            text_answer(f'{{"access_token": "{"a" * 300}MARKED2"', "application/json"),
        ),
    ],
)
async def test_no_secret_of_an_answer_is_told(one: bytes, other: bytes, compare: Compare) -> None:
    result = await compare(one, other)
    assert result.verdict is Verdict.FAIL or result.details["groups"]
    told = str(result)
    for secret in ("MARKED", HEAD, HEX, HEX[::-1], "76483", "aaaaaaaaaaaaa"):
        assert secret not in told


async def test_what_is_masked_on_both_sides_is_said_to_differ(compare: Compare) -> None:
    result = await compare(json_answer({"access": JWT, "n": 1}), json_answer({"access": JWT + "a", "n": 1}))
    (group,) = result.details["groups"]
    assert group["message"] == "they differ in what is not shown: secret, or too long"
    assert group["samples"][0]["old"] == '"***"'


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("access_token", "x"), ("accessToken", "x"), ("X-Api-Key", "x"), ("api-key", "x"), ("refreshTokens", ["x"]),
        ("password", "x"), ("user_password", 12345), ("client-secret", "x"), ("csrftoken", "x"), ("sessionId", "x"),
        ("credentials", {"a": "x"}), ("pin", "4711"), ("pin", 471112), ("otp", 123456), ("key", "ApiKeySecret-0001"),
        ("refresh", "REFRESHSECRET-old-42"), ("anything", JWT), ("value", "ghp_0123456789abcdefABCDEF"), ("token", HEX),
        ("key", HEX), ("x", "q8Lw1ZbTy3Kd0PfRx7Vn2Mc5"), ("password_hash", "x"),
    ],
)  # fmt: skip
def test_a_value_is_secret_by_its_name_or_its_looks(name: str, value: object) -> None:
    assert holds_secret(name, value)
    assert json.dumps(brief({name: value})) == json.dumps({name: "***"})
    assert is_secret_at(f"$.rows[].{name}" if name.isidentifier() else f'$["{name}"]', value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("token", None), ("token", ""), ("has_password", True), ("max_tokens", 500), ("total_tokens", 17.5),
        ("token_type", "Bearer"), ("token_expires_in", 3600), ("password_changed_at", "2026-11-20T10:30:00Z"),
        ("nextPageToken", "abcdefgh"), ("code", "not_found"), ("code", "394914008"), ("key", "created_at"),
        ("state", "completed"), ("access", "public"), ("pin", 13), ("author", "x"), ("passenger", "x"),
        ("monkey", "abcdefgh"), ("tokenizer", "x"), ("id", "q8Lw1ZbTy3Kd0PfRx7Vn2Mc5"), ("etag", HEX),
        ("checksum", HEX + HEX), ("_id", "507f1f77bcf86cd799439011"), ("uid", "1.2.840.113619.2.55.3.604688119.971.12"),
        ("x", "8a6e0804-2bd0-4672-b79d-d97027f9071a"), ("x", "2026-11-20T10:30:00.123456+00:00"),
        ("x", "my-long-article-title-2024"), ("x", "MyLongArticleTitle2024Version3"), ("x", "Chest_CT_2024-11-20.dcm"),
        ("x", "01ARZ3NDEKTSV4RRFFQ69G5FAV"), ("x", "d41d8cd98f00b204e9800998ecf8427e"), ("x", "12:30:11"),
        ("x", "U3R1ZHk6MTIzNDU2Nzg5MA=="), ("x", "https://a.example/b?page=2&code=CT&state=open"),
        ("x", "Error: field required"), ("x", "a well-known word = b"), ("WWW-Authenticate", 'Bearer realm="api"'),
    ],
)  # fmt: skip
def test_ids_dates_words_and_counts_stay(name: str, value: Any) -> None:
    assert brief({name: value}) == {name: value}
    assert brief(value, name=name) == value


@pytest.mark.parametrize("length", [32, 48])
def test_long_random_tokens_are_known_under_any_name(length: int) -> None:
    made = [secrets.token_urlsafe(length) for _ in range(300)]
    assert sum(map(looks_secret, made)) > 280


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ('{"access_token":"a",', '{"access_token":"***",'),
        ('{"tokens": ["a", "b"], "n": 1}', '{"tokens": ***], "n": 1}'),
        ("{'password': 'x y'}", "{'password': '***'}"),
        ('{\\"token\\": \\"abc\\"}', '{\\"token\\": \\"***"}'),
        ("a=1&api-key=x&b=2", "a=1&api-key=***&b=2"),
        ("/cb?code=CT&state=abcdefgh&x=1", "/cb?code=CT&state=***&x=1"),
        ('{"next": "/a?x=1&token=b&z=2"}', '{"next": "/a?x=1&token=***&z=2"}'),
        ('<meta content="a" name="csrf-token">', '<meta content="***" name="csrf-token">'),
        ("<token>a</token><n>1</n>", "<token>***</token><n>1</n>"),
        ("see https://u:p@a.example/", "see https://***@a.example/"),
        ("Basic dXNlcjpwYXNz", "Basic ***"),
        ("Basic information, Bearer of news", "Basic information, Bearer of news"),
        (f"a {JWT} b", "a *** b"),
        ("nothing: here, at 10:30", "nothing: here, at 10:30"),
    ],
)
def test_texts_keep_all_but_secrets(text: str, left: str) -> None:
    assert mask(text) == left


def test_a_part_of_a_body_hides_a_secret_whose_name_stands_before_it() -> None:
    body = b'{"n": 1, "access_token": "' + b"a" * 500 + "\u00e9".encode() + b'", "m": "\xff\xc3\xa9"}'
    assert excerpt(body, 300, 20) == "***"
    assert excerpt(body, 520, 40) == '***", "m": "\ufffd\u00e9"}'
    assert excerpt(body, 0, 8) == '{"n": 1,'


@pytest.mark.parametrize(
    "piece", ["a=", 'a="', "eyJ", "://", "<id=", "a.", "Bearer ", "aA1", "{a:", "a: '", "<a", "token="]
)
def test_a_hostile_text_takes_no_long_time(piece: str) -> None:
    begin = time.process_time()
    mask(piece * (8000 // len(piece)))
    assert time.process_time() - begin < 0.5
