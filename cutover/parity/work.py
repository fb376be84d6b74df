"""Where a comparison is done: at once, in a thread, or, for bodies that would hold the event loop, in a process.

``python -m cutover.parity.work`` is that process: a pickled ``Task`` on standard input, its outcome on standard output.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import cutover
from cutover.parity.answers import Answer
from cutover.parity.document import Budget, NotComparableError
from cutover.parity.exchange import Asked, Compared, compare_answers
from cutover.parity.options import Options
from cutover.parity.origins import Origins
from cutover.parity.rules import Rules
from cutover.parity.terms import Terms

COMPARE_TIMEOUT_S = 20.0
# Both bodies together: up to here the event loop is held for a few milliseconds only.
INLINE_BYTES = 32 * 1024
# From here on a single call of the JSON parser may hold the interpreter, and so the loop, for too long.
PROCESS_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Task:
    """One comparison."""

    old: Answer
    new: Answer
    asked: Asked
    options: Options
    origins: Origins
    used: frozenset[tuple[str, str]] = frozenset()


async def compare(old: Answer, new: Answer, asked: Asked, rules: Rules, origins: Origins) -> Compared:
    """Raises ``NotComparableError`` when it takes too long, too."""
    size = len(old.body) + len(new.body)
    terms = Terms(rules, origins, Budget(COMPARE_TIMEOUT_S))
    if old.body == new.body and not rules.unused():
        size = 0
    if size <= INLINE_BYTES:
        return compare_answers(old, new, asked, terms)
    if size >= PROCESS_BYTES:
        task = Task(old, new, asked, rules.options, origins, frozenset(rules.used))
        compared = await _in_process(task)
        rules.used |= compared.used
        return compared
    try:
        return await asyncio.to_thread(compare_answers, old, new, asked, terms)
    finally:
        terms.budget.stop()


async def _in_process(task: Task) -> Compared:
    with os.fdopen(os.memfd_create("cutover-comparison"), "w+b") as memory:
        # Through a pipe, bodies of this size would keep the event loop busy.
        await asyncio.to_thread(_write, memory, task)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "cutover.parity.work", env=_environment(),
            stdin=memory, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
    return await _outcome(process)


def _write(memory: IO[bytes], task: Task) -> None:
    pickle.dump(task, memory)
    memory.seek(0)


async def _outcome(process: asyncio.subprocess.Process) -> Compared:
    try:
        async with asyncio.timeout(COMPARE_TIMEOUT_S):
            said, error = await process.communicate()
    except TimeoutError:
        raise NotComparableError(f"comparing took more than {COMPARE_TIMEOUT_S:g}s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        last = error.decode(errors="replace").strip().splitlines()[-1:]
        raise NotComparableError(f"comparing ended with exit code {process.returncode}: {' '.join(last)}")
    outcome: Compared | str = pickle.loads(said)  # noqa: S301 - from a process of our own
    if isinstance(outcome, str):
        raise NotComparableError(outcome)
    return outcome


def _environment() -> dict[str, str]:
    """This package, from wherever it was imported; never what lies in the working directory."""
    package = str(Path(cutover.__file__).parent.parent)
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH"))))}


def main() -> None:
    """Do one task."""
    task: Task = pickle.load(sys.stdin.buffer)  # noqa: S301 - from the process that started this one
    rules = Rules(task.options, set(task.used))
    outcome: Compared | str
    try:
        outcome = compare_answers(task.old, task.new, task.asked, Terms(rules, task.origins, Budget(COMPARE_TIMEOUT_S)))
    except NotComparableError as error:
        outcome = str(error)
    sys.stdout.buffer.write(pickle.dumps(outcome))


if __name__ == "__main__":
    main()
