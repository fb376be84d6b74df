"""What of a recorded request may hold a secret."""

from __future__ import annotations

import time

import pytest

from cutover.parity.sources.credentials import is_secret_header, without_secrets

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmVk"


@pytest.mark.parametrize(
    "parameter",
    [
        "token=x", "access_token=x",
        "accessToken=x", "id-token=x", "refresh_token=x", "api_key=x", "apikey=x",
        "API-Key=x", "x-api-key=x", "signature=x", "sig=x", "X-Amz-Signature=x", "X-Amz-Credential=x",
        "X-Amz-Security-Token=x",
        "password=x", "passwd=x", "user[password]=x", "auth.token=x", "client_secret=x", "jwt=x", "session_id=x",
        "PHPSESSID=x", "csrfmiddlewaretoken=x", "SAMLResponse=x", "code=4711ab", "session=4711ab", "key=4711ab",
        "acc%65ss_token=x", "access%5Ftoken=x", f"q={JWT}", "next=%2Fcb%3Ftoken%3Dabc",
        "u=https%253A%252F%252Fa%252F%253Fsig%253Dx",

        "session_token[x]=x", "password[contains]=x", "token[]=x",
        "filter=%7B%22password%22%3A%22x%22%7D", "url=https%3A%2F%2Fme%3Ax%40host%2F",
    ],
)  # fmt: skip
def test_a_parameter_that_may_be_a_credential_is_taken_out(parameter: str) -> None:
    path, taken = without_secrets(f"/a?page=2&{parameter}&b=%20c")
    assert path == "/a?page=2&b=%20c"
    assert len(taken) == 1


@pytest.mark.parametrize(
    "target",
    [
        "/a", "/a?", "/a?b", "/a?b=&c", "/a?code=CT", "/a?key=id", "/a?country_code=switzerland",
        "/a?sort_key=created_at",
        "/a?page_token=abcdefgh", "/a?nextPageToken=abcdefgh", "/a?sid=17", "/a?tokens=5", "/a?q=a:b", "/a?t=10:00:00",
        "/a?b=1;c=2", "/a?author=x", "/a?passenger=x", "/a?monkey=abcdefgh", "/a?b=%2", "/a?=x", "/a;v=1/b?c=d",
        "/a/my-long-article-title-2024", "/reset/my-long-article-title-2024", "/a/507f1f77bcf86cd799439011",
        "/blobs/0a1b2c3d4e5f60718293a4b5c6d7e8f901234567", "/a/8a6e0804-2bd0-4672-b79d-d97027f9071a",
        "/sessions/8a6e0804-2bd0-4672-b79d-d97027f9071a", "/a/1.2.840.113619.2.55.3.604688119.971.1234567890",
        "/a/2026-11-20T10:30:00.123456+00:00/b", "/a/Chest_CT_2024-11-20T10:30:00Z_v2.dcm",
        "/a/20261120T103000.123456Z",
        "/a/MyLongArticleTitle2024Version3", "/a/01ARZ3NDEKTSV4RRFFQ69G5FAV", "/a/U3R1ZHk6MTIzNDU2Nzg5MA==",
        "/password/change-your-old-password-now", "/a/token-and-session-handling-in-2024",
        "/a?f=%7B%22name%22%3A%22x%22%7D",
    ],
)  # fmt: skip
def test_what_is_none_is_left_as_it_is(target: str) -> None:
    assert without_secrets(target) == (target, [])


@pytest.mark.parametrize(
    ("target", "left"),
    [
        ("/a?token=x", "/a"),
        ("/a?token=x&b=1", "/a?b=1"),
        ("/a?b=1;token=x", "/a?b=1"),
        ("/a;jsessionid=4711/b?c=1", "/a/b?c=1"),
        (f"/reset/{JWT}", "/reset/***"),
        (f"/reset/{JWT}/b?c=1", "/reset/***/b?c=1"),
        ("/reset/LOGSECRET-pathtoken-3f9ab8e1c2d34455aabb", "/reset/***"),
        ("/x/LOGSECRET-pathtoken-3f9ab8e1c2d34455aabb?a=1", "/x/***?a=1"),
        ("/reset/MQ/c9x1ab-9f8e7d6c5b4a39281706f5e4d3c2b1a0/", "/reset/MQ/***/"),
        ("/verify/0a1b2c3d4e5f60718293a4b5c6d7e8f901234567", "/verify/***"),
        ("/files/q8Lw1ZbTy3Kd0PfRx7Vn2Mc5/name", "/files/***/name"),
        ("/files/q8Lw1ZbTy3Kd0P%66Rx7Vn2Mc5", "/files/***"),
    ],
)
def test_the_rest_stays_a_path(target: str, left: str) -> None:
    assert without_secrets(target)[0] == left


@pytest.mark.parametrize(
    "name", ["Authorization", "Cookie", "X-Api-Key", "X-CSRFToken", "X-Auth-User", "X-Amz-Security-Token"]
)
def test_headers_are_told_by_their_names(name: str) -> None:
    assert is_secret_header(name)
    assert not is_secret_header("Accept-Language")


@pytest.mark.parametrize("piece", ["a=", "%25", "eyJ", "://", '"=', ";a=", "[", "{a:", "&", "eyJaaaaaaaaa."])
def test_a_hostile_query_takes_no_long_time(piece: str) -> None:
    target = "/a?b=" + piece * (8000 // len(piece))
    begin = time.process_time()
    without_secrets(target)
    assert time.process_time() - begin < 0.5
