"""How fast old is compared with new, beside the references of each figure, in one run.

    python benchmarks/bench_parity.py

Times are of the CPU, the best of some runs: what else the machine does changes them little.
"""

from __future__ import annotations

import asyncio
import gc
import json
import random
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

from deepdiff import DeepDiff

from benchmarks.figures import Cell, Report, Table, main, say
from cutover.parity.answers import Answer
from cutover.parity.compare import compare_documents
from cutover.parity.document import Budget
from cutover.parity.exchange import Asked, Compared, compare_answers
from cutover.parity.fetch import Limits, Side
from cutover.parity.findings import Findings
from cutover.parity.options import ComparedRequest, Options
from cutover.parity.origins import Origins
from cutover.parity.rules import Rules
from cutover.parity.run import Comparison
from cutover.parity.terms import Terms

JSON = (("Content-Type", "application/json"),)
SMALL_REQUESTS = 2000
DEEP = "deepdiff, parsed"


def records(count: int) -> list[dict[str, Any]]:
    return [
        {
            "id": number,
            "uid": f"1.2.840.113619.2.{number}",
            "patient": {"name": f"Name^{number}", "sex": "F", "age": 20 + number % 70},
            "taken_at": f"2024-05-{1 + number % 28:02d}T12:00:00Z",
            "score": number / 7,
            "urgent": number % 3 == 0,
            "tags": ["ct", "head"],
            "note": None,
        }
        for number in range(count)
    ]


def compared(old: bytes, new: bytes, **options: Any) -> Compared:
    terms = Terms(Rules(Options.model_validate(options)), Origins(), Budget(60))
    return compare_answers(Answer(200, JSON, old), Answer(200, JSON, new), Asked("GET", "/"), terms)


def walked(old: Any, new: Any, **options: Any) -> Findings:
    """What deepdiff is compared with: documents that are parsed already."""
    return compare_documents(old, new, Terms(Rules(Options.model_validate(options)), Origins(), Budget(60)))


def best_of(times: int, work: Callable[[], Any]) -> float:
    """Seconds of CPU of the fastest run: a busy machine changes it little."""
    best = float("inf")
    for _ in range(times):
        gc.collect()
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return best


def row(what: str, ours: float, reference: float, against: str) -> list[Cell]:
    return [what, ours * 1000, reference * 1000, ours / reference, against]


def told(result: Compared) -> str:
    return ", ".join(f"{tally.count} {key.kind} at {key.path}" for key, tally in result.findings) or "nothing"


def identical() -> list[list[Cell]]:
    rows = records(4200)
    old = json.dumps(rows).encode()
    spaced = json.dumps(rows, separators=(",", ":")).encode()
    what = f"two equal bodies of {len(old) / 1e6:.2f} MB"
    reference = best_of(5, lambda: json.loads(old) == json.loads(spaced))
    rules = ["$[*].patient.age", "..etag"]
    timed = {
        "the same bytes": best_of(5, lambda: compared(old, bytes(bytearray(old)))),
        "another spelling": best_of(5, lambda: compared(old, spaced)),
        "another spelling, two ignore rules": best_of(5, lambda: compared(old, spaced, ignore=rules)),
    }
    return [row(f"{what}: {how}", took, reference, "json.loads and ==") for how, took in timed.items()]


def inserted() -> list[list[Cell]]:
    rows = records(2000)
    changed = [{**rows[0], "id": -1, "uid": "x"}, *rows]
    old, new = json.dumps(rows).encode(), json.dumps(changed).encode()
    assert told(compared(old, new)) == "1 added at $[]"
    deep = best_of(1, lambda: DeepDiff(rows, changed))
    return [
        row("2,000 records, one inserted at the front: from bytes", best_of(3, lambda: compared(old, new)), deep, DEEP),
        row("the same, parsed", best_of(3, lambda: walked(rows, changed)), deep, DEEP),
    ]


def shuffled() -> list[list[Cell]]:
    rows = records(500)
    changed = [{**one, "score": -1.0} if one["id"] % 10 == 0 else one for one in rows]
    random.Random(7).shuffle(changed)  # noqa: S311 - the same shuffle each time
    old, new = json.dumps(rows).encode(), json.dumps(changed).encode()
    assert told(compared(old, new, unordered=["$"])) == "50 value at $[].score"
    ours = best_of(3, lambda: compared(old, new, unordered=["$"]))
    deep = best_of(1, lambda: DeepDiff(rows, changed, ignore_order=True, report_repetition=True))
    parsed = best_of(3, lambda: walked(rows, changed, unordered=["$"]))
    what = "500 records, shuffled, a tenth changed"
    return [row(f"{what}: from bytes", ours, deep, DEEP), row("the same, parsed", parsed, deep, DEEP)]


def memory() -> list[Cell]:
    rows = records(20_000)
    changed = [{**one, "score": -1.0} for one in rows]
    old, new = json.dumps(rows).encode(), json.dumps(changed).encode()
    tracemalloc.start()
    parsed = json.loads(old), json.loads(new)
    reference = tracemalloc.get_traced_memory()[0]
    del parsed
    tracemalloc.reset_peak()
    base = tracemalloc.get_traced_memory()[0]
    result = compared(old, new)
    peak = tracemalloc.get_traced_memory()[1] - base
    tracemalloc.stop()
    assert told(result) == "20000 value at $[].score"
    return ["20,000 records, all different", peak / 1e6, reference / 1e6, peak / reference]


async def small() -> list[Cell]:
    body = json.dumps(records(3)).encode()
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    servers = [await asyncio.start_server(serve, "127.0.0.1", 0) for _ in range(2)]
    urls = [f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}" for server in servers]
    sides = [Side(n, u, dict, Limits(connections=8)) for n, u in zip(("old", "new"), urls, strict=True)]
    requests = [ComparedRequest.model_validate(f"GET /studies/{n}") for n in range(SMALL_REQUESTS)]
    start = time.process_time()
    report = await Comparison(sides[0], sides[1], concurrency=8).run(requests)
    ours = time.process_time() - start
    assert report.compared == SMALL_REQUESTS
    start = time.process_time()
    await bare_loop(sides, requests)
    reference = time.process_time() - start
    for server in servers:
        server.close()
    return row(f"{SMALL_REQUESTS:,} small requests, servers included", ours, reference, "the same client, bare")


async def bare_loop(sides: list[Side], requests: list[ComparedRequest]) -> None:
    """Both sides fetched with the same client, and nothing done with what they say."""
    todo = iter(requests)
    async with sides[0].open() as old, sides[1].open() as new:

        async def work() -> None:
            for request in todo:
                for asker in (old, new):
                    response = await asker.client.get(asker.side.url + request.path)
                    assert response.status_code == 200

        await asyncio.gather(*(work() for _ in range(8)))


def measure() -> Report:
    say("equal bodies, and small ones")
    rows = [*identical(), asyncio.run(small())]
    say("bodies that differ, and deepdiff on them")
    rows += [*inserted(), *shuffled()]
    times = Table("CPU time", ["compared", "cutover, ms", "reference, ms", "ratio", "the reference"], rows)
    peak = Table("Memory at its peak", ["compared", "cutover, MB", "the parsed bodies, MB", "ratio"], [memory()])
    return Report([times, peak])


if __name__ == "__main__":
    main(__file__, __doc__, measure)
