"""The action ``command``, with real processes."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from pydantic import ValidationError

from cutover.actions.command import MAX_OUTPUT_BYTES, Command
from cutover.errors import CutoverError
from cutover.redact import redactor

if TYPE_CHECKING:
    from .conftest import Recording


def command(*run: str, **settings: Any) -> Command:
    return Command.model_validate({"run": list(run), **settings})


def python(code: str, **settings: Any) -> Command:
    return command(sys.executable, "-c", code, **settings)


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def until(condition: Any) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.01)


def ended(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


async def test_what_it_prints_is_kept_and_told(recording: Recording) -> None:
    said = await python("import sys; print('out', flush=True); print('err', file=sys.stderr)").run(recording)
    assert said.endswith(": done")
    output = recording.artifacts / "output.txt"
    assert output.read_text() == "out\nerr\n"
    assert output.stat().st_mode & 0o777 == 0o600
    assert recording.told[0] in {"out", "err"}


async def test_a_failure_shows_the_end_of_the_output(recording: Recording) -> None:
    with pytest.raises(CutoverError, match=r"exited with status 3\n  line 10\n") as caught:
        await python("import sys; [print('line', n) for n in range(20)]; sys.exit(3)").run(recording)
    assert "line 19" in caught.value.message
    assert "line 9\n" not in caught.value.message
    assert str(recording.artifacts / "output.txt") in (caught.value.hint or "")


async def test_a_signal_is_named(recording: Recording) -> None:
    with pytest.raises(CutoverError, match="was killed by SIGKILL"):
        await python("import os; os.kill(os.getpid(), 9)").run(recording)


async def test_there_is_no_shell_and_nothing_to_read(recording: Recording) -> None:
    await command("echo", "$HOME; ls *").run(recording)
    assert (recording.artifacts / "output.txt").read_text() == "$HOME; ls *\n"
    await python("import sys; assert sys.stdin.read() == ''").run(recording)


async def test_it_knows_the_plan_and_the_weight_and_its_own_variables(
    recording: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INHERITED", "yes")
    recording.weight = 25
    names = ("CUTOVER_PLAN_NAME", "CUTOVER_WEIGHT", "INHERITED", "OWN")
    code = f"import os; print(os.getcwd(), *map(os.environ.get, {names}))"
    await python(code, env={"OWN": "mine"}, cwd=str(tmp_path)).run(recording)
    assert (recording.artifacts / "output.txt").read_text() == f"{tmp_path} example 25 yes mine\n"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"run": ["no-such-program-here"]}, "there is no program 'no-such-program-here' on PATH"),
        ({"run": ["./missing.sh"]}, r"there is no program './missing.sh' in /"),
        ({"run": ["true"], "cwd": "/no/such/folder"}, "cwd /no/such/folder is no folder"),
        ({"run": ["/etc/passwd"]}, "can't be run"),
    ],
)
async def test_what_can_not_be_started_is_said(recording: Recording, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(CutoverError, match=words) as caught:
        await Command.model_validate(settings).run(recording)
    assert caught.value.hint


async def test_cancelling_ends_the_command_and_all_that_it_started(recording: Recording) -> None:
    pids = recording.artifacts / "pids"
    inner = "import os, time; open('pids', 'a').write(f'{os.getpid()}\\n'); time.sleep(60)"
    outer = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {inner!r}]); exec({inner!r})"
    task = asyncio.create_task(python(outer, cwd=str(recording.artifacts)).run(recording))
    await until(lambda: pids.exists() and len(pids.read_text().splitlines()) == 2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, timeout=4)
    for pid in map(int, pids.read_text().split()):
        await until(lambda pid=pid: ended(pid))


async def test_what_ignores_term_is_killed(recording: Recording) -> None:
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    task = asyncio.create_task(python(code).run(recording))
    await until(lambda: recording.told)
    started = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - started < 4


async def test_time_to_end_is_given(recording: Recording) -> None:
    code = (
        "import signal, sys, time\n"
        "signal.signal(15, lambda *_: (time.sleep(0.3), print('cleaned up', flush=True), sys.exit(0)))\n"
        "print('ready', flush=True); time.sleep(60)"
    )
    task = asyncio.create_task(python(code).run(recording))
    await until(lambda: recording.told)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert "cleaned up" in (recording.artifacts / "output.txt").read_text()


async def test_a_daemon_left_behind_is_not_waited_for(recording: Recording) -> None:
    code = "import subprocess, sys; print(subprocess.Popen(['sleep', '30'], start_new_session=True).pid, flush=True)"
    started = time.monotonic()
    await python(code).run(recording)
    assert time.monotonic() - started < 5
    pid = int((recording.artifacts / "output.txt").read_text())
    assert not ended(pid)
    psutil.Process(pid).kill()


async def test_output_without_end_is_kept_in_bounds(recording: Recording) -> None:
    code = "import sys; [sys.stdout.write(f'{n:09}\\n' * 1000) for n in range(2000)]"
    await python(code).run(recording)
    text = (recording.artifacts / "output.txt").read_text()
    assert MAX_OUTPUT_BYTES // 2 < len(text) <= MAX_OUTPUT_BYTES + 4
    assert text.startswith("...\n000")
    assert text.endswith("000001999\n")


async def test_secrets_are_kept_out_of_output_messages_and_progress(recording: Recording) -> None:
    redactor.add("s3cret-of-command")
    with pytest.raises(CutoverError) as caught:
        await (
            python("import sys; print(sys.argv[1], flush=True); sys.exit(1) # s3cret-of-command")
            .model_copy(
                update={
                    "run_": [sys.executable, "-c", "import sys; print(sys.argv[1]); sys.exit(1)", "s3cret-of-command"]
                }
            )
            .run(recording)
        )
    written = b"".join(file.read_bytes() for file in recording.artifacts.iterdir())
    assert "s3cret" not in f"{caught.value.message}{caught.value.hint}{recording.told}{written!r}"


async def test_no_descriptor_is_left_open(recording: Recording) -> None:
    await python("print(1)").run(recording)
    before = open_descriptors()
    for _ in range(5):
        await python("print(1)").run(recording)
    assert open_descriptors() <= before


def test_a_line_for_a_shell_is_a_mistake_that_shows_the_list() -> None:
    with pytest.raises(ValidationError, match=r"write run: \[docker, stop, \"my app\"\]"):
        Command.model_validate({"run": "docker stop 'my app'"})
    with pytest.raises(ValidationError, match=r"write run: \[docker, stop, x\]"):
        Command.model_validate(Command.from_scalar("docker stop x"))


def test_it_runs_once_unless_it_is_idempotent() -> None:
    assert command("true").once
    assert not command("true", idempotent=True).once
    assert command("true").default_timeout() == 600
