"""Comparing big bodies is done elsewhere, within a time limit."""

from __future__ import annotations

import json
from typing import Any

import psutil
import pytest

from cutover.parity import work
from cutover.parity.answers import Answer
from cutover.parity.document import NotComparableError
from cutover.parity.exchange import Asked, Compared
from cutover.parity.options import Options
from cutover.parity.origins import Origins
from cutover.parity.rules import Rules

ROWS = [{"id": n, "a": n / 7, "b": True, "c": None, "t": "x" * 120} for n in range(15_000)]


def answer(value: Any) -> Answer:
    return Answer(200, (("Content-Type", "application/json"),), json.dumps(value).encode())


async def compared(old: Any, new: Any, rules: Rules) -> Compared:
    return await work.compare(answer(old), answer(new), Asked("GET", "/"), rules, Origins())


@pytest.mark.parametrize("count", [10, 2_000, 15_000], ids=["at once", "in a thread", "in a process"])
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
    children = [" ".join(child.cmdline()) for child in psutil.Process().children()]
    assert [line for line in children if "cutover.parity.work" in line] == []


async def test_what_takes_too_long_in_a_thread_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "COMPARE_TIMEOUT_S", 0.0)
    with pytest.raises(NotComparableError, match="more than 0s"):
        await compared(ROWS[:3000], ROWS[2999::-1], Rules(Options()))


async def test_what_is_too_deep_is_told_from_a_process_too() -> None:
    deep = "[" * 300 + "]" * 300
    old = Answer(200, (("Content-Type", "application/json"),), f'["{"x" * 5_000_000}", {deep}]'.encode())
    new = Answer(200, (("Content-Type", "application/json"),), f'["y", {deep}]'.encode())
    result = work.compare(old, new, Asked("GET", "/"), Rules(Options()), Origins())
    with pytest.raises(NotComparableError, match="nested"):
        await result
