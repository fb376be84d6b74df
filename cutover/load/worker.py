"""A worker process: reads an order from standard input, keeps its clients busy, and prints what they saw.

Standard output holds JSON lines: ``{"progress": ...}`` a few times a second, and ``{"tally": ...}`` at the end, or
``{"impossible": reason}``. It ends at once when its standard input does.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
from typing import Any

from cutover.load.clock import Clock
from cutover.load.closed import ClosedLoop
from cutover.load.open import OpenLoop
from cutover.load.order import ImpossibleError, Order

SPARE_DESCRIPTORS = 32


def say(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message, separators=(",", ":")) + "\n")
    sys.stdout.flush()


def allow_descriptors(needed: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed += SPARE_DESCRIPTORS
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if resource.RLIM_INFINITY != hard < needed:
        raise ImpossibleError(f"{needed} descriptors are needed, {hard} are allowed (ulimit -Hn)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def end_with_input() -> None:
    """Nobody reads any more: whoever gave the order is gone."""
    if not os.read(sys.stdin.fileno(), 1):
        os._exit(1)


async def work(order: Order, clock: Clock) -> None:
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), end_with_input)
    try:
        allow_descriptors(order.concurrency)
        crowd = ClosedLoop if order.rate is None else OpenLoop
        tally = await crowd(order, clock, lambda seen: say({"progress": seen})).run()
    except ImpossibleError as error:
        say({"impossible": str(error)})
    else:
        say({"tally": tally.to_json()})


def main() -> None:
    order = Order.from_json(json.loads(sys.stdin.readline()))
    clock = Clock()
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(clock)) as runner:
        runner.run(work(order, clock))


if __name__ == "__main__":
    main()
