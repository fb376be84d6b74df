"""Who looks on: ``status --watch`` and a command that runs, on real terminals, over a real run with traffic."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.site import Site, Traffic

WAIT_S = 30.0
ASKED_TWICE_S = 2.5
PHASES = """\
shift:
  - shift:
      through: [50]
      hold: 60s
      every: 500ms
      gates:
        - traffic: {thresholds: ["errors <= 10%", "p95 <= 5s"]}
        - name: new is well
          http: {backend: new, path: /health}
"""
SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
COLOUR = re.compile(r"\x1b\[[0-9;]*3[0-7]m")
HOME = "\x1b[H"


# A leader of a session without a terminal takes this one: when it goes, the kernel sends SIGHUP.
CONTROLLED = """\
import fcntl, os, sys, termios
fcntl.ioctl(1, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", "cutover", *sys.argv[1:]])
"""


class OnTerminal:
    """A command on a terminal of its own, which sends it signals if it is ``controlling``."""

    def __init__(
        self, site: Site, *args: str, columns: int = 100, lines: int = 40, controlling: bool = False, **environ: str
    ) -> None:
        self.text = ""
        self._grown = threading.Condition()
        self._master, slave = pty.openpty()
        self._stopping, self._stop = os.pipe()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        inherited = {k: v for k, v in site.env().items() if k not in {"COLUMNS", "LINES", "NO_COLOR"}}
        program = ["-c", CONTROLLED] if controlling else ["-m", "cutover"]
        self.process = subprocess.Popen(
            [sys.executable, *program, *args], cwd=site.folder, stdin=subprocess.DEVNULL, stdout=slave, stderr=slave,
            env={**inherited, "TERM": "xterm-256color", "PYTHONUTF8": "1", **environ}, start_new_session=controlling,
        )  # fmt: skip
        os.close(slave)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        data = b""
        while self._stopping not in select.select([self._master, self._stopping], [], [])[0]:
            try:
                more = os.read(self._master, 65536)
            except OSError:
                return
            if not more:
                return
            data += more
            with self._grown:
                self.text = data.decode(errors="ignore")
                self._grown.notify_all()

    def hang_up(self) -> int:
        """The terminal goes away; the exit code that comes of it."""
        self._close_terminal()
        return self.process.wait(WAIT_S)

    def _close_terminal(self) -> None:
        if self._master < 0:
            return
        # Who still reads from it keeps it there.
        os.write(self._stop, b"x")
        self._reader.join(WAIT_S)
        for descriptor in (self._master, self._stopping, self._stop):
            os.close(descriptor)
        self._master = -1

    def wait_for(self, pattern: str) -> str:
        with self._grown:
            found = self._grown.wait_for(lambda: re.search(pattern, SEQUENCE.sub("", self.text)), WAIT_S)
        assert found, f"{pattern!r} never came: {self.text[-3000:]!r}"
        return found.group()

    def frames(self) -> list[str]:
        """What was drawn on the whole screen, time after time, the last perhaps in part."""
        return [SEQUENCE.sub("", frame) for frame in self.text.split(HOME)[1:]]

    def end(self, signum: signal.Signals) -> int:
        self.process.send_signal(signum)
        code = self.process.wait(WAIT_S)
        self._reader.join(WAIT_S)
        return code

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._close_terminal()


@pytest.fixture
def terminals() -> Iterator[list[OnTerminal]]:
    opened: list[OnTerminal] = []
    yield opened
    for one in opened:
        one.close()


@pytest.fixture
def holding(site: Site, terminals: list[OnTerminal]) -> Iterator[OnTerminal]:
    """A run in its hold at 50 %, under traffic, on a terminal."""
    site.write_plan(PHASES)
    site.cutover("proxy", "start")
    with Traffic(site.port):
        terminals.append(OnTerminal(site, "run"))
        terminals[0].wait_for(r"new +[\d.]*[1-9][\d.]*/s ")
        yield terminals[0]
        terminals[0].end(signal.SIGINT)


def test_a_run_shows_traffic_of_each_backend_and_what_its_gates_say(holding: OnTerminal) -> None:
    holding.wait_for(r"50 % on new, \d\d\.\d % seen")
    holding.wait_for(r"traffic +rate +errors +p50 +p95")
    holding.wait_for(r"old +[\d.]+/s [█▇▆▅▄▃▂▁]+ +0% ▁+ .*ms")
    holding.wait_for(r"new +[\d.]+/s [█▇▆▅▄▃▂▁]{2,} +0% ▁{2,}")
    holding.wait_for(r"gate +pass +traffic: errors <= 10%, p95 <= 5s")
    holding.wait_for(r"gate +pass +new is well \(GET /health on new.*\)")
    holding.wait_for(r"hold +\d\ds left of 1m")


def test_status_follows_a_run_in_one_screen_and_leaves_the_terminal_as_it_was(
    site: Site, holding: OnTerminal, terminals: list[OnTerminal]
) -> None:
    watching = OnTerminal(site, "status", "--watch", columns=90, lines=24)
    terminals.append(watching)
    watching.wait_for(r"hold +\d\ds left of 1m")
    first = watching.wait_for(r"\d\ds left of 1m")
    watching.wait_for(rf"(?s){first}.*(?!{first})\d\ds left of 1m")
    watching.wait_for(r"weight +50 % intended, 50 % live, \d\d\.\d % seen")
    watching.wait_for(r"new +[\d.]+/s [█▇▆▅▄▃▂▁]{3}")
    assert watching.end(signal.SIGINT) == 130
    assert COLOUR.search(watching.text)
    assert watching.text.index("\x1b[?1049h") < watching.text.index(HOME) < watching.text.index("\x1b[?1049l")
    assert watching.text.rindex("\x1b[?25h") > watching.text.rindex("\x1b[?25l")
    for frame in watching.frames()[:-1]:
        lines = frame.split("\n")
        assert len(lines) <= 24
        assert all(len(line.rstrip("\r")) <= 90 for line in lines)
    # Nothing is erased between two frames: it would flicker.
    assert not re.search(r"\x1b\[[0-3]?J", watching.text.split("\x1b[?1049l")[0].split(HOME, 1)[1])
    assert "state      holding" in watching.text.split("\x1b[?1049l")[1]


def test_a_small_terminal_without_colours_and_blocks_shows_what_matters(
    site: Site, holding: OnTerminal, terminals: list[OnTerminal]
) -> None:
    watching = OnTerminal(
        site, "status", "--watch", columns=40, lines=14, NO_COLOR="1", PYTHONUTF8="0", PYTHONIOENCODING="ascii"
    )
    terminals.append(watching)
    watching.wait_for(r"new +[\d.]+/s +0%")
    watching.wait_for(r"hold +\d\ds left")
    assert watching.end(signal.SIGTERM) == 143
    assert watching.text.isascii()
    assert not COLOUR.search(watching.text)
    assert "\x1b[?1049l" in watching.text
    for frame in watching.frames()[:-1]:
        assert len(frame.split("\n")) <= 14
        assert all(len(line.rstrip("\r")) <= 40 for line in frame.split("\n"))


def test_a_terminal_that_goes_away_ends_who_looks_on(
    site: Site, holding: OnTerminal, terminals: list[OnTerminal]
) -> None:
    watching = OnTerminal(site, "status", "--watch")
    terminals.append(watching)
    watching.wait_for("weight +50 %")
    assert watching.end(signal.SIGHUP) == 129


@pytest.mark.parametrize("controlling", [True, False], ids=["with SIGHUP", "without a signal"])
@pytest.mark.parametrize("how", ["a screen", "plain", "json"])
def test_a_terminal_that_is_gone_ends_who_looks_on_and_is_no_defect(
    site: Site, terminals: list[OnTerminal], how: str, *, controlling: bool
) -> None:
    site.write_plan(PHASES)
    option, term = ["--json"] * (how == "json"), "dumb" if how == "plain" else "xterm-256color"
    terminals.append(OnTerminal(site, "status", "--watch", *option, controlling=controlling, TERM=term))
    terminals[0].wait_for('"state": "idle"' if how == "json" else "state +idle")
    assert terminals[0].hang_up() == 129
    assert "Traceback" not in terminals[0].text
    assert not (site.state.parent / "errors.log").exists()


@pytest.mark.parametrize("controlling", [True, False], ids=["with SIGHUP", "without a signal"])
def test_a_terminal_that_is_gone_returns_a_hold_to_the_weight_before_and_is_no_defect(
    site: Site, terminals: list[OnTerminal], *, controlling: bool
) -> None:
    site.write_plan(PHASES)
    terminals.append(OnTerminal(site, "run", controlling=controlling))
    terminals[0].wait_for(r"left of 1m")
    assert terminals[0].hang_up() == 129
    assert "Traceback" not in terminals[0].text
    assert not (site.state.parent / "errors.log").exists()
    status = site.status()
    assert status["state"] == "interrupted"
    assert status["weight"] == {"intended": 0, "live": 0}


def test_a_pipe_that_nobody_reads_ends_who_looks_on(site: Site) -> None:
    site.write_plan(PHASES)
    following = site.start("status", "--watch", "--json")
    assert following.stdout is not None
    following.stdout.readline()
    following.stdout.close()
    assert following.wait(WAIT_S) == 129
    assert following.stderr is not None
    assert following.stderr.read() == ""
    following.stderr.close()


def test_the_figures_are_in_the_json(site: Site, holding: OnTerminal) -> None:
    status = site.status()
    assert set(status["backends"]) == {"old", "new"}
    new = status["backends"]["new"]
    assert new["rps"] > 0
    assert new["errors"] == 0
    assert new["history"][-1] == {"at": status["seen"]["at"], **{k: new[k] for k in ("rps", "errors", "p50", "p95")}}
    assert 30 < status["seen"]["share"] < 70
    assert status["seen"]["weight"] == 50
    assert [(gate["gate"], gate["limit"]) for gate in status["gates"]] == [
        ("traffic: errors <= 10%, p95 <= 5s", "errors <= 10%, p95 <= 5s"),
        ("new is well", "GET /health on new answers 2xx"),
    ]
    assert status["hold"]["seconds"] == 60
    assert 0 < status["hold"]["left_s"] <= 60


def test_on_a_pipe_a_status_is_told_again_only_when_something_changed(site: Site) -> None:
    site.write_plan(PHASES)
    following, plain = site.start("status", "--watch", "--json"), site.start("status", "--watch")
    assert following.stdout is not None
    first: dict[str, Any] = json.loads(following.stdout.readline())
    assert (first["run"], first["seen"], first["backends"], first["gates"]) == (None, None, {}, [])
    assert select.select([following.stdout], [], [], ASKED_TWICE_S)[0] == []
    site.cutover("shift", "--weight", "1")
    told = (json.loads(line) for line in following.stdout)
    assert any(status["run"] for status in told)
    for process in (following, plain):
        process.send_signal(signal.SIGINT)
    following.communicate(timeout=WAIT_S)
    out, _ = plain.communicate(timeout=WAIT_S)
    assert following.returncode == plain.returncode == 130
    assert "\x1b" not in out
    assert out.startswith("plan       site\nrun        none yet\nstate      idle\n")
