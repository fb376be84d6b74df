"""Where a comparison is done: at once, in a thread, or, for bodies that would hold the event loop, in a process."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from cutover.parity.answers import Answer
from cutover.parity.document import Budget
from cutover.parity.exchange import Asked, Compared, compare_answers
from cutover.parity.matched import may_note
from cutover.parity.origins import Origins
from cutover.parity.rules import Rules
from cutover.parity.terms import Terms
from cutover.parity.worker import Task, Worker

COMPARE_TIMEOUT_S = 20.0
# Both bodies together: up to here the event loop is held for a few milliseconds only.
INLINE_BYTES = 16 * 1024
# From here on single calls that hold the interpreter (its parser, its collector) would hold the loop for too long.
PROCESS_BYTES = 512 * 1024
# The most of two bodies that is looked at in one go to see whether they are the same bytes.
_STEP_BYTES = 16 * 1024 * 1024


@asynccontextmanager
async def working() -> AsyncIterator[Work]:
    """For one run: what its process holds is given back at the end.

    A full collection of garbage looks at all that was ever imported, and so holds the event loop for long. Meanwhile
    it leaves out what is there now.
    """
    work = Work()
    gc.freeze()
    try:
        yield work
    finally:
        gc.unfreeze()
        await work.stop()


class Work:
    """Compares without holding the event loop.

    What is not done at once is done one after the other: big bodies would add up in memory, and threads would only
    take the interpreter from one another.
    """

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._worker: Worker | None = None

    async def compare(self, old: Answer, new: Answer, asked: Asked, rules: Rules, origins: Origins) -> Compared:
        """Raises ``NotComparableError`` when it takes too long, too."""
        size = len(old.body) + len(new.body)
        if size > INLINE_BYTES and await _same_bytes(old.body, new.body):
            new = replace(new, body=old.body)
            size = size if may_note(old, rules) else 0
        if size <= INLINE_BYTES:
            # What reads an answer, compares it and sends the next request would all be one turn.
            await asyncio.sleep(0)
            return compare_answers(old, new, asked, Terms(rules, origins, Budget(COMPARE_TIMEOUT_S)))
        async with self._turn:
            if size < PROCESS_BYTES:
                return await _in_thread(old, new, asked, Terms(rules, origins, Budget(COMPARE_TIMEOUT_S)))
            task = Task(old, new, asked, rules.options, origins, frozenset(rules.used), COMPARE_TIMEOUT_S)
            compared = await self._in_process(task)
        rules.used |= compared.used
        return compared

    async def _in_process(self, task: Task) -> Compared:
        if self._worker is None:
            self._worker = await Worker.start()
        try:
            return await self._worker.do(task)
        finally:
            if not self._worker.idle:
                await self.stop()

    async def stop(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            await worker.stop()


async def _in_thread(old: Answer, new: Answer, asked: Asked, terms: Terms) -> Compared:
    try:
        return await asyncio.to_thread(compare_answers, old, new, asked, terms)
    finally:
        terms.budget.stop()


async def _same_bytes(old: bytes | bytearray, new: bytes | bytearray) -> bool:
    if len(old) != len(new):
        return False
    with memoryview(old) as ours, memoryview(new) as theirs:
        for start in range(0, len(ours), _STEP_BYTES):
            if ours[start : start + _STEP_BYTES] != theirs[start : start + _STEP_BYTES]:
                return False
            await asyncio.sleep(0)
    return True
