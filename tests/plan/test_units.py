"""Durations, percentages, sizes and rates: what is written is what is meant, and what has no unit is a mistake."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from cutover.plan.units import (
    MAX_DURATION_S,
    MAX_RATE_PER_S,
    format_duration,
    format_rate,
    parse_duration,
    parse_percentage,
    parse_rate,
    parse_size,
    spell_duration,
    spell_number,
)

MANY_DIGITS = "9" * 5000


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500ms", 0.5), ("30s", 30), ("5m", 300), ("24h", 86400), ("1d", 86400), ("1h30m", 5400), ("1.5s", 1.5),
        ("0s", 0), (" 5m ", 300), ("1m500ms", 60.5), ("365d", MAX_DURATION_S),
    ],
)  # fmt: skip
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    [90, 1.5, True, None, "90", "", "5", "m", "5 m", "-5m", "+5m", "5M", "1e3s", "5m!", "٣s", [], f"{MANY_DIGITS}s"],
)
def test_what_is_no_duration_is_told_with_examples(text: object) -> None:
    with pytest.raises(PydanticCustomError, match="is not a duration; write it with its unit: 500ms, 30s, 5m, 24h"):
        parse_duration(text)


def test_no_duration_is_longer_than_a_year() -> None:
    with pytest.raises(PydanticCustomError, match="longer than a year"):
        parse_duration("366d")
    with pytest.raises(PydanticCustomError, match="longer than a year"):
        parse_duration("9" * 90 + "d")


@pytest.mark.parametrize(("text", "percent"), [("1%", 1), ("0.5%", 0.5), ("100%", 100), ("0%", 0), (" 5% ", 5)])
def test_percentages(text: str, percent: float) -> None:
    assert parse_percentage(text) == percent


@pytest.mark.parametrize("text", [1, 0.5, "1", "%", "-1%", "1 %", "101%", "1e1%", f"{MANY_DIGITS}%", None])
def test_what_is_no_percentage_is_a_mistake(text: object) -> None:
    with pytest.raises(PydanticCustomError):
        parse_percentage(text)


@pytest.mark.parametrize(
    ("text", "size"), [("512b", 512), ("64kb", 65536), ("1MB", 1048576), ("1.5kb", 1536), ("1gb", 1024**3)]
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", [1, "1", "kb", "-1kb", "1 kb", "1tb", "9999gb", f"{MANY_DIGITS}gb", None])
def test_what_is_no_size_is_a_mistake(text: object) -> None:
    with pytest.raises(PydanticCustomError):
        parse_size(text)


@given(st.text() | st.text(alphabet="0123456789.msh%kbd "))
def test_any_text_is_a_unit_or_a_mistake(text: str) -> None:
    for parse in (parse_duration, parse_percentage, parse_size):
        try:
            assert parse(text) >= 0
        except PydanticCustomError:
            continue


@given(st.floats(min_value=0, max_value=MAX_DURATION_S))
def test_a_spelled_duration_reads_as_itself(seconds: float) -> None:
    spelled = spell_duration(seconds)
    if len(spelled) < 100:
        assert parse_duration(spelled) == seconds


@given(st.floats(min_value=0, max_value=1e12))
def test_a_spelled_number_reads_as_itself(number: float) -> None:
    assert float(spell_number(number)) == number
    assert "e" not in spell_number(number)


@given(st.integers(min_value=0, max_value=10**8))
def test_a_formatted_duration_of_milliseconds_is_close(milliseconds: int) -> None:
    seconds = min(milliseconds / 1000, MAX_DURATION_S)
    assert parse_duration(format_duration(seconds)) == pytest.approx(seconds, rel=0.01, abs=0.0005)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0ms"),
        (0.25, "250ms"),
        (1, "1s"),
        (1.5, "1.5s"),
        (59.99, "60s"),
        (60, "1m"),
        (90, "1m30s"),
        (5400, "1h30m"),
        (90000, "1d1h"),
    ],
)
def test_durations_are_formatted_for_people(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("text", "rate"),
    [("200/s", 200), ("0.5/s", 0.5), ("90/m", 1.5), ("36/h", 0.01), (" 5 / s ", 5), ("100000/s", MAX_RATE_PER_S)],
)
def test_rates(text: str, rate: float) -> None:
    assert parse_rate(text) == pytest.approx(rate)


@pytest.mark.parametrize("text", [200, "200", None, "", "/s", "200s", "200/d", "200/ms", "-5/s", "1e3/s", "rps", []])
def test_what_is_no_rate_is_told_with_examples(text: object) -> None:
    with pytest.raises(PydanticCustomError, match="is not a rate; write it with its unit: 200/s, 90/m"):
        parse_rate(text)


@pytest.mark.parametrize("text", ["0/s", "0.0/h", "100001/s", "9" * 90 + "/s"])
def test_a_rate_that_nobody_can_keep_is_a_mistake(text: str) -> None:
    with pytest.raises(PydanticCustomError, match=r"no rate that can be kept: more than 0/s, 100000/s at most"):
        parse_rate(text)


@given(st.floats(1 / 3600, MAX_RATE_PER_S))
def test_a_rate_reads_as_it_is_written(rate: float) -> None:
    assert parse_rate(format_rate(rate)) == pytest.approx(rate, rel=1e-4)
    assert format_rate(parse_rate("200/s")) == "200/s"
