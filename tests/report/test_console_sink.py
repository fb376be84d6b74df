"""The sink of the command line, on real pipes, files and terminals."""

from __future__ import annotations

import codecs
import fcntl
import io
import json
import os
import pty
import re
import select
import struct
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import pytest

from cutover.engine import events as e
from cutover.report import open_sink
from cutover.report.console import CLOSE_TIMEOUT_S, Console
from tests.support.told import ROLLED_BACK, Shown, record

WAIT_S = 5.0
HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"


def play(sink: Console, shown: list[Shown]) -> None:
    for item in shown:
        sink.handle(*item)


class Reader:
    """Reads everything from a descriptor until its other end is closed, or it is stopped."""

    def __init__(self, descriptor: int) -> None:
        self.text = ""
        self._descriptor = descriptor
        self._stopping, self._stop = os.pipe()
        self._seen = threading.Condition()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        # A read may end in the middle of a character.
        decoder = codecs.getincrementaldecoder("utf-8")()
        while True:
            readable, _, _ = select.select([self._descriptor, self._stopping], [], [])
            if self._stopping in readable:
                return
            try:
                data = os.read(self._descriptor, 65536)
            except OSError:
                return
            if not data:
                return
            with self._seen:
                self.text += decoder.decode(data)
                self._seen.notify_all()

    def wait_for(self, pattern: str) -> str:
        with self._seen:
            found = self._seen.wait_for(lambda: re.search(pattern, self.text), WAIT_S)
        assert found, f"{pattern!r} never came: {self.text[-2000:]!r}"
        return self.text

    def stop(self) -> None:
        """Before the descriptor is closed: its number may be the next test's."""
        os.close(self._stop)
        self._thread.join(WAIT_S)
        os.close(self._stopping)

    def rest(self) -> str:
        self._thread.join(WAIT_S)
        return self.text


Open = Callable[..., Console]


@pytest.fixture
def onto(monkeypatch: pytest.MonkeyPatch) -> Open:
    """Opens a sink on a stream as standard output. Not before the test: pytest sets its own between the two."""

    def opened(stream: TextIO | None, *, as_json: bool = False, color: bool = True) -> Console:
        monkeypatch.setattr(sys, "stdout", stream)
        return open_sink(as_json=as_json, color=color, verbose=False)

    return opened


@pytest.fixture
def pipe() -> Iterator[tuple[int, TextIO]]:
    """The reading end and the stream that writes."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        yield reading, stream


@dataclass
class Terminal:
    """What it shows, the stream that writes to it, and its other end."""

    reader: Reader
    stream: TextIO
    master: int


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    """A terminal of 100 columns."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("LINES", "40")
    with os.fdopen(slave, "w") as stream:
        yield Terminal(Reader(master), stream, master)


def test_a_pipe_gets_complete_lines_with_the_time_and_no_escape_sequences(onto: Open, pipe: tuple[int, TextIO]) -> None:
    reading, stream = pipe
    sink = onto(stream)
    play(sink, record(*ROLLED_BACK))
    sink.close()
    stream.close()
    text = Reader(reading).rest()
    assert "\x1b" not in text
    assert "\r" not in text
    assert text.endswith("\n")
    assert all(re.match(r"\d\d:\d\d:\d\d  ", line) for line in text.splitlines())
    assert "PHASE preflight: 1 step" in text


def test_each_line_comes_as_it_happens(onto: Open, pipe: tuple[int, TextIO]) -> None:
    reading, stream = pipe
    sink, reader = onto(stream), Reader(reading)
    for item in record(*ROLLED_BACK[:4]):
        sink.handle(*item)
    reader.wait_for("PHASE preflight")
    sink.close()


def test_json_puts_one_object_per_event_on_stdout_and_the_lines_on_stderr(
    capsys: pytest.CaptureFixture[str],
) -> None:
    sink = open_sink(as_json=True, color=True, verbose=False)
    play(sink, record(*ROLLED_BACK, e.StepProgressed("shift", 0, "5 of 9")))
    sink.close()
    captured = capsys.readouterr()
    objects = [json.loads(line) for line in captured.out.splitlines()]
    assert [o["event"] for o in objects] == [type(event).__name__ for event in ROLLED_BACK] + ["StepProgressed"]
    assert objects[0] | {"phases": []} == {
        "seq": 1, "at": "2026-01-31T12:00:00.000Z", "run": "20260131-120000-aaaa", "event": "RunOpened",
        "plan_hash": "3fa8c1d2e4b5aaaa", "plan_file": "cutover.yml", "phases": [], "weight": 0,
        "new_servers": ["127.0.0.1:8001"], "scope": ["preflight", "shift"],
    }  # fmt: skip
    assert "PHASE preflight" in captured.err
    assert "5 of 9" not in captured.err


def test_a_closed_pipe_is_told_once_and_silences_the_sink(onto: Open, pipe: tuple[int, TextIO]) -> None:
    reading, stream = pipe
    sink, lost = onto(stream), threading.Semaphore(0)
    sink.on_lost = lost.release
    os.close(reading)
    play(sink, record(*ROLLED_BACK))
    assert lost.acquire(timeout=WAIT_S)
    play(sink, record(*ROLLED_BACK))
    sink.close()
    assert not lost.acquire(blocking=False)
    print("what others print later fails nobody", file=stream, flush=True)


def test_a_pipe_that_closes_while_nothing_is_written_is_noticed(onto: Open, pipe: tuple[int, TextIO]) -> None:
    reading, stream = pipe
    sink, lost = onto(stream), threading.Event()
    sink.on_lost = lost.set
    play(sink, record(ROLLED_BACK[0]))
    assert b"opened" in os.read(reading, 4096)
    os.close(reading)
    assert lost.wait(WAIT_S)
    sink.close()


def test_a_terminal_that_goes_away_is_noticed(onto: Open, terminal: Terminal) -> None:
    reader, stream = terminal.reader, terminal.stream
    sink, lost = onto(stream), threading.Event()
    sink.on_lost = lost.set
    play(sink, record(*ROLLED_BACK[:16]))
    reader.wait_for("hold")
    reader.stop()
    os.close(terminal.master)
    assert lost.wait(WAIT_S)
    sink.close()


def test_a_reader_that_stands_still_stops_neither_the_run_nor_its_end(onto: Open, pipe: tuple[int, TextIO]) -> None:
    reading, stream = pipe
    sink = onto(stream)
    started = time.monotonic()
    for _ in range(2000):
        play(sink, record(e.DriftFound("x" * 1000)))
    assert time.monotonic() - started < WAIT_S
    sink.close()
    assert time.monotonic() - started < WAIT_S + CLOSE_TIMEOUT_S
    os.close(reading)
    # Its descriptor must not be the next test's while the thread still holds it.
    for thread in threading.enumerate():
        if thread.name == "console":
            thread.join(WAIT_S)


def test_a_full_disk_under_the_log_ends_no_run(onto: Open, capsys: pytest.CaptureFixture[str]) -> None:
    lost = threading.Event()
    with Path("/dev/full").open("w") as full:
        sink = onto(full)
        sink.on_lost = lost.set
        play(sink, record(*ROLLED_BACK))
        sink.close()
    assert not lost.is_set()
    assert "not all was shown" in capsys.readouterr().err


def test_a_mistake_in_what_is_shown_ends_no_run(
    onto: Open, pipe: tuple[int, TextIO], capsys: pytest.CaptureFixture[str]
) -> None:
    reading, stream = pipe
    sink = onto(stream)
    play(sink, record(e.StepPassed("preflight", 0, "k", "200", seconds=None)))  # type: ignore[arg-type] # the mistake
    sink.close()
    assert "not all was shown: TypeError: " in capsys.readouterr().err
    os.close(reading)


def test_a_stream_without_a_descriptor_is_written_to(onto: Open) -> None:
    stream = io.StringIO()
    sink = onto(stream)
    play(sink, record(*ROLLED_BACK))
    sink.close()
    assert "PHASE shift" in stream.getvalue()


def test_no_standard_output_at_all_is_no_trouble(onto: Open, capsys: pytest.CaptureFixture[str]) -> None:
    sink = onto(None)
    play(sink, record(*ROLLED_BACK))
    sink.close()
    assert capsys.readouterr().err == ""


def test_a_terminal_shows_phases_weight_countdown_gates_and_progress_and_gets_its_cursor_back(
    onto: Open,
    terminal: Terminal,
) -> None:
    reader, stream = terminal.reader, terminal.stream
    sink = onto(stream)
    shown = record(*ROLLED_BACK[:16], e.StepProgressed("shift", 0, "12 requests so far"), at=time.time() - 15)
    play(sink, shown)
    reader.wait_for(r"\[x\] preflight")
    reader.wait_for(r"\[>\] shift")
    reader.wait_for("10 % on new")
    reader.wait_for("12 requests so far")
    reader.wait_for(r"gate .*pass.*health: 200 in 4ms")
    first = re.search(r"(\d+m\d+s) left of 5m", reader.wait_for("left of 5m"))
    assert first is not None
    reader.wait_for(rf"(?s)left of 5m.*(?!{first.group(1)})\d+m\d+s left of 5m")
    sink.close()
    stream.close()
    text = reader.rest()
    assert HIDE in text
    assert text.rindex(SHOW) > text.rindex(HIDE)


def test_finished_lines_stay_on_a_terminal_and_what_stood_below_them_is_erased(
    onto: Open,
    terminal: Terminal,
) -> None:
    reader, stream = terminal.reader, terminal.stream
    sink = onto(stream)
    play(sink, record(*ROLLED_BACK))
    sink.close()
    stream.close()
    lines = [line for line in screen(reader.rest()).splitlines() if line.strip()]
    assert all(re.match(r"\d\d:\d\d:\d\d  ", line) for line in lines)
    assert lines[-1].endswith("run rolled back: all traffic on old")


def test_a_question_is_asked_before_anything_stands_below_the_lines(onto: Open, terminal: Terminal) -> None:
    reader, stream = terminal.reader, terminal.stream
    sink = onto(stream)
    play(sink, record(*ROLLED_BACK[:3]))
    reader.wait_for("proxy ready")
    sink.close()
    stream.close()
    assert HIDE not in reader.rest()


def test_no_color_draws_without_colours(onto: Open, terminal: Terminal) -> None:
    reader, stream = terminal.reader, terminal.stream
    sink = onto(stream, color=False)
    play(sink, record(*ROLLED_BACK))
    sink.close()
    stream.close()
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", reader.rest())


def test_a_dumb_terminal_gets_plain_lines(onto: Open, terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, stream = terminal.reader, terminal.stream
    monkeypatch.setenv("TERM", "dumb")
    sink = onto(stream)
    play(sink, record(*ROLLED_BACK))
    sink.close()
    stream.close()
    assert "\x1b" not in reader.rest()


def screen(text: str) -> str:
    """What a terminal shows after all of ``text``: as far as rich's live view needs one."""
    lines, row = [""], 0
    for token in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", text):
        if token == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif re.fullmatch(r"\x1b\[\d*A", token):
            row -= int(token[2:-1] or 1)
        elif token == "\x1b[2K":
            lines[row] = ""
        elif token[0] not in "\x1b\r":
            lines[row] += token
    return "\n".join(lines)
