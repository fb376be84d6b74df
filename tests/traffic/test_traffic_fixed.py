"""The fast way to read lines, against the one that reads any JSON: both count the same."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cutover.traffic import lines as reading
from cutover.traffic.fixed import Fixed
from cutover.traffic.lines import Lines, parse
from tests.support.accesslog import NEW, OLD, line

TEMPLATE = Path(__file__).parents[2] / "templates" / "nginx" / "cutover.conf.j2"
QUOTED = ['/a"b', "/a\\", "/a"]
PREFIXES = ["/api/v1/search", "/api/v1", "/é"]


def read_slowly(data: bytes, prefixes: Sequence[str]) -> Lines:
    """As if no line fitted the fast way."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "read_fixed", lambda data, *_: Fixed(0, data.split(b"\n")[:-1]))
        return parse(data, prefixes)


def compared(data: bytes, prefixes: Sequence[str]) -> Lines:
    fast, slow = parse(data, prefixes), read_slowly(data, prefixes)
    assert fast.groups == slow.groups
    assert (fast.count, fast.unreadable, fast.example) == (slow.count, slow.unreadable, slow.example)
    assert (fast.begin, fast.end) == (slow.begin, slow.end)
    return fast


TEXTS = st.one_of(st.sampled_from(["", "-", "1", "old", "/api/v1/search?q", "/é", "0.010, 1.000"]), st.text(max_size=8))
NUMBERS = st.one_of(st.sampled_from([200, 499, 503, 0, 99, 1000, True, None, "200"]), st.floats(allow_nan=False))
CHANGES = st.one_of(
    st.dictionaries(
        st.sampled_from(
            ["uri", "side", "route", "probe", "override", "revision", "bucket", "fallback", "method", "time"]
        ),
        TEXTS,
        max_size=3,
    ),
    st.dictionaries(st.sampled_from(["upstream_addr", "upstream_status", "upstream_response_time"]), TEXTS, max_size=3),
    st.dictionaries(st.sampled_from(["status", "msec", "request_time"]), NUMBERS, max_size=2),
    st.fixed_dictionaries({"bucket": st.sampled_from(["0", "7", "99"]), "uri": st.sampled_from(["/", *PREFIXES])}),
)
READABLE = CHANGES.map(lambda changed: line(**changed))


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A line with bytes taken out, put in or replaced, anywhere."""
    whole = draw(READABLE)
    start = draw(st.integers(0, len(whole)))
    end = draw(st.integers(start, min(len(whole), start + 40)))
    return whole[:start] + draw(st.one_of(st.just(b""), st.binary(max_size=3), st.sampled_from(HOSTILE))) + whole[end:]


HOSTILE = [
    b"\n",
    b"\r",
    b"\\",
    b'"',
    b"\x00",
    b"\xff",
    b"\\u0061",
    b'","',
    b'"}\n',
    b'"}',
    b"{",
    b"0",
    b" ",
    b"\xe2\x80\xa8",
]


@settings(max_examples=200)
@given(
    st.lists(st.one_of(READABLE, damaged(), st.binary(max_size=60)), max_size=12),
    st.sampled_from([[], PREFIXES, QUOTED]),
)
@example([line(uri='/a"b\\c'), line(uri="/a\\b"), line(uri="/a").replace(b"/a", b"/\\u0061")], QUOTED)
@example([line(uri='/api/v1/search"'), line(uri="/").replace(b"/", b"\\/")], PREFIXES)
@example([line(probe='"'), line(), line(uri="/a\\b")], [])
@example([line()[:200] + b"\n", line()], PREFIXES)
@example([line().replace(b'"probe":""', b'"probe":"","probe":"1"')], [])
@example([line(uri="/x").replace(b"/x", b"/\xff\xfe"), line(route="/x").replace(b"/x", b"/\xff\xfe")], PREFIXES)
@example([line().replace(b'"status":200', b'"status":000'), line().replace(b'"status":200', b'"status":009')], [])
@example([line().rstrip(b"\n") + b"\r\n", b"\r", line()], [])
@example([line().replace(NEW.encode(), NEW.encode() + b"\n")], [])
def test_any_lines_count_the_same_in_both_ways(parts: list[bytes], prefixes: list[str]) -> None:
    compared(b"".join(parts) or b"\n", prefixes)


def test_a_hostile_line_slows_no_other_down() -> None:
    """Clients choose the path and the probe header: what nginx escapes there is left to the slow way alone."""
    read = compared(
        line() * 50 + line(probe='"') + line(uri="/\x01") + line(uri='/"\\') + line(upstream_addr=OLD) * 50, PREFIXES
    )
    assert (read.count, read.others, read.unreadable) == (103, 2, 0)


@pytest.mark.parametrize("bucket", ["", "42"])
@pytest.mark.parametrize("override", ["", "new"])
def test_what_the_template_writes_is_read_the_fast_way(bucket: str, override: str) -> None:
    text = re.search(r"log_format .*?escape=json\n(.*?);", TEMPLATE.read_text(), re.DOTALL)
    assert text is not None
    written = "".join(re.findall(r"'((?:[^'{]|\{\{.*?\}\}|\{)*)'\s*$", text[1], re.MULTILINE))
    assert written.startswith('{"time"')
    assert written.endswith('"}')
    values = {
        "time_iso8601": "2026-01-31T10:00:00+00:00", "msec": "1769853600.000", "request_method": "GET",
        "uri": "/api/v1/search", "status": "200", "request_time": "0.011", "upstream_addr": f"{NEW}, {OLD}",
        "upstream_status": "502, 200", "upstream_response_time": "0.001, 0.010", "http_x_cutover_probe": "",
    }  # fmt: skip
    filled = re.sub(r"\{\{[^}]*_override[^}]*\}\}", override, written)
    filled = re.sub(r"\{\{[^}]*_bucket[^}]*\}\}", bucket, filled)
    filled = filled.replace("${{ var }}_", "$").replace("{{ revision }}", "0123456789abcdef")
    filled = re.sub(r"\$(\w+)", lambda variable: values.get(variable[1], "x"), filled)
    read = compared(filled.encode() + b"\n", PREFIXES)
    assert (read.count, read.others, read.unreadable) == (1, 0, 0)
    assert [key.prefix for key in read.groups] == ["/api/v1/search"]
