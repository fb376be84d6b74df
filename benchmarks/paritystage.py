"""What comparing is measured with: documents, servers, a bare client, deepdiff on a leash, and a clock in the loop."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Self

import psutil

from benchmarks.machine import nginxes
from benchmarks.stage import free_port, scratch, serving, write_conf
from cutover.parity.fetch import Limits, Side
from cutover.parity.options import ComparedRequest

LATE_BUDGET_MS = 50.0
# Long enough to show that something else is a hundred times faster.
DEEP_LIMIT_S = 20.0
TICK_S = 0.005
SAMPLE_S = 0.01
OK = 200


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


def deep_seconds(old: Any, new: Any, **options: Any) -> tuple[float, bool]:
    """CPU time of deepdiff, in a process that is stopped after a while; and whether it came to its end."""
    ours, theirs = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.Process(target=_deep, args=(theirs, old, new, options))
    process.start()
    theirs.close()
    try:
        if ours.poll(DEEP_LIMIT_S):
            took: float = ours.recv()
            return took, True
        spent = psutil.Process(process.pid).cpu_times()
        return spent.user + spent.system, False
    finally:
        process.kill()
        process.join()


def _deep(answer: Any, old: Any, new: Any, options: dict[str, Any]) -> None:
    from deepdiff import DeepDiff  # noqa: PLC0415 - in this process alone

    start = time.process_time()
    DeepDiff(old, new, **options)
    answer.send(time.process_time() - start)


class Ticks:
    """How late the event loop has been at worst, in ``late_ms``, for a task that wants its turn all the time.

    No later than this process worked meanwhile, in whichever thread: that others had the core is not its doing.
    """

    late_ms = 0.0

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._tick())
        await asyncio.sleep(TICK_S)
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.sleep(TICK_S)
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def _tick(self) -> None:
        while True:
            began, worked = time.perf_counter(), time.process_time()
            await asyncio.sleep(TICK_S)
            late = min(time.perf_counter() - began - TICK_S, time.process_time() - worked)
            self.late_ms = max(self.late_ms, late * 1000)


def rss() -> int:
    """Bytes of memory that this process and those it started hold."""
    me = psutil.Process()
    total = 0
    for process in (me, *me.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            total += process.memory_info().rss
    return total


async def memory_of(work: Coroutine[Any, Any, Any]) -> int:
    """The most bytes beyond what is held now, of this process and its children."""
    before = most = rss()
    task = asyncio.ensure_future(work)
    while not task.done():
        most = max(most, rss())
        await asyncio.sleep(SAMPLE_S)
    await task
    return most - before


@contextmanager
def json_servers(old: str, new: str) -> Iterator[Sequence[str] | None]:
    """The URLs of two servers of one nginx, each with its body for whatever is asked; nothing without an nginx."""
    found = nginxes()
    if not found:
        yield None
        return
    ports = free_port(), free_port()
    servers = "".join(
        f"server {{ listen 127.0.0.1:{port}; default_type application/json;\n"
        f"location / {{ return 200 {_quoted(body)}; }} }}\n"
        for port, body in zip(ports, (old, new), strict=True)
    )
    with scratch() as folder:
        conf = write_conf(folder / "json", f"keepalive_requests 1000000000;\n{servers}", workers="1")
        with serving([found[0].binary, "-p", str(conf.parent), "-c", str(conf), "-g", "daemon off;"], ports[1]):
            yield [f"http://127.0.0.1:{port}" for port in ports]


def _quoted(body: str) -> str:
    return "'" + body.replace("\\", "\\\\").replace("'", "\\'") + "'"


def sides_of(urls: Sequence[str], connections: int) -> tuple[Side, Side]:
    old, new = (Side(n, u, dict, Limits(connections=connections)) for n, u in zip(("old", "new"), urls, strict=True))
    return old, new


def requests_for(count: int) -> Iterator[ComparedRequest]:
    return (ComparedRequest.model_validate(f"GET /studies/{number}") for number in range(count))


async def bare(old_side: Side, new_side: Side, requests: Iterator[ComparedRequest], concurrency: int) -> float:
    """Seconds to fetch all of them from both with the same client, and to do nothing with what they say."""
    async with old_side.open() as old, new_side.open() as new:

        async def work() -> None:
            for request in requests:
                for asker in (old, new):
                    response = await asker.client.get(asker.side.url + request.path)
                    assert response.status_code == OK

        began = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(concurrency)))
        return time.perf_counter() - began
