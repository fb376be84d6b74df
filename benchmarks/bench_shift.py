"""How long a change of weight takes: cutover beside a reload by hand, a bare rename, and HAProxy's runtime API.

    python benchmarks/bench_shift.py [--seconds 10]

By request, on one nginx and with the same files: cutover with its journal, until the change is verified; by hand
`nginx -t && nginx -s reload`, until the first answer of the new configuration. By client, and with HAProxy: until the
first answer of the other side, with all traffic going over. Reference and subject take turns, in each
case for so long by request, and a fifth of it by client.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Self

from benchmarks.clients import Clients
from benchmarks.figures import Budget, Cell, Report, Table, main, say
from benchmarks.haproxy import haproxy
from benchmarks.machine import Nginx, nginxes, program
from benchmarks.stage import LIMIT_S, Backends, backends, first_answer, free_port, scratch
from cutover.journal import open_journal
from cutover.paths import StateFolder
from cutover.proxy import NginxProxy, ProxySpec, open_proxy
from cutover.proxy.base import Intent

# nginx's master does nothing for 100 ms after it has started the workers of a reload.
REST_S = 0.25
CLIENTS = 10
PAUSE_S = 0.02
LEAST_ROUNDS = 3
RELOAD_BUDGET = 1.5
RENAME_BUDGET_MS = 5.0
LOADS = (0, CLIENTS)
RELOADS = ["by request", "rounds", "cutover, ms", "by hand, ms", "ratio", "then draining, ms"]
RENAMES = ["without a reload", "changes", "median, ms", "p95, ms", "slowest, ms", "command done, median, ms"]
NOTE = (
    "Ratios are medians of the rounds' ratios. By hand ends at the first answer of the new configuration, while others "
    "still come from the old one; cutover ends when no worker of the old one accepts any more. Toward old it then "
    "waits until they have answered their last kept connection: draining. Without a reload, somebody asks all the time "
    "on fresh connections; cutover writes its intent ahead, which is an fsync."
)
Switch = Callable[[bool], Awaitable[None]]
Series = dict[str, list[tuple[float, float]]]


def measure(seconds: float) -> Report:
    reloads: list[list[Cell]] = []
    renames: list[list[Cell]] = []
    budgets = []
    for nginx in nginxes():
        for clients in LOADS:
            case = f"{nginx}, {f'{clients} clients' if clients else 'no load'}"
            say(case)
            for toward, rounds in asyncio.run(reload_series(nginx, clients, seconds)).items():
                ratio = median(ours / theirs for ours, theirs, _ in rounds)
                ours, theirs, drained = (median(one) * 1000 for one in zip(*rounds, strict=True))
                drain = drained if toward == "old" else None
                reloads.append([f"{case}, toward {toward}", len(rounds), ours, theirs, ratio, drain])
                budgets.append(Budget(f"by request, {case}, toward {toward}, against by hand", RELOAD_BUDGET, ratio))
            series = asyncio.run(rename_series(nginx, clients, seconds))
            renames += [rename_row(f"{way}, {case}", times) for way, times in series.items()]
            ours_ms = median(seen for seen, _ in series["cutover by client"]) * 1000
            budgets.append(Budget(f"by client, {case}, until the first new answer", RENAME_BUDGET_MS, ours_ms, " ms"))
    missing = [] if program("haproxy") else ["HAProxy is not installed: nothing to compare with."]
    tables = [Table("Until a change is in force, medians", RELOADS, reloads),
              Table("Until the first answer of the other side", RENAMES, renames)]  # fmt: skip
    return Report(tables, budgets, [NOTE, *missing])


async def reload_series(nginx: Nginx, clients: int, seconds: float) -> dict[str, list[tuple[float, float, float]]]:
    """By direction, for each round: seconds by cutover, by hand, and of draining after cutover's."""
    rounds: dict[str, list[tuple[float, float, float]]] = {"new": [], "old": []}
    with scratch() as folder, backends(nginx, folder) as pair:
        async with Bench.opened(nginx, folder, pair, "request") as bench:
            texts = {weight: (await bench.proxy.render(weight)) for weight in (10, 50)}
            await bench.change(10)
            with load(bench.port, clients):
                end = time.monotonic() + seconds
                while len(rounds["old"]) < LEAST_ROUNDS or time.monotonic() < end:
                    ours_new, _ = await bench.change(50)
                    theirs_old = await bench.by_hand(texts[10].text, texts[10].revision)
                    theirs_new = await bench.by_hand(texts[50].text, texts[50].revision)
                    ours_old, drained = await bench.change(10)
                    rounds["new"].append((ours_new, theirs_new, 0.0))
                    rounds["old"].append((ours_old, theirs_old, drained))
    return rounds


async def rename_series(nginx: Nginx, clients: int, seconds: float) -> Series:
    """What ``timed_switch`` says, by way. nginx and HAProxy have each a load of their own."""
    series: Series = defaultdict(list)
    with scratch() as folder, backends(nginx, folder) as pair:
        async with Bench.opened(nginx, folder, pair, "client") as bench:
            await bench.change(100)
            await bench.change(0)
            ways: dict[str, tuple[int, Switch]] = {
                "bare rename": (bench.port, bench.rename),
                "cutover by client": (bench.port, bench.flip),
            }
            with (
                haproxy(folder, pair) as runtime,
                load(bench.port, clients),
                load(runtime.port if runtime else None, clients),
            ):
                if runtime is not None:
                    ways["HAProxy, set server weight"] = (runtime.port, runtime.flip)
                end = time.monotonic() + seconds / 5
                while not series or time.monotonic() < end:
                    series["reference: an fsync"] += [(took := timed_fsync(folder / "synced"), took)]
                    for way, (port, switch) in ways.items():
                        series[way] += [await timed_switch(port, switch, to_new=to_new) for to_new in (True, False)]
    return series


async def timed_switch(port: int, switch: Switch, *, to_new: bool) -> tuple[float, float]:
    """Seconds until somebody who asks all the time got the first answer of the other side, and until it was done."""
    asking = threading.Event()
    watching = asyncio.create_task(asyncio.to_thread(first_answer, port, "/", "new\n" if to_new else "old\n", asking))
    await asyncio.to_thread(asking.wait, LIMIT_S)
    began = time.perf_counter()
    await switch(to_new)
    done = time.perf_counter()
    return await watching - began, done - began


def timed_fsync(file: Path) -> float:
    """Seconds for a line that is on the disk: a change writes its intent ahead."""
    with file.open("ab", buffering=0) as log:
        began = time.perf_counter()
        log.write(b"intent\n")
        os.fsync(log.fileno())
        return time.perf_counter() - began


def rename_row(what: str, times: list[tuple[float, float]]) -> list[Cell]:
    ordered = sorted(seen * 1000 for seen, _ in times)
    done = median(done * 1000 for _, done in times)
    return [what, len(ordered), median(ordered), ordered[int(len(ordered) * 0.95)], ordered[-1], done]


class Bench:
    """A managed nginx with cutover's configuration, and both ways to change it."""

    def __init__(self, nginx: Nginx, folder: Path, pair: Backends, by: str) -> None:
        self.port = free_port()
        self.nginx = nginx
        split = {"by": "client", "dir": str(folder / "switch")} if by == "client" else {"by": by}
        listen = f"127.0.0.1:{self.port}"
        proxy = {"url": f"http://{listen}", "server": {"listen": listen}, "split": split}
        proxy["control"] = {"managed": {"binary": nginx.binary}}
        self.spec = ProxySpec.model_validate({
            "name": "bench", "proxy": proxy, "old": [f"127.0.0.1:{pair.old}"], "new": [f"127.0.0.1:{pair.new}"],
        })  # fmt: skip
        self.journal = open_journal(str(folder / "state"), "bench")
        self.verified_at = 0.0
        self.proxy: NginxProxy = open_proxy(self.spec, StateFolder(folder / "state"))

    @classmethod
    @asynccontextmanager
    async def opened(cls, nginx: Nginx, folder: Path, pair: Backends, by: str) -> AsyncIterator[Self]:
        made = cls(nginx, folder, pair, by)
        try:
            await made.proxy.ensure(made.guard)
            yield made
        finally:
            await made.proxy.host.stop()

    @asynccontextmanager
    async def guard(self, intent: Intent) -> AsyncIterator[None]:
        """The intent durable before, the outcome after, as a run has it."""
        self.journal.append("bench", "run", "ShiftIntended", asdict(intent))
        yield
        self.verified_at = time.perf_counter()
        self.journal.append("bench", "run", "ShiftVerified", {"weight": intent.weight})

    async def change(self, weight: int) -> tuple[float, float]:
        """Seconds until verified, and of the draining after that."""
        began = time.perf_counter()
        changed = await self.proxy.change(weight, self.guard)
        took, drained = self.verified_at - began, changed.timings.get("drain", 0.0)
        await self.settled()
        return took - drained, drained

    async def by_hand(self, text: str, revision: str) -> float:
        """Seconds until the first answer of the new configuration."""
        took = self._reload_by_hand(text, revision)
        await self.settled()
        return took

    def _reload_by_hand(self, text: str, revision: str) -> float:
        conf = self.proxy.state.nginx / "nginx.conf"
        nginx = f"{self.nginx.binary} -p {conf.parent} -c {conf}"
        command = ["sh", "-c", f"{nginx} -t && {nginx} -s reload"]
        began = time.perf_counter()
        Path(self.proxy.config).write_text(text)
        subprocess.run(command, timeout=LIMIT_S, check=True, capture_output=True)
        return first_answer(self.port, self.spec.status_path, revision) - began

    async def settled(self) -> None:
        """The reload before is over and its workers are gone: the next one meets what this one met."""
        async with asyncio.timeout(LIMIT_S):
            while not await self._is_alone():  # noqa: ASYNC110 - processes send no events
                await asyncio.sleep(0.01)
        await asyncio.sleep(REST_S)

    async def _is_alone(self) -> bool:
        known = await self.proxy.host.workers()
        return not known.draining and len(known.active) == os.cpu_count()

    async def flip(self, to_new: bool) -> None:  # noqa: FBT001 - a Switch
        await self.proxy.change(100 if to_new else 0, self.guard)

    async def rename(self, to_new: bool) -> None:  # noqa: FBT001 - a Switch
        link = Path(self.spec.link)
        spare = link.with_name("spare")
        spare.symlink_to("w100" if to_new else "w0")
        spare.replace(link)


def load(port: int | None, clients: int) -> AbstractContextManager[object]:
    return Clients(port, clients, PAUSE_S) if port and clients else nullcontext()


if __name__ == "__main__":
    main(__file__, __doc__, measure, seconds=10.0)
