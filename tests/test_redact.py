from __future__ import annotations

import base64
import html
import json
import time
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cutover.redact import MASK, MIN_SECRET_LENGTH, Redactor

SECRETS = [
    "s3cr3t-marked",
    'quo"te\\back/slash+plus=%&<>',
    "spaces and\ttabs",
    "ümläut-密码-🔑",
    "123456",
    "C:\\\\path\\to\\key",
    "\\\\\\\\\\\\",
]


def redactor(*secrets: str) -> Redactor:
    made = Redactor()
    for secret in secrets:
        made.add(secret)
    return made


def spellings(secret: str) -> list[str]:
    return [
        secret,
        quote(secret),
        quote(secret, safe=""),
        quote(quote(secret, safe=""), safe=""),
        quote_plus(secret),
        quote(secret, safe="").lower() if secret.islower() else secret,
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        json.dumps(json.dumps(secret))[3:-3],
        repr(secret)[1:-1],
        html.escape(secret),
        html.escape(html.escape(secret)),
        html.escape(json.dumps(secret)[1:-1]),
        base64.b64encode(secret.encode()).decode(),
        base64.urlsafe_b64encode(secret.encode()).decode(),
    ]


@pytest.mark.parametrize("secret", SECRETS)
def test_no_spelling_of_a_secret_stays(secret: str) -> None:
    made = redactor(secret)
    for spelling in spellings(secret):
        redacted = made.text(f"before {spelling} after")
        assert redacted == f"before {MASK} after" or redacted.startswith("before ***"), spelling
        assert spelling not in redacted


@given(
    secret=st.text(st.characters(exclude_categories=["Cs"]), min_size=6, max_size=30),
    around=st.tuples(st.text(max_size=10), st.text(max_size=10)),
)
def test_no_secret_survives_any_spelling_in_any_text(secret: str, around: tuple[str, str]) -> None:
    made = redactor(secret)
    for spelling in spellings(secret):
        text = f"{around[0]}{spelling}{around[1]}"
        assume(spelling not in MASK)
        assert secret not in made.text(text)
        assert MASK in made.text(text)


@given(user=st.text("abcdefgh", max_size=6), secret=st.text(min_size=6, max_size=20).filter(lambda s: s.isprintable()))
def test_a_secret_inside_base64_is_found_wherever_it_begins(user: str, secret: str) -> None:
    token = base64.b64encode(f"{user}:{secret}:rest".encode()).decode()
    redacted = redactor(secret).text(f"Authorization: Basic {token}")
    assert MASK in redacted
    left = redacted.removeprefix("Authorization: Basic ").split(MASK)[0]
    whole = left[: len(left) // 4 * 4]
    assert len(base64.b64decode(whole)) <= len(f"{user}:".encode())


@given(text=st.text(), secret=st.text(min_size=6))
def test_a_text_without_the_secret_stays_as_it_is(text: str, secret: str) -> None:
    made = redactor("a-secret-that-no-text-has")
    assert made.text(text) == text
    assert made.text(made.text(text)) == made.text(text)


@pytest.mark.parametrize("secret", ["", "a", "true", "12345"])
def test_short_values_are_too_common_to_be_replaced(secret: str) -> None:
    assert len(secret) < MIN_SECRET_LENGTH
    assert redactor(secret).text(f"is {secret}") == f"is {secret}"


def test_a_secret_that_contains_another_goes_whole() -> None:
    assert redactor("secret-one", "secret-one-and-more").text("is secret-one-and-more.") == f"is {MASK}."


def test_each_line_of_a_key_is_a_secret() -> None:
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkq\nhkiG9w0BAQEFAASC\n-----END KEY-----\n"
    made = redactor(key)
    assert "hkiG9w0BAQEFAASC" not in made.text("  key: |\n    MIIEvQIBADANBgkq\n    hkiG9w0BAQEFAASC\n")
    assert "MIIEvQIBADANBgkq" not in made.text(json.dumps(key))


def test_data_is_walked_to_its_ends_and_keeps_its_shape() -> None:
    data = {"a secret-one": [1, 2.5, None, True, ("secret-one", {"deep": "x secret-one"})], "n": 987654321}
    assert redactor("secret-one", "987654321").data(data) == {
        f"a {MASK}": [1, 2.5, None, True, (MASK, {"deep": f"x {MASK}"})],
        "n": MASK,
    }


def test_exact_keys_stay_at_any_depth() -> None:
    data = {"previous": "secret-one", "list": [{"previous": {"x": "secret-one"}}, "secret-one"]}
    assert redactor("secret-one").data(data, exact=frozenset({"previous"})) == {
        "previous": "secret-one",
        "list": [{"previous": {"x": "secret-one"}}, MASK],
    }


@pytest.mark.parametrize("text", ["\\" * 200_000, "%25" * 70_000, "x" * 200_000, "secret\\" * 30_000, " \n" * 100_000])
def test_no_text_makes_redaction_slow(text: str) -> None:
    """Ten times the text takes about ten times as long, not a hundred: within a hundred, for a busy machine."""
    made = redactor('secret\\"x + \n y', "\\\\\\\\\\\\\\\\\\\\x", "      \n      z")

    def seconds(part: str) -> float:
        began = time.process_time()
        made.text(part)
        return time.process_time() - began

    short = max(min(seconds(text[: len(text) // 10]) for _ in range(3)), 0.001)
    assert seconds(text) < 50 * short


def test_without_secrets_nothing_is_touched() -> None:
    data = {"a": ["b"]}
    assert redactor().data(data) is data
    assert redactor().text("text") == "text"
