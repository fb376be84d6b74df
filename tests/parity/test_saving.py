"""What an answer gives to be used later: places, values with their types, and errors that show nothing of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from cutover.parity.saving import NotSavedError, Place, Saves, parse_place, take


class Model(BaseModel):
    save: Saves


def places(**saves: str) -> dict[str, Place]:
    return Model.model_validate({"save": saves}).save


def mistake(save: Any) -> str:
    with pytest.raises(ValidationError) as error:
        Model.model_validate({"save": save})
    return str(error.value.errors()[0]["msg"])


BODY = json.dumps(
    {"access_token": "s3cr3t-token", "user": {"id": 7, "admin": False, "ratio": 1.5}, "items": [{"id": "a"}],
     "none": None, "empty": "", "odd": "\ud800", "long": "x" * 8193}
).encode()  # fmt: skip
HEADERS = [
    ("X-Auth-Token", " abc "), ("Set-Cookie", "sid=one; Path=/"), ("set-cookie", 'sid="two=2"; HttpOnly'),
    ("Set-Cookie", "SID=other"), ("X-Twice", "1"), ("X-Twice", "2"), ("Set-Cookie", "gone=; Max-Age=0"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("$.access_token", "s3cr3t-token"), ("$.user.id", 7), ("$.user.admin", False), ("$.user.ratio", 1.5),
        ("$.items[0].id", "a"), ('$["access_token"]', "s3cr3t-token"),
        ("header:x-auth-token", "abc"), ("cookie:sid", '"two=2"'), ("cookie:SID", "other"),
    ],
)  # fmt: skip
def test_a_place_gives_its_value_with_its_type(place: str, value: Any) -> None:
    taken = take(places(it=place), HEADERS, BODY)["it"]
    assert taken == value
    assert type(taken) is type(value)


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("$.token", "there is no $.token in the answer"),
        ("$.items[1].id", "there is no $.items[1].id in the answer"),
        ("$.access_token.deeper", "there is no $.access_token.deeper in the answer"),
        ("$.user", "$.user is an object, and a variable holds one value"),
        ("$.items", "$.items is a list, and a variable holds one value"),
        ("$.none", "$.none is null, and a variable holds one value"),
        ("$.empty", "$.empty is empty"),
        ("$.odd", "$.odd is not UTF-8 text"),
        ("$.long", "$.long is longer than 8192 characters"),
        ("header:X-None", "there is no header:X-None in the answer"),
        ("header:X-Twice", "there are several header:X-Twice in the answer"),
        ("cookie:session", "there is no cookie:session in the answer"),
        ("cookie:gone", "cookie:gone is empty"),
    ],
)
def test_what_is_not_there_is_named_and_nothing_of_the_answer_is_shown(place: str, said: str) -> None:
    with pytest.raises(NotSavedError) as error:
        take(places(token=place), HEADERS, BODY)
    assert str(error.value) == f"nothing to save as token: {said}"


@pytest.mark.parametrize(
    ("body", "said"),
    [(b"", "the answer has no body"), (b"<html>s3cr3t", "the body is no JSON"), (b'{"a": NaN}', "the body is no JSON"),
     (b'{"a": ' + b"9" * 5000 + b"}", "the body is no JSON"), (b"[" * 100_000, "the body is no JSON")],
)  # fmt: skip
def test_a_body_that_is_no_json_is_told(body: bytes, said: str) -> None:
    with pytest.raises(NotSavedError, match=said) as error:
        take(places(a="$.a"), [], body)
    assert "s3cr3t" not in str(error.value)


def test_all_that_is_missing_is_told_at_once_and_what_was_there_is_kept() -> None:
    with pytest.raises(NotSavedError) as error:
        take(places(token="$.access_token", a="$.a", b="header:B"), [], BODY)
    assert str(error.value) == (
        "nothing to save as a: there is no $.a in the answer; nothing to save as b: there is no header:B in the answer"
    )
    assert error.value.taken == {"token": "s3cr3t-token"}


@pytest.mark.parametrize(
    ("save", "said"),
    [
        ({"token": "access_token"}, "'access_token' is no place in an answer"),
        ({"token": 7}, "7 is no place in an answer"),
        ({"token": "header:"}, "'header:' is no place in an answer"),
        ({"token": "header:a b"}, "is no place in an answer"),
        ({"token": "$.items[*].id"}, "may name several places"),
        ({"token": "..id"}, "may name several places"),
        ({"token": "$.a b"}, "is not a path from ' b' on"),
        ({"1a": "$.a"}, "'1a' is not the name of a variable"),
        (["token"], "valid dictionary"),
    ],
)
def test_a_place_that_cannot_be_is_a_mistake(save: Any, said: str) -> None:
    assert said in mistake(save)


@given(st.dictionaries(st.text(min_size=1), st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=1))
def test_any_member_is_taken_as_it_is(document: dict[str, str]) -> None:
    name = next(iter(document))
    place = parse_place(f"$[{json.dumps(name)}]")
    assert take({"it": place}, [], json.dumps(document).encode()) == {"it": document[name]}
