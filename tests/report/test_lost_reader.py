"""Whole commands whose reader goes away, and one on a terminal: on a real nginx."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.ports import free_port
from tests.support.site import Backend, Site, stop_nginx

INTERRUPTED_WITHIN_S = 5
HOLDING = """\
shift:
  - shift: {through: [50], hold: 60s, every: 100ms, gates: [{http: {backend: proxy, path: /health}}]}
"""
SHORT = """\
preflight:
  - http: {backend: old, path: /health}
shift:
  - shift: {through: [50], hold: 500ms, every: 100ms, gates: [{http: {backend: proxy, path: /health}}]}
"""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    old, new = Backend("old"), Backend("new")
    made = Site(tmp_path, old, new, free_port())
    try:
        yield made
    finally:
        stop_nginx(made)
        old.stop()
        new.stop()


def on_terminal(site: Site, *args: str) -> tuple[subprocess.Popen[bytes], int]:
    """A command with a terminal for all three of its streams, and the terminal's other end."""
    master, slave = pty.openpty()
    env = {**site.env(), "TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"}
    command = [sys.executable, "-m", "cutover", *args]
    process = subprocess.Popen(command, cwd=site.folder, env=env, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    return process, master


def read_until(master: int, pattern: str, timeout_s: float = 30) -> str:
    """What the terminal shows until ``pattern``, or until the command has closed it."""
    text, deadline = "", time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        try:
            text += os.read(master, 65536).decode(errors="replace")
        except OSError:
            return text
        if pattern and re.search(pattern, text):
            return text
    pytest.fail(f"{pattern!r} never came: {text[-2000:]!r}")


@pytest.mark.parametrize("option", [(), ("--json",)])
def test_a_closed_pipe_interrupts_a_hold_as_a_lost_terminal_does(site: Site, option: tuple[str, ...]) -> None:
    site.write_plan(HOLDING)
    process = site.start("run", *option)
    assert process.stdout is not None
    for line in process.stdout:
        if "HoldStarted" in line or "  hold  " in line:
            break
    closed = time.monotonic()
    process.stdout.close()
    assert process.wait(timeout=30) == 129
    assert time.monotonic() - closed < INTERRUPTED_WITHIN_S
    status = site.status()
    assert status["state"] == "interrupted"
    assert status["weight"] == {"intended": 0, "live": 0}
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()
    process.stderr.close()


def test_a_lost_terminal_interrupts_a_hold(site: Site) -> None:
    site.write_plan(HOLDING)
    process, master = on_terminal(site, "run")
    read_until(master, "left of 1m")
    os.close(master)
    assert process.wait(timeout=30) == 129
    assert site.status()["weight"] == {"intended": 0, "live": 0}


def test_a_run_on_a_terminal_shows_what_happens_and_leaves_the_cursor_visible(site: Site) -> None:
    site.write_plan(SHORT)
    process, master = on_terminal(site, "run")
    text = read_until(master, "")
    assert process.wait(timeout=30) == 0
    os.close(master)
    assert "[x] preflight" in text
    assert "50 % on new" in text
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")
    assert "run done: 50 % of traffic on new" in text
