"""``cutover status``."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Annotated

import typer

from cutover.cli.options import Cli, common
from cutover.redact import redact, redact_data

WATCH_EVERY_S = 1.0
WatchOption = Annotated[bool, typer.Option("--watch", help="Show it again every second until interrupted.")]


@common
def command(cli: Cli, watch: WatchOption = False) -> None:  # noqa: FBT002 - typer's form
    """Show the run, its phase, and the weight intended and live."""
    from cutover.engine.overview import status  # noqa: PLC0415 - start-up time
    from cutover.report.status import told  # noqa: PLC0415 - start-up time

    options = cli.options()
    while True:
        data = asyncio.run(status(options))
        if cli.json:
            print(json.dumps(redact_data(data), indent=None if watch else 2), flush=True)  # noqa: T201
        else:
            clear = "\x1b[H\x1b[J" if watch and cli.color and sys.stdout.isatty() else ""
            print(f"{clear}{redact(told(data))}", flush=True)  # noqa: T201
        if not watch:
            return
        time.sleep(WATCH_EVERY_S)
