"""``cutover cleanup``."""

from __future__ import annotations

from cutover.cli.options import Cli, common


@common
def command(cli: Cli) -> None:
    """Make new permanent, run the phase cleanup, end the run."""
    from cutover.engine import commands  # noqa: PLC0415 - start-up time

    cli.work(commands.phase(cli.options(), "cleanup"))
