"""The demo as people see it: backends, a proxy, live traffic, a real run, and an account of it at the end."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cutover.demo.backends import Backends, free_port, require_demo
from cutover.demo.faults import Fault, known_fault
from cutover.demo.plan import plan_text
from cutover.demo.traffic import DEFAULT_CLIENTS, Segment, Traffic
from cutover.engine import commands
from cutover.engine import events as e
from cutover.engine.managed import ready
from cutover.engine.managed import stop as stop_proxy
from cutover.engine.opening import Options
from cutover.engine.phases import FULL_WEIGHT
from cutover.engine.session import InterruptedRunError
from cutover.engine.state import RunState
from cutover.errors import EXIT_FAILED, EXIT_OK, CutoverError
from cutover.journal.base import Recorded

if TYPE_CHECKING:
    from cutover.cli.options import Cli


# Requests that show what clients see once it is all over.
AFTERWARDS = 300


class Watcher:
    """A sink that marks the traffic at each weight and remembers what failed where.

    ``took`` has each mark, with the seconds that the change to its weight took.
    """

    def __init__(self) -> None:
        self.traffic: Traffic | None = None
        self.took: dict[str, float] = {}
        self.weight = 0
        self.failure = self.failed_in = ""
        self.failed_at = 0
        self.rolled_back_s: float | None = None
        self.on_lost: Callable[[], None] = self.close
        self.folder_of: Callable[[str], Path] | None = None

    def handle(self, recorded: Recorded, event: e.Event, state: RunState) -> None:  # noqa: ARG002 - a sink's signature
        if isinstance(event, e.ShiftVerified):
            # The test is part of what preparing takes.
            took = sum(seconds for stage, seconds in event.timings.items() if stage != "test")
            self._mark(f"{event.weight} %" + (", for good" if event.from_weight == event.weight else ""), took)
            self.weight = event.weight
        elif isinstance(event, e.StepFailed):
            self.failure, self.failed_in, self.failed_at = event.summary, event.phase, state.weight
        elif isinstance(event, e.RolledBack):
            self.rolled_back_s = event.seconds
            self._mark("0 %, rolled back", event.seconds)

    def close(self) -> None:
        """A list needs no closing."""

    def _mark(self, name: str, took: float) -> None:
        self.took[name] = took
        if self.traffic is not None:
            self.traffic.mark(name)


async def run(cli: Cli, *, fault: str | None, docker: bool) -> int:
    """The exit code: 0 when the run did what was to be shown, with not one failed request where nothing was broken."""
    require_demo()
    broken = known_fault(fault) if fault else None
    folder = Path(tempfile.mkdtemp(prefix="cutover-demo-"))
    watcher = Watcher()
    cli.say(_opening(broken, docker=docker))
    async with Backends(folder, fault=fault) as backends, _proxy(docker=docker) as (port, container):
        options = _options(cli, folder, backends, port, container, watcher)
        cli.say(f"old (FastAPI) at {backends.old.url}, new (Django) at {backends.new.url}, nginx at port {port}")
        async with _serving(options, docker=docker):
            async with Traffic(f"http://127.0.0.1:{port}") as traffic:
                watcher.traffic = traffic
                traffic.mark("0 %")
                error = await _journey(options)
                await traffic.until(traffic.total.requests + AFTERWARDS)
            cli.close()
    if error is not None and broken is None:
        raise error
    cli.say(_account(traffic, watcher))
    right = _judged(cli, traffic, watcher, broken)
    cli.say(f"\nplan, journal, rendered configurations, check results and logs: {folder}")
    return EXIT_OK if right else EXIT_FAILED


async def _journey(options: Options) -> CutoverError | None:
    try:
        await commands.run(options, only=None, first=None, last=None)
    except InterruptedRunError:
        raise
    except CutoverError as error:
        return error
    return None


def _options(cli: Cli, folder: Path, backends: Backends, port: int, container: str | None, watcher: Watcher) -> Options:
    plan_file = folder / "cutover.yml"
    plan_file.write_text(plan_text(old=backends.old.url, new=backends.new.url, proxy_port=port, container=container))
    return Options(
        plan_file=plan_file,
        store=str(folder / "state"),
        environ={**os.environ, **backends.environment},
        sinks=[cli.sink(), watcher],
    )


@asynccontextmanager
async def _proxy(*, docker: bool) -> AsyncIterator[tuple[int, str | None]]:
    port = free_port()
    if not docker:
        yield port, None
        return
    from cutover.demo.container import container  # noqa: PLC0415 - an engine is needed only here

    async with container() as name:
        yield port, name


@asynccontextmanager
async def _serving(options: Options, *, docker: bool) -> AsyncIterator[None]:
    """The proxy at weight 0 before the first client, and gone after the last."""
    quiet = Options(plan_file=options.plan_file, store=options.store, environ=options.environ)
    await ready(quiet)
    try:
        yield
    finally:
        if not docker:
            await stop_proxy(quiet, lambda: True)


def _opening(fault: Fault | None, *, docker: bool) -> str:
    where = "nginx in a container" if docker else "nginx"
    told = f"a FastAPI backend, its Django successor, {where}, {DEFAULT_CLIENTS} keep-alive clients"
    return f"{told}\nthe new backend is broken: {fault.title}" if fault else told


def _account(traffic: Traffic, watcher: Watcher) -> str:
    """The table: what clients saw at each weight, and how long each shift took."""
    rows = [("weight", "requests", "failed", "share of new", "shift took")]
    rows += [_row(segment, watcher.took.get(segment.mark)) for segment in traffic.table()]
    total = traffic.total
    rows.append(("all", f"{total.requests:,}", str(total.failed), "", ""))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(cell.ljust(width) if column == 0 else cell.rjust(width) for column, (cell, width) in enumerate(cells))
        for cells in (list(zip(row, widths, strict=True)) for row in rows)
    ]
    return "\n" + "\n".join(lines)


def _row(segment: Segment, took: float | None) -> tuple[str, str, str, str, str]:
    share = "" if segment.share is None else f"{segment.share:.1f} %"
    shift = "" if took is None else f"{took * 1000:.0f} ms"
    return segment.mark, f"{segment.requests:,}", str(segment.failed), share, shift


def _judged(cli: Cli, traffic: Traffic, watcher: Watcher, fault: Fault | None) -> bool:
    """Say how it ended; whether that was what was to be shown."""
    if fault is None:
        cli.say(f"\n{traffic.total.requests:,} requests, {traffic.total.failed} failed")
        return traffic.total.failed == 0 and watcher.weight == FULL_WEIGHT
    if not watcher.failure:
        cli.say(f"\nnothing caught {fault.name}: that is a defect of this demo")
        return False
    back = (
        f"traffic went back to old in {watcher.rolled_back_s * 1000:.0f} ms"
        if watcher.rolled_back_s is not None
        else "traffic never left old"
    )
    cli.say(f"\ncaught in {watcher.failed_in} at weight {watcher.failed_at} %: {watcher.failure}\n{back}")
    if (watcher.failed_in, watcher.failed_at) != (fault.phase, fault.weight):
        cli.say(f"{fault.name} is caught in {fault.phase} at weight {fault.weight} %: this was something else")
        return False
    return True
