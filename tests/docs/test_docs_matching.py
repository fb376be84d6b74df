"""docs/matching.md, typed as it stands there: on the two backends that it shows, changed as it changes them."""

from __future__ import annotations

import difflib
import os
import re
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.markdown import ROOT, Block, blocks
from tests.support.forks import Forks
from tests.support.ports import free_port

PAGE = ROOT / "docs" / "matching.md"
START_TIMEOUT_S = 20
STOP_TIMEOUT_S = 10
FILE = re.compile(r"file: (\S+)")
GIVEN = {
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}": "(an id)",
    r'(?<=generated_at).*"20[0-9T:.-]+Z"': "(a time)",
}


class Walk:
    """A reader at his machine. The ports of the page are others here."""

    def __init__(self, folder: Path, forks: Forks) -> None:
        self.folder, self.forks = folder, forks
        self.ports = {port: str(free_port()) for port in ("8000", "8001", "8080")}
        self.servers: dict[str, tuple[list[str], subprocess.Popen[bytes]]] = {}
        self.said_to: dict[str, list[str]] = {}

    def write(self, name: str, text: str) -> None:
        for port, here in self.ports.items():
            text = text.replace(f"127.0.0.1:{port}", f"127.0.0.1:{here}")
        (self.folder / name).write_text(text)

    def change(self, block: Block) -> None:
        """Apply what a block shows as a diff; a server that has read the file is started anew."""
        head, *lines = block.text.splitlines()
        name = head.removeprefix("--- ")
        text = (self.folder / name).read_text()
        for before, after in _hunks(lines):
            assert text.count(before) == 1, f"{block.where}: {name} does not have this once:\n{before}"
            text = text.replace(before, after)
        (self.folder / name).write_text(text)
        for app in [app for app in self.servers if f"{app.partition(':')[0]}.py" == name]:
            words, process = self.servers[app]
            _end(process)
            self.serve(words)

    def type(self, block: Block) -> None:
        """Each command of a console block, and that it says what stands behind it."""
        for line, told in _commands(block):
            words = shlex.split(line)
            if words[0] == "uvicorn":
                self.serve(words)
            elif words[0] in {"cutover", "cat"}:
                said = self.said(words)
                self.said_to.setdefault(line, []).append(said)
                assert _pattern(told).fullmatch(_given(said)), f"{block.where}: {line}\n{_differing(told, said)}"

    def serve(self, words: list[str]) -> None:
        """``uvicorn APP --port PORT``; what reloads by itself is started anew instead."""
        app, port = words[1], self.ports[words[words.index("--port") + 1]]
        command = [sys.executable, "-m", "uvicorn", app, "--port", port, "--log-level", "warning"]
        self.servers[app] = words, subprocess.Popen(command, cwd=self.folder, stdin=subprocess.DEVNULL)

    def wait_for_servers(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        for app, (words, process) in self.servers.items():
            port = int(self.ports[words[words.index("--port") + 1]])
            while not _listens(port):
                assert process.poll() is None, f"{app} ended by itself"
                assert time.monotonic() < deadline, f"{app} does not listen"
                time.sleep(0.02)

    def said(self, words: list[str]) -> str:
        if words[0] == "cat":
            return (self.folder / words[1]).read_text()
        self.wait_for_servers()
        env = {name: value for name, value in os.environ.items() if not name.startswith(("CUTOVER_", "XDG_"))}
        done = self.forks.run(words[1:], self.folder, {**env, "XDG_STATE_HOME": str(self.folder / "state")})
        assert done.stderr == "", done.stderr
        assert done.returncode == (1 if "\nfail  " in done.stdout else 0), done.stdout
        for port, here in self.ports.items():
            done.stdout = done.stdout.replace(f"127.0.0.1:{here}", f"127.0.0.1:{port}")
        return done.stdout

    def stop(self) -> None:
        for _, process in self.servers.values():
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(timeout=STOP_TIMEOUT_S)


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def _hunks(lines: list[str]) -> Iterator[tuple[str, str]]:
    """Before and after of each; hunks are parted by lines that begin with ``@@``."""
    hunk: list[str] = []
    for line in [*lines, "@@"]:
        if not line.startswith("@@"):
            hunk.append(line or " ")
            continue
        before, after = ([one[1:] for one in hunk if one[0] in kinds] for kinds in (" -", " +"))
        if hunk:
            yield "".join(f"{one}\n" for one in before), "".join(f"{one}\n" for one in after)
        hunk = []


def _commands(block: Block) -> Iterator[tuple[str, str]]:
    """Each line typed, and the text behind it."""
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        line, _, told = part.partition("\n")
        yield line, told


def _given(text: str) -> str:
    """Without what is given anew each time."""
    for pattern, name in GIVEN.items():
        text = re.sub(pattern, name, text)
    return text


def _pattern(told: str) -> re.Pattern[str]:
    """A line of ``...`` stands for any number of lines."""
    lines = ["(?:.*\n)*?" if line.strip() == "..." else re.escape(f"{line}\n") for line in _given(told).splitlines()]
    return re.compile("".join(lines))


def _differing(told: str, said: str) -> str:
    return "\n".join(difflib.unified_diff(told.splitlines(), said.splitlines(), "told", "said", n=99, lineterm=""))


@pytest.fixture
def walk(tmp_path: Path) -> Iterator[Walk]:
    forks = Forks()
    made = Walk(tmp_path, forks)
    yield made
    made.stop()
    forks.stop()


def test_the_walk_from_the_first_run_to_none_that_differs_is_as_it_is_told(walk: Walk) -> None:
    page = blocks(PAGE)
    for block in page:
        if named := FILE.fullmatch(block.note):
            walk.write(named[1], block.text)
    for block in page:
        if block.lang == "diff":
            walk.change(block)
        elif block.lang == "console":
            walk.type(block)
    assert set(walk.servers) == {"old:app", "new:application"}
    first, *_, last = walk.said_to["cutover diff"]
    assert "4 requests compared, 4 differ" in first
    assert re.search(r"^pass  \d+ requests compared, none differs$", last, re.MULTILINE)
    assert not re.search(r"^  (fail|warn|note)  ", last, re.MULTILINE)
