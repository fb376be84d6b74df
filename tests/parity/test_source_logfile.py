"""Lines of files of any size, read in pieces."""

from __future__ import annotations

import gzip
from pathlib import Path
from threading import Event

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cutover.parity.sources.logfile import BLOCK_BYTES, MAX_LINE_BYTES, read_lines
from cutover.parity.sources.logline import parse_line

LENGTHS = st.sampled_from(
    [0, 1, 80, MAX_LINE_BYTES - 1, MAX_LINE_BYTES, MAX_LINE_BYTES + 1, BLOCK_BYTES, BLOCK_BYTES + 1]
)


@given(st.lists(LENGTHS, max_size=8), st.booleans(), st.booleans())
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_line_comes_once_and_long_ones_are_none(
    tmp_path: Path,
    lengths: list[int],
    ended: bool,  # noqa: FBT001 - drawn
    packed: bool,  # noqa: FBT001 - drawn
) -> None:
    file = tmp_path / "access.log"
    lines = [b"abcdefgh"[number % 8 :][:1] * length for number, length in enumerate(lengths)]
    content = b"\n".join(lines) + (b"\n" if ended and lines else b"")
    file.write_bytes(gzip.compress(content, 1) if packed else content)
    if lines and not ended and not lines[-1]:
        lines.pop()
    expected = [line if len(line) <= MAX_LINE_BYTES else None for line in lines]
    assert list(read_lines(file, Event())) == expected


def test_reading_stops_when_it_is_told(tmp_path: Path) -> None:
    file = tmp_path / "access.log"
    file.write_bytes(b"x\n" * BLOCK_BYTES)
    stop = Event()
    count = 0
    for _ in read_lines(file, stop):
        stop.set()
        count += 1
    assert count == BLOCK_BYTES // 2


FRAGMENTS = st.sampled_from([
    b'"GET /', b' HTTP/1.1"', b" 200 ", b"{", b'"method":"GET",', b'"uri":"/', b'"', b"\\x41", b"\\x", b"\\u00e4", b"}",
    b"\xff", b"\x00", b"?a=", b"#", b"%", b'{"log":"', b'"status":', b"200", b"[", b",", b"://", b'"url":"http://[::1',
])  # fmt: skip


@given(st.lists(FRAGMENTS | st.binary(max_size=5), max_size=30).map(b"".join))
@settings(deadline=None, max_examples=500)
def test_a_line_of_any_content_is_a_request_for_a_path_or_none(line: bytes) -> None:
    logged = parse_line(line)
    if logged is not None:
        assert logged.target.startswith("/")
        assert logged.target.isascii()
        assert logged.target.isprintable()
        assert " " not in logged.target
