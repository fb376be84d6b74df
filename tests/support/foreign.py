"""Programs that nobody here wrote, each release in a virtual environment of its own, and how they are run."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import threading
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

REQUIREMENTS = Path(__file__).parents[1] / "foreign" / "requirements"
# What the old releases run on.
MAX_PYTHON = (3, 12)
INSTALL_TIMEOUT_S = 200
START_TIMEOUT_S = 30
STOP_TIMEOUT_S = 10
_LISTENING = re.compile(r"http://127\.0\.0\.1:(\d+)")


def python_with(release: str) -> Path:
    """The interpreter of ``datasette-0.64.8``'s environment, made when it is first asked for and kept for later runs.

    Every package is pinned, so that what is found stays what was read. Skips where it can't be installed.
    """
    if sys.version_info[:2] > MAX_PYTHON:
        pytest.skip("the old releases don't run on this Python")
    wanted = REQUIREMENTS / f"{release}.txt"
    said = hashlib.sha256(wanted.read_bytes() + sys.version.encode()).hexdigest()[:12]
    home = _cache() / f"{release}-{said}"
    home.parent.mkdir(parents=True, exist_ok=True)
    with home.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "complete").exists():
            shutil.rmtree(home, ignore_errors=True)
            _install(home, wanted)
            (home / "complete").touch()
    return home / "bin" / "python"


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base.startswith("/") else Path("~/.cache").expanduser()) / "cutover-tests"


def _install(home: Path, wanted: Path) -> None:
    venv.create(home, with_pip=False)
    try:
        subprocess.run(
            [sys.executable, "-m", "pip", "--python", str(home / "bin" / "python"), "install", "--quiet",
             "--no-deps", "--only-binary", ":all:", "--no-compile", "--requirement", str(wanted)],
            check=True, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        pytest.skip(f"{wanted.stem} was not installed within {INSTALL_TIMEOUT_S}s")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"{wanted.stem} can't be installed: {error.stderr.strip()[-500:]}")


@contextlib.contextmanager
def serving(release: str, *args: str) -> Iterator[int]:
    """``python -m ARGS`` of a release that was told to listen on any port of 127.0.0.1; the port that it names."""
    process = subprocess.Popen(
        [str(python_with(release)), "-m", *args], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    impatience = threading.Timer(START_TIMEOUT_S, process.kill)
    impatience.start()
    drain = threading.Thread(target=process.stderr.read, daemon=True)
    try:
        said: list[str] = []
        while not (told := _LISTENING.search(said[-1] if said else "")):
            if not (line := process.stderr.readline()):
                pytest.fail(f"{release} did not start:\n{''.join(said)}")
            said.append(line)
        impatience.cancel()
        drain.start()
        yield int(told[1])
    finally:
        impatience.cancel()
        process.terminate()
        process.wait(STOP_TIMEOUT_S)
        if drain.ident is not None:
            drain.join(STOP_TIMEOUT_S)
        process.stderr.close()
