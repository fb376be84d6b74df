"""How fast old is compared with new, beside the references of each figure, in one run.

``python benchmarks/bench_parity.py [--quick]``: with ``--quick`` deepdiff is not asked what takes it minutes.
"""

from __future__ import annotations

import asyncio
import gc
import json
import random
import sys
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

from deepdiff import DeepDiff

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
SMALL_REQUESTS = 3000


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


def row(what: str, ours: float, reference: float, against: str) -> None:
    print(f"{what:52} {ours * 1000:9.1f} ms  {against} {reference * 1000:9.1f} ms  ratio {ours / reference:8.4f}")


def told(result: Compared) -> str:
    return ", ".join(f"{tally.count} {key.kind} at {key.path}" for key, tally in result.findings) or "nothing"


def bench_identical() -> None:
    rows = records(4200)
    old = json.dumps(rows).encode()
    spaced = json.dumps(rows, separators=(",", ":")).encode()
    reference = best_of(5, lambda: json.loads(old) == json.loads(spaced))
    print(f"two bodies of {len(old) / 1e6:.2f} MB, equal")
    row("  the same bytes", best_of(5, lambda: compared(old, bytes(bytearray(old)))), reference, "loads and ==")
    row("  another spelling", best_of(5, lambda: compared(old, spaced)), reference, "loads and ==")
    ignoring = best_of(5, lambda: compared(old, spaced, ignore=["$[*].patient.age", "..etag"]))
    row("  another spelling, two ignore rules", ignoring, reference, "loads and ==")


def bench_inserted(*, quick: bool) -> None:
    rows = records(4000)
    changed = [{**rows[0], "id": -1, "uid": "x"}, *rows]
    old, new = json.dumps(rows).encode(), json.dumps(changed).encode()
    ours = best_of(3, lambda: compared(old, new))
    print(f"4,000 records, one inserted at the front: {told(compared(old, new))}")
    if not quick:
        deep = best_of(1, lambda: DeepDiff(rows, changed))
        row("  from bytes", ours, deep, "deepdiff, parsed")
        row("  parsed", best_of(3, lambda: walked(rows, changed)), deep, "deepdiff, parsed")
    else:
        print(f"  {ours * 1000:.1f} ms")


def bench_shuffled(*, quick: bool) -> None:
    for count in (1000, 4000):
        rows = records(count)
        changed = [{**r, "score": -1.0} if r["id"] % 10 == 0 else r for r in rows]
        random.Random(7).shuffle(changed)  # noqa: S311 - the same shuffle each time
        old, new = json.dumps(rows).encode(), json.dumps(changed).encode()
        ours = best_of(3, lambda o=old, n=new: compared(o, n, unordered=["$"]))  # type: ignore[misc]
        print(f"{count} records, shuffled, a tenth changed: {told(compared(old, new, unordered=['$']))}")
        if count == 1000 and not quick:
            deep = best_of(1, lambda r=rows, c=changed: DeepDiff(r, c, ignore_order=True, report_repetition=True))  # type: ignore[misc]
            row("  from bytes", ours, deep, "deepdiff, parsed")
            parsed = best_of(3, lambda r=rows, c=changed: walked(r, c, unordered=["$"]))  # type: ignore[misc]
            row("  parsed", parsed, deep, "deepdiff, parsed")
        else:
            print(f"  {ours * 1000:.1f} ms")


def bench_memory() -> None:
    rows = records(20_000)
    changed = [{**r, "score": -1.0} for r in rows]
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
    print(f"memory at 20,000 records, all different ({told(result)}): peak {peak / reference:.2f}x the parsed bodies")


async def bench_small() -> None:
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
    start = time.process_time()
    await bare_loop(sides, requests)
    reference = time.process_time() - start
    print(f"{report.compared} small requests: {report.compared / ours:.0f} per second of CPU, servers included")
    print(f"  a bare loop {SMALL_REQUESTS / reference:.0f}  ratio {reference / ours:.2f}")
    for server in servers:
        server.close()


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


def main() -> None:
    quick = "--quick" in sys.argv
    bench_identical()
    bench_inserted(quick=quick)
    bench_shuffled(quick=quick)
    bench_memory()
    asyncio.run(bench_small())


if __name__ == "__main__":
    main()
