"""Load a backend with worker processes, and add up what they saw."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace

from cutover.load.order import ImpossibleError, Order, Prepared
from cutover.load.tally import Tally
from cutover.plan.units import format_duration
from cutover.redact import redact

CLIENTS_PER_WORKER = 50
RATE_PER_WORKER = 2000
LINE_LIMIT_BYTES = 4 * 1024 * 1024
START_TIMEOUT_S = 30.0
STDERR_TAIL = 500

Progress = Callable[[str], None]


async def run_load(order: Order, progress: Progress) -> Tally:
    """Carry out an order. Raises ``ImpossibleError``; when cancelled, no worker is left behind."""
    latest: dict[int, Mapping[str, float]] = {}

    def tell(worker: int, seen: Mapping[str, float]) -> None:
        latest[worker] = seen
        if worker == 0:
            progress(_progress_line(latest))

    tally = Tally()
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(_work(share, lambda seen, n=n: tell(n, seen)))  # type: ignore[misc]
                for n, share in enumerate(shares(order, worker_count(order)))
            ]
    except* ImpossibleError as errors:
        raise errors.exceptions[0] from None
    for task in tasks:
        tally.merge(task.result())
    return tally


def worker_count(order: Order) -> int:
    """As many as help: half of the processors are left to what is measured, or to this machine's proxy."""
    if order.k6 is not None:
        return 1
    helping = order.concurrency / CLIENTS_PER_WORKER if order.rate is None else order.rate / RATE_PER_WORKER
    return max(1, min(len(os.sched_getaffinity(0)) // 2, int(helping)))


def shares(order: Order, workers: int) -> list[Order]:
    """The order, split so that clients and requests add up to it.

    Each worker begins with another request, and of a rate each has every so manieth arrival.
    """
    concurrency = order.concurrency if order.count is None else min(order.concurrency, order.count)
    workers = min(workers, concurrency)
    return [
        replace(
            order,
            requests=rotated(order.requests, n * len(order.requests) // workers),
            concurrency=_share(concurrency, workers, n),
            count=None if order.count is None else _share(order.count, workers, n),
            rate=None if order.rate is None else order.rate / workers,
            offset=0.0 if order.rate is None else n / order.rate,
        )
        for n in range(workers)
    ]


def rotated(requests: tuple[Prepared, ...], begin: int) -> tuple[Prepared, ...]:
    """The same requests, from another one on."""
    begin %= len(requests)
    return requests[begin:] + requests[:begin]


def _share(total: int, parts: int, n: int) -> int:
    return total // parts + (n < total % parts)


async def _work(order: Order, tell: Callable[[Mapping[str, float]], None]) -> Tally:
    # The worker finds the same packages as this process, but nothing in the folder where it happens to run.
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", f"cutover.load.{'worker' if order.k6 is None else 'k6'}",
        stdin=PIPE, stdout=PIPE, stderr=PIPE, limit=LINE_LIMIT_BYTES, start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )  # fmt: skip
    longest = order.warm_up + order.seconds + 2 * order.timeout + START_TIMEOUT_S
    try:
        async with asyncio.timeout(longest):
            return await _converse(process, order, tell)
    except TimeoutError:
        raise ImpossibleError(f"a load worker did not end within {format_duration(longest)}") from None
    finally:
        if process.returncode is None:
            # Not process.kill(): it looks first, and may reap the worker before the loop's own watcher does.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        if process.stdin is not None:
            process.stdin.close()


async def _converse(process: Process, order: Order, tell: Callable[[Mapping[str, float]], None]) -> Tally:
    if process.stdin is None or process.stdout is None or process.stderr is None:
        raise RuntimeError("a worker is talked to through pipes")
    process.stdin.write(json.dumps(order.to_json()).encode() + b"\n")
    async for line in process.stdout:
        message = json.loads(line)
        if "progress" in message:
            tell(message["progress"])
        elif "impossible" in message:
            raise ImpossibleError(redact(message["impossible"]))
        else:
            return Tally.from_json(message["tally"])
    complaint = (await process.stderr.read()).decode(errors="replace").strip()[-STDERR_TAIL:]
    raise ImpossibleError(f"a load worker ended with status {await process.wait()}: {redact(complaint)}")


def _progress_line(latest: Mapping[int, Mapping[str, float]]) -> str:
    seen = list(latest.values())
    seconds = max(s["seconds"] for s in seen)
    if not seconds:
        return "warming up"
    if "requests" not in seen[0]:
        return f"k6 has been asking for {format_duration(seconds)}"
    requests, errors = (int(sum(s[name] for s in seen)) for name in ("requests", "errors"))
    p95 = format_duration(max(s["p95"] for s in seen))
    return f"{requests / seconds:,.0f} requests/s, {errors:,} errors, p95 {p95}"
