"""k6 makes the load instead: a worker process that hands its order to a k6 program, and counts what that tells.

It talks as ``worker`` does. Script and order go to k6's standard input, so that no credential stands in a command line
or in a file. k6 ends with this process, and this process with its standard input.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections import deque
from contextlib import suppress
from dataclasses import replace
from functools import partial
from time import perf_counter

import psutil

from cutover.load.k6terms import script, tally_of
from cutover.load.order import ImpossibleError, Order
from cutover.load.tally import Tally
from cutover.load.worker import say

ARGUMENTS = ("run", "--quiet", "--no-color", "--no-usage-report", "--log-format=json", "--address=", "-")
PROGRESS_S = 0.25
OWN_SHARE, ALL_SHARE = 0.5, 0.9
"""Where k6 takes more than the one of all processors, or everybody the other, k6 may have waited for itself."""
LINE_LIMIT_BYTES = 1024 * 1024
ERRORS_KEPT = 3
ERROR_CHARS = 300
PROXIES = frozenset({"http_proxy", "https_proxy", "no_proxy", "all_proxy"})


class Processors:
    """Of this machine, since this was made. Shares are from 0 to 1."""

    def __init__(self) -> None:
        self.count = psutil.cpu_count() or 1
        psutil.cpu_percent()

    def busy(self, seconds: float) -> float:
        """The share that the children of this process took, which have ended."""
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return (used.ru_utime + used.ru_stime) / seconds / self.count

    def limited(self, busy: float) -> bool:
        return busy > OWN_SHARE or psutil.cpu_percent() > 100 * ALL_SHARE


async def run(order: Order) -> Tally:
    """Raises ``ImpossibleError``."""
    if order.k6 is None:
        raise ValueError("the order names no k6")
    text, began, processors = script(order), perf_counter(), Processors()
    try:
        process = await asyncio.create_subprocess_exec(
            order.k6, *ARGUMENTS, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=environment(), limit=LINE_LIMIT_BYTES
        )
    except OSError as error:
        raise ImpossibleError(f"{order.k6} can't be run: {error.strerror}") from None
    loop = asyncio.get_running_loop()
    loop.add_reader(sys.stdin.fileno(), partial(end_with_input, process))
    telling = asyncio.create_task(_tell(began + order.warm_up))
    try:
        out, complaints = await _converse(process, text)
    finally:
        telling.cancel()
        loop.remove_reader(sys.stdin.fileno())
    busy = processors.busy(perf_counter() - began)
    try:
        return replace(tally_of(json.loads(out), order, limited=processors.limited(busy)), busy=busy)
    except (ValueError, KeyError):
        reason = "; ".join(complaints)[:ERROR_CHARS] or "it told nothing"
        raise ImpossibleError(f"k6 ended with status {process.returncode}: {reason}") from None


def environment() -> dict[str, str]:
    """That of this process, without what makes k6 do something else than it is told, as a proxy or other options."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith("K6_") and name.lower() not in PROXIES
    }
    # HTTP/1.1, as everybody's requests of cutover are.
    return {**kept, "GODEBUG": "http2client=0"}


async def _converse(process: Process, text: str) -> tuple[bytes, list[str]]:
    """What it printed, and its last mistakes."""
    if process.stdin is None or process.stdout is None or process.stderr is None:
        raise RuntimeError("k6 is talked to through pipes")
    errors = asyncio.create_task(_errors(process.stderr))
    with suppress(ConnectionError):
        process.stdin.write(text.encode())
        await process.stdin.drain()
    process.stdin.close()
    out = await process.stdout.read()
    await process.wait()
    return out, await errors


async def _errors(stream: asyncio.StreamReader) -> list[str]:
    """The last messages of mistakes; every failed request is a warning, and counted already."""
    last: deque[str] = deque(maxlen=ERRORS_KEPT)
    async for line in stream:
        if b'"level":"error"' in line:
            last.append(json.loads(line)["msg"])
        elif not line.startswith(b"{"):
            last.append(line.decode(errors="replace").strip())
    return list(last)


async def _tell(start: float) -> None:
    while True:
        await asyncio.sleep(PROGRESS_S)
        say({"progress": {"seconds": max(0.0, perf_counter() - start)}})


def end_with_input(process: Process) -> None:
    """Nobody reads any more: whoever gave the order is gone."""
    if not os.read(sys.stdin.fileno(), 1):
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
        os._exit(1)


async def work(order: Order) -> None:
    try:
        tally = await run(order)
    except ImpossibleError as error:
        say({"impossible": str(error)})
    else:
        say({"tally": tally.to_json()})


def main() -> None:
    asyncio.run(work(Order.from_json(json.loads(sys.stdin.readline()))))


if __name__ == "__main__":
    main()
