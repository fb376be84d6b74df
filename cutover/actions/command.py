"""The action ``command``: run a program of the user's."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from cutover.actions.base import Action, ActionContext
from cutover.artifacts import Artifacts
from cutover.errors import CutoverError
from cutover.redact import redact

DEFAULT_TIMEOUT_S = 600.0
TERM_GRACE_S = 2.0
"""Between TERM and KILL; an interrupted run has 5 s for everything."""
POLL_S = 0.02
DRAIN_TIMEOUT_S = 0.5
MAX_OUTPUT_BYTES = 256 * 1024
TELL_INTERVAL_S = 0.1
READ_BYTES = 64 * 1024
SHOWN_LINES = 10
OUTPUT_FILE = "output.txt"

Argument = Annotated[str, Field(pattern=r"^[^\x00]*$")]


class Command(Action):
    """Run a program, without a shell; a status other than 0 fails. What it prints is kept among the artifacts.

    Example::

        command: {run: [docker, stop, fastapi]}

    It is not run a second time in one run of the plan, unless it is ``idempotent``.
    """

    run_: list[Argument] = Field(alias="run", min_length=1)
    env: dict[str, Argument] = Field(default_factory=dict)
    cwd: str | None = None
    idempotent: bool = False

    @classmethod
    def from_scalar(cls, value: Any) -> Any:
        return value if isinstance(value, dict) else {"run": value}

    @field_validator("run_", mode="before")
    @classmethod
    def _no_shell(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        raise PydanticCustomError("command", "{message}", {"message": _as_list(value)})

    @property
    def once(self) -> bool:
        return not self.idempotent

    def summary(self) -> str:
        return shlex.join(self.run_)

    def default_timeout(self) -> float:
        return DEFAULT_TIMEOUT_S

    async def run(self, ctx: ActionContext) -> str:
        shown = redact(self.summary())
        output = Output(ctx.progress)
        try:
            status = await self._execute(self._environment(ctx), output)
        finally:
            kept = output.save(ctx.artifacts)
        if status != 0:
            raise CutoverError(f"{shown}: {_ending(status)}{output.end()}", kept)
        return f"{shown}: done"

    def _environment(self, ctx: ActionContext) -> dict[str, str]:
        return {**os.environ, "CUTOVER_PLAN_NAME": ctx.plan.name, "CUTOVER_WEIGHT": str(ctx.weight), **self.env}

    async def _execute(self, env: Mapping[str, str], output: Output) -> int:
        async with output.reading() as pipe:
            try:
                process = await asyncio.create_subprocess_exec(
                    *self.run_, stdin=DEVNULL, stdout=pipe, stderr=pipe, env=env, cwd=self.cwd, start_new_session=True
                )
            except OSError as error:
                raise self._not_started(error) from None
            finally:
                os.close(pipe)
            try:
                return await process.wait()
            finally:
                if process.returncode is None:
                    await _kill_group(process)

    def _not_started(self, error: OSError) -> CutoverError:
        program = redact(self.run_[0])
        if self.cwd is not None and not Path(self.cwd).is_dir():
            return CutoverError(f"command: cwd {self.cwd} is no folder", "create it, or mend cwd in the plan")
        if isinstance(error, FileNotFoundError):
            place = f"in {self.cwd or Path.cwd()}" if "/" in program else "on PATH"
            return CutoverError(
                f"command: there is no program {program!r} {place}", "install it, or give its full path"
            )
        return CutoverError(f"command: {program!r} can't be run: {os.strerror(error.errno or 0)}", "is it executable?")


class Output:
    """The end of what a command prints, without secrets."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._kept = bytearray()
        self._cut = False
        self._told = 0.0

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[int]:
        """The end of a pipe to write to, read meanwhile. The caller closes it once the command has it.

        A daemon that the command leaves behind may hold it open for ever, so its end is not waited for.
        """
        loop = asyncio.get_running_loop()
        read_end, write_end = os.pipe()
        os.set_blocking(read_end, False)
        ended = asyncio.Event()
        loop.add_reader(read_end, self._read, read_end, ended)
        try:
            yield write_end
            with suppress(TimeoutError):
                async with asyncio.timeout(DRAIN_TIMEOUT_S):
                    await ended.wait()
        finally:
            loop.remove_reader(read_end)
            os.close(read_end)

    def _read(self, read_end: int, ended: asyncio.Event) -> None:
        data = os.read(read_end, READ_BYTES)
        if not data:
            asyncio.get_running_loop().remove_reader(read_end)
            ended.set()
            return
        self._kept += data
        if len(self._kept) > 2 * MAX_OUTPUT_BYTES:
            del self._kept[:-MAX_OUTPUT_BYTES]
            self._cut = True
        self._tell_last_line()

    def _tell_last_line(self) -> None:
        now = asyncio.get_running_loop().time()
        end = self._kept.rfind(b"\n")
        if end > 0 and now - self._told >= TELL_INTERVAL_S:
            self._told = now
            line = self._kept[self._kept.rfind(b"\n", 0, end) + 1 : end]
            self._tell(redact(line.decode(errors="replace")))

    def text(self) -> str:
        """Whole lines only where the beginning was cut off: half a secret would not be recognised."""
        kept = bytes(self._kept[-MAX_OUTPUT_BYTES:])
        if self._cut or len(self._kept) > MAX_OUTPUT_BYTES:
            kept = b"...\n" + kept.partition(b"\n")[2]
        return redact(kept.decode(errors="replace"))

    def end(self) -> str:
        """The last lines, for a message."""
        lines = [line for line in self.text().splitlines() if line.strip()][-SHOWN_LINES:]
        return "".join(f"\n  {line}" for line in lines)

    def save(self, folder: Path) -> str:
        """Where it is kept, or why it is not: what a command did is done, whether there is room to tell or not."""
        problem = Artifacts(folder).write(OUTPUT_FILE, self.text())
        return problem or f"all that it printed: {folder / OUTPUT_FILE}"


async def _kill_group(process: Process) -> None:
    """TERM for the command and all that it started, time to end, and KILL for what is left."""
    try:
        _signal_group(process.pid, signal.SIGTERM)
        with suppress(TimeoutError):
            async with asyncio.timeout(TERM_GRACE_S):
                while process.returncode is None or _signal_group(process.pid, 0):  # noqa: ASYNC110 - no event says so
                    await asyncio.sleep(POLL_S)
    finally:
        _signal_group(process.pid, signal.SIGKILL)
    with suppress(TimeoutError):
        async with asyncio.timeout(TERM_GRACE_S):
            await process.wait()


def _signal_group(leader: int, number: int) -> bool:
    """Whether anybody was there to get it."""
    try:
        os.killpg(leader, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _ending(status: int) -> str:
    return f"exited with status {status}" if status > 0 else f"was killed by {signal.Signals(-status).name}"


def _as_list(line: str) -> str:
    try:
        words = shlex.split(line)
    except ValueError:
        words = line.split()
    return f"run is a list, there is no shell; write run: [{', '.join(_quoted(w) for w in words)}]"


def _quoted(word: str) -> str:
    plain = word and all(c.isalnum() or c in "._/-=+@" for c in word) and word[0] not in "-=@"
    return word if plain else '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'
