"""A process that compares: killed when it takes too long, and held to a limit of memory.

``python -m cutover.parity.worker`` is that process. On its standard input, a socket, it is given one file in memory
after the other: a pickled ``Task``, in whose place it writes the outcome. Through a pipe, bodies of this size would
keep the event loop busy.
"""

from __future__ import annotations

import asyncio
import gc
import os
import pickle
import resource
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import cutover
from cutover.parity.answers import Answer
from cutover.parity.document import Budget, NotComparableError
from cutover.parity.exchange import Asked, Compared, compare_answers
from cutover.parity.options import Options
from cutover.parity.origins import Origins
from cutover.parity.rules import Rules
from cutover.parity.terms import Terms

# Of address space. Bodies of the default ``max_body`` take less, but for those of nothing but brackets.
MEMORY_LIMIT_BYTES = 2 * 1024**3


@dataclass(frozen=True, slots=True)
class Task:
    """One comparison."""

    old: Answer
    new: Answer
    asked: Asked
    options: Options
    origins: Origins
    used: frozenset[tuple[str, str]]
    timeout_s: float


@dataclass(slots=True)
class Worker:
    """A running process. Once it is not ``idle`` any more, it can only be stopped."""

    process: asyncio.subprocess.Process
    socket: socket.socket
    idle: bool = True

    @classmethod
    async def start(cls) -> Worker:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        try:
            with theirs:
                process = await asyncio.create_subprocess_exec(
                    sys.executable, "-P", "-m", "cutover.parity.worker", str(MEMORY_LIMIT_BYTES), env=_environment(),
                    stdin=theirs.fileno(), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
                )  # fmt: skip
        except BaseException:
            ours.close()
            raise
        return cls(process, ours)

    async def do(self, task: Task) -> Compared:
        """Raises ``NotComparableError``; also when it takes too long, or takes too much memory."""
        self.idle = False
        with os.fdopen(os.memfd_create("cutover-comparison"), "w+b") as memory:
            await asyncio.to_thread(_write, memory, task)
            try:
                async with asyncio.timeout(task.timeout_s):
                    socket.send_fds(self.socket, [b"?"], [memory.fileno()])
                    answered = await asyncio.get_running_loop().sock_recv(self.socket, 1)
            except TimeoutError:
                raise NotComparableError(f"comparing took more than {task.timeout_s:g}s") from None
            except ConnectionError:
                answered = b""
            if not answered:
                raise NotComparableError(await self._why_it_ended())
            outcome: Compared | str = await asyncio.to_thread(_read, memory)
        self.idle = True
        if isinstance(outcome, str):
            raise NotComparableError(outcome)
        return outcome

    async def _why_it_ended(self) -> str:
        _, error = await self.process.communicate()
        last = error.decode(errors="replace").strip().splitlines()[-1:]
        return f"comparing ended with exit code {self.process.returncode}: {' '.join(last)}"

    async def stop(self) -> None:
        self.socket.close()
        with suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()


def _write(memory: IO[bytes], value: Any) -> None:
    memory.seek(0)
    pickle.dump(value, memory)
    memory.truncate()
    memory.flush()
    memory.seek(0)


def _read(memory: IO[bytes]) -> Any:
    memory.seek(0)
    return pickle.load(memory)  # noqa: S301 - from a process of our own


def _environment() -> dict[str, str]:
    """This package, from wherever it was imported; never what lies in the working directory."""
    package = str(Path(cutover.__file__).parent.parent)
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH"))))}


def main() -> None:
    """Do what is asked until nobody asks any more."""
    limit = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    # Documents hold no cycles, and looking for some takes a third of the time.
    gc.disable()
    with socket.socket(fileno=sys.stdin.fileno()) as asked:
        while (given := socket.recv_fds(asked, 1, 1))[0]:
            with os.fdopen(given[1][0], "r+b") as memory:
                _write(memory, _outcome(memory, limit))
            asked.send(b"!")
            gc.collect()


def _outcome(memory: IO[bytes], limit: int) -> Compared | str:
    try:
        task: Task = _read(memory)
        terms = Terms(Rules(task.options, set(task.used)), task.origins, Budget(task.timeout_s))
        return compare_answers(task.old, task.new, task.asked, terms)
    except NotComparableError as error:
        return str(error)
    except MemoryError:
        return f"comparing takes more than {limit / 1024**3:g} GB of memory"


if __name__ == "__main__":
    main()
