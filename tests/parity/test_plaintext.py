"""Texts that are no JSON: what moves in them hides nothing else, and what can't be told apart is said."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutover.checks.base import Result
from cutover.parity.plaintext import MAX_WORDS, differing_words
from cutover.plan.thresholds import Verdict
from tests.support.rawserver import RawServer, groups, raw

Compare = Callable[..., Awaitable[Result]]
_TOOK = itertools.count(100)
PAGE = "<h1>{title}</h1>\n<p>Version 1.{version}</p>\n<footer>Queries took {ms}ms</footer>\n"


def page(text: str) -> bytes:
    return raw(200, "Content-Type: text/html; charset=utf-8", body=text)


def moving(title: str = "Studies", version: int = 4) -> RawServer:
    """Each answer took longer."""

    async def answer(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(page(PAGE.format(title=title, version=version, ms=next(_TOOK) / 10)))

    return RawServer(answer)


async def test_a_time_in_a_page_that_moves_on_old_is_no_difference(compare: Compare) -> None:
    result = await compare(moving(), moving())
    assert result.verdict is Verdict.PASS
    assert groups(result) == []
    assert [n["path"] for n in result.details["noise"]] == ["text: <footer>Queries took #"]


async def test_beside_a_moving_time_another_number_is_found(compare: Compare) -> None:
    result = await compare(moving(), moving(version=5))
    assert groups(result, "fail", "warn") == [("value", "text: <p>Version #", 1)]
    (group,) = result.details["groups"]
    assert (group["samples"][0]["old"], group["samples"][0]["new"]) == ('"1.4"', '"1.5"')
    assert group["cure"] == "ignore_text: ['<p>Version #']"


async def test_beside_a_moving_time_another_page_is_found(compare: Compare) -> None:
    result = await compare(moving(), moving(title="Something else"))
    assert groups(result, "fail", "warn") == [("body", "$", 1)]


async def test_a_page_that_is_another_each_time_is_said_not_to_be_compared(compare: Compare) -> None:
    words = itertools.cycle(["one", "two two", "three three three"])

    async def answer(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(page(next(words)))

    result = await compare(answer, page("nothing alike"))
    assert groups(result, "warn") == [("body", "$", 1)]
    assert "nothing of this body is compared" in result.details["groups"][0]["message"]


async def test_an_answer_that_is_cut_is_found_though_old_moves(compare: Compare) -> None:
    words = itertools.cycle(["one", "two two", "three three three"])

    async def answer(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(page(next(words)))

    cut = raw(200, "Content-Type: text/html; charset=utf-8", "Content-Length: 100", body="cut", length=False)

    async def cutting(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(cut)
        writer.close()

    result = await compare(answer, cutting)
    assert groups(result) == [("body", "$", 1)]


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ("took 5.5ms", "took 6ms", "text: took #"),
        ("id,name\n1,a\n2,b\n", "id,name\n1,a\n3,b\n", "text: #"),
        ('<a href="/static/app.css?d59929">', '<a href="/static/app.css?be07d4">', 'text: <a href="/static/app.css?#'),
        ("at 2026-01-31 12:00:00", "at 2026-01-31 12:00:01", "text: at # #"),
        ("dès 3 €", "dès 4 €", "text: dès #"),
    ],
)
def test_a_word_is_told_by_what_stands_before_it(old: str, new: str, path: str) -> None:
    words = differing_words(old.encode(), new.encode())
    assert words is not None
    assert [word.path for word in words] == [path]


@pytest.mark.parametrize(("old", "new"), [("a 1", "b 1"), ("a 1", "a 1 2"), ("a b", "a c"), ("1", "one")])
def test_what_differs_in_more_is_compared_as_a_whole(old: str, new: str) -> None:
    assert differing_words(old.encode(), new.encode()) is None


def test_very_many_differences_are_one() -> None:
    old, new = (" ".join(str(start + n) for n in range(MAX_WORDS + 1)) for start in (0, 5000))
    assert differing_words(old.encode(), new.encode()) is None


@given(st.text(alphabet="ab1. -<\n"), st.text(alphabet="ab1. -<\n"))
def test_equal_texts_have_no_differing_words_and_others_have(old: str, new: str) -> None:
    assert bool(differing_words(old.encode(), new.encode()) == []) is (old == new)


def test_a_long_run_without_digits_takes_no_square_of_its_length() -> None:
    def took(length: int) -> float:
        before = time.perf_counter()
        differing_words(b"a" * length, b"a" * length)
        return time.perf_counter() - before

    took(1000)
    assert took(1_000_000) < 5
