"""How fast old is compared with new, beside the references of each figure, in one run.

    python benchmarks/bench_parity.py [--requests N]

Times of documents are of the CPU, the best of some runs: what else the machine does changes them little. deepdiff is
given up after a while, and then at least so slow. Requests go to two nginx servers.
"""

from __future__ import annotations

import asyncio
import gc
import json
import random
import time
import tracemalloc
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import psutil

from benchmarks.figures import Budget, Cell, Report, Table, main, say
from benchmarks.paritystage import (
    LATE_BUDGET_MS,
    Ticks,
    bare,
    deep_seconds,
    json_servers,
    memory_of,
    records,
    requests_for,
    sides_of,
)
from benchmarks.timing import by_turns
from cutover.parity.answers import Answer
from cutover.parity.compare import compare_documents
from cutover.parity.document import Budget as Limits
from cutover.parity.exchange import Asked, Compared, compare_answers
from cutover.parity.findings import Findings
from cutover.parity.options import Options
from cutover.parity.origins import Origins
from cutover.parity.rules import Rules
from cutover.parity.run import Comparison
from cutover.parity.terms import Terms
from cutover.parity.work import Work, working

JSON = (("Content-Type", "application/json"),)
ASKED = Asked("GET", "/")
REFERENCE = "json.loads and =="
IDENTICAL_S = 6.0
TWO_RULES = ["$[*].patient.age", "..etag"]
CONCURRENCY = 8
EARLY = 5


def terms(**options: Any) -> Terms:
    return Terms(Rules(Options.model_validate(options)), Origins(), Limits(60))


def answer(rows: Any, **how: Any) -> Answer:
    return Answer(200, JSON, json.dumps(rows, **how).encode())


def compared(old: Answer, new: Answer, **options: Any) -> Compared:
    return compare_answers(old, new, ASKED, terms(**options))


def walked(old: Any, new: Any, **options: Any) -> Findings:
    """What deepdiff is compared with: documents that are parsed already."""
    return compare_documents(old, new, terms(**options))


def best_of(times: int, work: Callable[[], Any]) -> float:
    """Seconds of CPU of the fastest run."""
    best = float("inf")
    for _ in range(times):
        gc.collect()
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return best


def told(findings: Findings) -> str:
    return ", ".join(f"{tally.count} {key.kind} at {key.path}" for key, tally in findings) or "nothing"


def identical() -> tuple[list[list[Cell]], list[Budget]]:
    """A megabyte in the spellings of two frameworks."""
    rows = records(4550)
    old, new = answer(rows), answer(rows, separators=(",", ":"))
    aged = answer([{**row, "patient": {**row["patient"], "age": -1}} for row in rows])
    same = Answer(200, JSON, bytes(bytearray(old.body)))
    works = {
        "the same bytes": lambda: compared(old, same),
        "in another spelling": lambda: compared(old, new),
        "in another spelling, two ignore rules": lambda: compared(old, new, ignore=TWO_RULES),
        "equal but for what two rules ignore": lambda: compared(old, aged, ignore=TWO_RULES),
    }
    bare = lambda: json.loads(old.body) == json.loads(new.body)  # noqa: E731 - as the others
    timed = {what: partial(best_of, 1, work) for what, work in {REFERENCE: bare, **works}.items()}
    series = by_turns(timed, IDENTICAL_S, 9)
    name = f"two equal bodies of {len(old.body) / 1e6:.2f} MB"
    rows_told: list[list[Cell]] = [
        [f"{name}, {how}", series.median(how) * 1000, series.median(REFERENCE) * 1000, series.ratio(how, REFERENCE),
         REFERENCE]
        for how in works
    ]  # fmt: skip
    budgets = [Budget(str(row[0]), 3.0, float(str(row[3]))) for row in rows_told[:3]]
    return rows_told, budgets


def changed() -> tuple[list[list[Cell]], list[Budget]]:
    """4,000 records, and what deepdiff makes of them."""
    rows = records(4000)
    inserted = [{**rows[0], "id": -1, "uid": "x"}, *rows]
    shuffled = [{**one, "score": -1.0} if one["id"] % 10 == 0 else one for one in rows]
    random.Random(7).shuffle(shuffled)  # noqa: S311 - the same shuffle each time
    cells: list[list[Cell]] = []
    budgets = []
    for what, new, options, expected in (
        ("one inserted at the front", inserted, {}, "1 added at $[]"),
        ("shuffled, a tenth changed", shuffled, {"unordered": ["$"]}, "400 value at $[].score"),
    ):
        one, other = answer(rows), answer(new)
        assert told(compared(one, other, **options).findings) == expected
        deep, ended = deep_seconds(rows, new, **({"ignore_order": True, "report_repetition": True} if options else {}))
        against = f"deepdiff{'' if ended else ', given up'}"
        whole = best_of(5, lambda a=one, b=other, o=options: compared(a, b, **o))  # type: ignore[misc]
        parsed = best_of(5, lambda b=new, o=options: walked(rows, b, **o))  # type: ignore[misc]
        name = f"4,000 records, {what}: {expected}"
        cells += [_row(f"{name}, from bytes", whole, deep, against), _row(f"{name}, parsed", parsed, deep, against)]
        budgets.append(Budget(f"4,000 records, {what}, against deepdiff, both parsed", 0.01, parsed / deep))
    return cells, budgets


def _row(what: str, ours: float, reference: float, against: str) -> list[Cell]:
    return [what, ours * 1000, reference * 1000, ours / reference, against]


async def memory() -> tuple[list[list[Cell]], list[Budget]]:
    rows = records(40_000)
    old, new = answer(rows), answer([{**one, "score": -1.0} for one in rows])
    tracemalloc.start()
    parsed = json.loads(old.body), json.loads(new.body)
    reference = tracemalloc.get_traced_memory()[0]
    del parsed
    tracemalloc.reset_peak()
    base = tracemalloc.get_traced_memory()[0]
    assert told(compared(old, new).findings) == "40000 value at $[].score"
    here = tracemalloc.get_traced_memory()[1] - base
    tracemalloc.stop()
    async with working() as work:
        await _in_process(work, answer(rows[:4000]), answer(rows[:3999]))
        there = await memory_of(_in_process(work, old, new))
    cells: list[list[Cell]] = [
        [f"40,000 records, all different, {where}", peak / 1e6, reference / 1e6, peak / reference]
        for where, peak in (("in one process", here), ("handed to the other process", there))
    ]
    return cells, [Budget(f"memory, {cell[0]}", 5.0, float(str(cell[3]))) for cell in cells]


async def _in_process(work: Work, old: Answer, new: Answer, **options: Any) -> Compared:
    return await work.compare(old, new, ASKED, Rules(Options.model_validate(options)), Origins())


async def loop() -> tuple[list[list[Cell]], list[Budget]]:
    """How late the event loop is while bodies are compared; the best of some rounds, for what else the machine does."""
    rows = records(18_000)
    shuffled = rows[:4000]
    random.Random(7).shuffle(shuffled)  # noqa: S311 - the same shuffle each time
    pairs: dict[str, tuple[Answer, Answer, dict[str, Any]]] = {
        "two bodies of 0.1 MB": (answer(rows[:450]), answer(rows[:450], indent=1), {}),
        "two bodies of 1 MB": (answer(rows[:4500]), answer(rows[:4500], indent=1), {"ignore": TWO_RULES}),
        "two bodies of 4 MB": (answer(rows), answer(rows[:-1], indent=1), {}),
        "4,000 records, shuffled": (answer(rows[:4000]), answer(shuffled), {"unordered": ["$"]}),
    }
    cells: list[list[Cell]] = []
    async with working() as work:
        for what, (old, new, options) in pairs.items():
            late = [await _late(_in_process(work, old, new, **options)) for _ in range(3)]
            idle = [await _late(asyncio.sleep(0.2)) for _ in range(3)]
            cells.append([what, min(late), min(idle)])
    return cells, [Budget(f"the event loop, {cell[0]}", LATE_BUDGET_MS, float(str(cell[1])), " ms") for cell in cells]


async def _late(work: Coroutine[Any, Any, Any]) -> float:
    async with Ticks() as ticks:
        await work
    return ticks.late_ms


async def small(count: int) -> Report:
    """Many small requests, beside a loop that does nothing with what it fetches."""
    rows = records(3)
    with json_servers(json.dumps(rows), json.dumps(rows, separators=(",", ":"))) as urls:
        if urls is None:
            return Report([], notes=["Small requests: no nginx here."])
        sides = sides_of(urls, CONCURRENCY)
        async with Ticks() as usual:
            bare_s, bare_cpu_s = await _timed(bare(*sides, requests_for(count), CONCURRENCY))
        me = psutil.Process()
        held: list[int] = []

        def note(_: str) -> None:
            held.append(me.memory_info().rss if len(held) in {count // EARLY, count - 1} else 0)

        comparison = Comparison(*sides, concurrency=CONCURRENCY, progress=note)
        async with Ticks() as ticks:
            ours_s, ours_cpu_s = await _timed(comparison.run(requests_for(count)))
    grown = (held[count - 1] - held[count // EARLY]) / 1e6
    cells: list[Cell] = [count / ours_s, count / bare_s, ours_s / bare_s, ours_cpu_s / bare_cpu_s, grown]
    name = f"{count:,} small requests"
    columns = ["pairs", "cutover/s", "bare/s", "time ratio", "CPU ratio", "grown, MB", "late, ms", "bare late, ms"]
    row: list[Cell] = [f"{count:,}", *cells, ticks.late_ms, usual.late_ms]
    budgets = [
        Budget(f"{name}, time against the bare loop's", 2.0, ours_s / bare_s),
        Budget(f"{name}, memory grown since a fifth of them", 10.0, grown, " MB"),
        Budget(f"{name}, the event loop", LATE_BUDGET_MS, ticks.late_ms, " ms"),
    ]
    return Report([Table("Small requests, in two spellings", columns, [row])], budgets)


async def _timed(work: Coroutine[Any, Any, Any]) -> tuple[float, float]:
    """Seconds on the wall, and of this process's CPU."""
    wall, cpu = time.perf_counter(), time.process_time()
    await work
    return time.perf_counter() - wall, time.process_time() - cpu


def measure(requests: int) -> Report:
    say("equal bodies")
    equal_rows, equal_budgets = identical()
    say("bodies that differ, and deepdiff on them")
    changed_rows, changed_budgets = changed()
    say("memory")
    memory_rows, memory_budgets = asyncio.run(memory())
    say("the event loop")
    loop_rows, loop_budgets = asyncio.run(loop())
    say("small requests")
    many = asyncio.run(small(requests))
    columns = ["compared", "cutover, ms", "reference, ms", "ratio", "the reference"]
    held = ["compared", "cutover, MB", "the parsed bodies, MB", "ratio"]
    tables = [
        Table("CPU time", columns, [*equal_rows, *changed_rows]),
        Table("Memory at its peak", held, memory_rows),
        Table("How late the event loop is at most", ["while comparing", "late, ms", "idle, ms"], loop_rows),
        *many.tables,
    ]
    budgets = [*equal_budgets, *changed_budgets, *memory_budgets, *loop_budgets, *many.budgets]
    return Report(tables, budgets, many.notes)


if __name__ == "__main__":
    main(__file__, __doc__, measure, requests=10_000)
