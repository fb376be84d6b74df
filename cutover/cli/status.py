"""``cutover status``."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cutover.cli.handler import SIGNAL_BASE
from cutover.cli.options import Cli, common
from cutover.redact import redact, redact_data

if TYPE_CHECKING:
    from cutover.engine.opening import Options
    from cutover.report.outlet import Outlet

WATCH_EVERY_S = 1.0
GOES_BY = {"left_s"}
"""What changes while nothing happens."""

WatchOption = Annotated[bool, typer.Option("--watch", help="Show it again every second until interrupted.")]


@common
def command(cli: Cli, watch: WatchOption = False) -> None:  # noqa: FBT002 - typer's form
    """Show the run, its phase, and the weight intended and live."""
    from cutover.engine.overview import status  # noqa: PLC0415 - start-up time

    options = cli.options()
    if watch:
        _watch(cli, options)
    else:
        _print(cli, asyncio.run(status(options)), indent=2)


def _watch(cli: Cli, options: Options) -> None:
    from cutover.report.outlet import Outlet  # noqa: PLC0415 - start-up time
    from cutover.report.screen import Screen  # noqa: PLC0415 - start-up time

    outlet = Outlet(sys.stdout)
    if cli.json or not outlet.isatty() or os.environ.get("TERM", "dumb") == "dumb":
        sys.exit(asyncio.run(_until_signalled(_follow(options, outlet, _Changes(cli).show))))
    with Screen(outlet, color=cli.color) as screen:
        following = _follow(options, outlet, lambda data: screen.show(redact_data(data)), screen.tick)
        sys.exit(asyncio.run(_until_signalled(following)))


async def _until_signalled(following: Coroutine[Any, Any, None]) -> int:
    """The exit code. As asyncio does it for Ctrl-C: the first signal lets what stands be left in order, such as the
    terminal; a further one breaks into that, for a terminal that is stopped (Ctrl-S) holds up whoever writes to it.
    """
    loop, task, heard = asyncio.get_running_loop(), asyncio.current_task(), list[int]()
    assert task is not None  # noqa: S101 - we are in a coroutine

    def hear(signum: int, _: FrameType | None) -> None:
        if signum == signal.SIGHUP:
            # Of one terminal that is lost, a shell may tell, and the kernel after it.
            signal.signal(signum, signal.SIG_IGN)
        if heard or loop.is_closed():
            sys.exit(SIGNAL_BASE + signum)
        heard.append(signum)
        loop.call_soon_threadsafe(task.cancel)

    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, hear)
    try:
        await following
    except asyncio.CancelledError:
        if not heard:
            raise
    return SIGNAL_BASE + heard[0]


async def _follow(
    options: Options, outlet: Outlet, show: Callable[[dict[str, Any]], None], tick: Callable[[], None] | None = None
) -> None:
    """``tick`` goes on while an answer takes its time. Raises ``BrokenPipeError`` when nobody can see it any more."""
    from cutover.engine.overview import status  # noqa: PLC0415 - start-up time
    from cutover.report.outlet import LOST  # noqa: PLC0415 - start-up time

    while True:
        asking = asyncio.create_task(status(options))
        while not (await asyncio.wait({asking}, timeout=WATCH_EVERY_S))[0]:
            if tick is not None:
                tick()
        found = asking.result()
        if outlet.is_lost():
            # There may be nothing to write for a long time.
            raise BrokenPipeError
        try:
            show(found)
        except OSError as error:
            raise BrokenPipeError if error.errno in LOST else error from error
        await asyncio.sleep(WATCH_EVERY_S)


class _Changes:
    """Tells a status only when it is another one."""

    def __init__(self, cli: Cli) -> None:
        self._cli = cli
        self._last: object = None

    def show(self, data: dict[str, Any]) -> None:
        stands = _without(data, GOES_BY)
        if stands == self._last:
            return
        if self._last is not None and not self._cli.json:
            print(flush=True)  # noqa: T201 - between two of them
        self._last = stands
        _print(self._cli, data, indent=None)


def _without(data: Any, names: set[str]) -> Any:
    if not isinstance(data, dict):
        return data
    return {key: _without(value, names) for key, value in data.items() if key not in names}


def _print(cli: Cli, data: dict[str, Any], *, indent: int | None) -> None:
    from cutover.report.figures import ramp  # noqa: PLC0415 - start-up time
    from cutover.report.status import told  # noqa: PLC0415 - start-up time

    if cli.json:
        print(json.dumps(redact_data(data), indent=indent), flush=True)  # noqa: T201
    else:
        levels = ramp(sys.stdout.encoding or "utf-8")
        print(redact(told(redact_data(data), now=time.time(), levels=levels)), flush=True)  # noqa: T201
