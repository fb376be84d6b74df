"""``cutover plan``."""

from __future__ import annotations

import asyncio
import sys

from cutover.cli.options import Cli, common


@common
def command(cli: Cli) -> None:
    """Say what a run would do: phases, steps, time, and the change to the proxy's configuration."""
    from cutover.engine.outline import outline  # noqa: PLC0415 - start-up time
    from cutover.report.outline import text  # noqa: PLC0415 - start-up time

    data = asyncio.run(outline(cli.options()))
    cli.show(data, text(data, color=cli.color and sys.stdout.isatty()))
