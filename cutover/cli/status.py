"""``cutover status``."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cutover.cli.options import Cli, common
from cutover.redact import redact, redact_data

if TYPE_CHECKING:
    from cutover.engine.opening import Options

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
        asyncio.run(_follow(options, _Changes(cli).show))
        return
    # The terminal has to be given back, whichever signal ends this.
    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, lambda number, _: sys.exit(128 + number))
    with Screen(outlet, color=cli.color) as screen:
        asyncio.run(_follow(options, lambda data: screen.show(redact_data(data)), screen.tick))


async def _follow(
    options: Options, show: Callable[[dict[str, Any]], None], tick: Callable[[], None] | None = None
) -> None:
    """``tick`` goes on while an answer takes its time."""
    from cutover.engine.overview import status  # noqa: PLC0415 - start-up time

    while True:
        asking = asyncio.create_task(status(options))
        while not (await asyncio.wait({asking}, timeout=WATCH_EVERY_S))[0]:
            if tick is not None:
                tick()
        show(asking.result())
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
