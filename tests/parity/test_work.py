"""Comparing big bodies is done elsewhere, within a time limit."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from itertools import pairwise
from typing import Any

import psutil
import pytest

from cutover.parity import work, worker
from cutover.parity.answers import Answer
from cutover.parity.document import NotComparableError
from cutover.parity.exchange import Asked, Compared
from cutover.parity.options import Options
from cutover.parity.origins import Origins
from cutover.parity.rules import Rules

ROWS = [{"id": n, "a": n / 7, "b": True, "c": None, "t": "x" * 120} for n in range(15_000)]


def answer(value: Any) -> Answer:
    return Answer(200, (("Content-Type", "application/json"),), json.dumps(value).encode())


def workers() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "cutover.parity.worker" in " ".join(child.cmdline())]


def a_pair(rows: int = 15_000) -> tuple[Answer, Answer, Asked, Rules, Origins]:
    return answer(ROWS[:rows]), answer(ROWS[: rows - 1]), Asked("GET", "/"), Rules(Options()), Origins()


async def compared(old: Any, new: Any, rules: Rules) -> Compared:
    async with work.working() as here:
        return await here.compare(answer(old), answer(new), Asked("GET", "/"), rules, Origins())


@pytest.mark.parametrize("count", [10, 1_000, 15_000], ids=["at once", "in a thread", "in a process"])
async def test_the_same_is_found_wherever_it_is_compared(count: int) -> None:
    old, new = ROWS[:count], [*ROWS[: count - 1], {**ROWS[count - 1], "a": -1, "c": 1, "t": "y"}]
    rules = Rules(Options.model_validate({"ignore": ["$[*].c", "$[*].nothing"]}))
    found = (await compared(old, new, rules)).findings
    assert {(key.kind.value, key.path): tally.count for key, tally in found} == {
        ("value", "$[].a"): 1,
        ("value", "$[].t"): 1,
    }
    assert rules.used == {("ignore", "$[*].c")}
    assert rules.unused() == {("ignore", "$[*].nothing")}


async def test_what_takes_too_long_in_a_process_is_given_up_and_the_process_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(work, "COMPARE_TIMEOUT_S", 0.05)
    with pytest.raises(NotComparableError, match=r"more than 0\.05s"):
        await compared(ROWS, ROWS[::-1], Rules(Options()))
    assert workers() == []


async def test_what_takes_too_long_in_a_thread_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "COMPARE_TIMEOUT_S", 0.0)
    with pytest.raises(NotComparableError, match="more than 0s"):
        await compared(ROWS[:3000], ROWS[2999::-1], Rules(Options()))


async def test_what_is_too_deep_is_told_from_a_process_too() -> None:
    deep = "[" * 300 + "]" * 300
    old = Answer(200, (("Content-Type", "application/json"),), f'["{"x" * 5_000_000}", {deep}]'.encode())
    new = Answer(200, (("Content-Type", "application/json"),), f'["y", {deep}]'.encode())
    async with work.working() as here:
        with pytest.raises(NotComparableError, match="nested"):
            await here.compare(old, new, Asked("GET", "/"), Rules(Options()), Origins())


async def test_one_process_does_what_is_big_one_after_the_other_and_is_gone_at_the_end() -> None:
    async with work.working() as here:
        found = await asyncio.gather(*(here.compare(*a_pair()) for _ in range(3)))
        [first] = workers()
        assert [len(one.findings.keys) for one in found] == [1, 1, 1]
        await here.compare(*a_pair())
        assert workers() == [first]
    assert workers() == []


async def test_a_process_that_is_killed_costs_one_comparison_and_not_the_next() -> None:
    async with work.working() as here:
        await here.compare(*a_pair())
        [first] = workers()
        os.kill(first.pid, signal.SIGKILL)
        with pytest.raises(NotComparableError, match="exit code -9"):
            await here.compare(*a_pair())
        assert (await here.compare(*a_pair())).findings.failed


async def test_a_cancelled_comparison_leaves_no_process() -> None:
    async with work.working() as here:
        task = asyncio.ensure_future(here.compare(*a_pair()))
        while not workers():
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert workers() == []


async def test_what_takes_too_much_memory_is_unknown_and_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "MEMORY_LIMIT_BYTES", 256 * 1024**2)
    brackets = b"[" + b"[]," * 3_000_000 + b"[]"
    json_type = (("Content-Type", "application/json"),)
    old, new = (Answer(200, json_type, brackets + end) for end in (b"]", b",1]"))
    async with work.working() as here:
        with pytest.raises(NotComparableError, match=r"more than 0\.25 GB of memory"):
            await here.compare(old, new, Asked("GET", "/"), Rules(Options()), Origins())
        assert (await here.compare(*a_pair())).findings.failed


@pytest.mark.parametrize("rows", [100, 1_000, 8_000])
async def test_the_event_loop_is_not_held(rows: int) -> None:
    """By the time that this thread itself works between two turns of the loop, whatever else the machine does."""
    ticks = [time.thread_time()]

    async def tick() -> None:
        while True:
            await asyncio.sleep(0.005)
            ticks.append(time.thread_time())

    async with work.working() as here, asyncio.TaskGroup() as group:
        ticking = group.create_task(tick())
        await asyncio.gather(*(here.compare(*a_pair(rows)) for _ in range(4)))
        ticking.cancel()
    ticks.append(time.thread_time())
    assert max(after - before for before, after in pairwise(ticks)) < 0.5


async def test_big_bodies_of_the_same_bytes_need_no_process() -> None:
    old, new = answer(ROWS), answer(ROWS)
    async with work.working() as here:
        assert not (await here.compare(old, new, Asked("GET", "/"), Rules(Options()), Origins())).findings
        assert workers() == []
