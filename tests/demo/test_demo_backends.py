"""Backends start with a time limit, and none outlives whoever started it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from cutover.demo import backends as demo_backends
from cutover.demo.backends import Backends, require_demo
from cutover.errors import CutoverError, UsageError

GONE_TIMEOUT_S = 30.0

# What a shell starts in the background ignores SIGINT, and so does all that it starts.
PARENT = """
import asyncio, pathlib, signal, sys
from cutover.demo.backends import Backends

signal.signal(signal.SIGINT, signal.default_int_handler)

async def main():
    async with Backends(pathlib.Path(sys.argv[1])) as backends:
        print(backends.old.process.pid, backends.new.process.pid, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_both_are_gone_at_the_end_also_after_a_failure(tmp_path: Path) -> None:
    started: list[int] = []

    async def fail() -> None:
        async with Backends(tmp_path) as backends:
            started.extend([backends.old.process.pid, backends.new.process.pid])
            assert all(psutil.pid_exists(pid) for pid in started)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    assert len(started) == 2
    assert not any(psutil.pid_exists(pid) for pid in started)


async def test_a_backend_that_hangs_is_killed(tmp_path: Path) -> None:
    async with Backends(tmp_path) as backends:
        os.kill(backends.new.process.pid, signal.SIGSTOP)
    assert backends.new.process.returncode == -signal.SIGKILL


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
async def test_they_end_with_the_process_that_started_them(how: signal.Signals, tmp_path: Path) -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, str(tmp_path), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    assert parent.stdout is not None
    pids = (await asyncio.wait_for(parent.stdout.readline(), GONE_TIMEOUT_S)).split()
    children = [psutil.Process(int(pid)) for pid in pids]
    parent.send_signal(how)
    await asyncio.wait_for(parent.wait(), GONE_TIMEOUT_S)
    _, alive = await asyncio.to_thread(psutil.wait_procs, children, GONE_TIMEOUT_S)
    assert len(children) == 2
    assert not alive


async def test_one_that_does_not_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_backends, "DATABASE_ENV", "CUTOVER_DEMO_ELSEWHERE")
    with pytest.raises(CutoverError, match=r"KeyError: 'CUTOVER_DEMO_DATABASE'") as caught:
        async with Backends(tmp_path):
            pass
    assert str(tmp_path) in (caught.value.hint or "")


def test_without_its_packages_the_demo_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_backends, "NEEDED", ("fastapi", "not_installed_at_all"))
    with pytest.raises(UsageError, match="not_installed_at_all") as caught:
        require_demo()
    assert caught.value.hint == "pip install 'cutover[demo]'"
