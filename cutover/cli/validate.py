"""``cutover validate``."""

from __future__ import annotations

from cutover.cli.options import Cli, common


@common
def command(cli: Cli) -> None:
    """Run the phase validate: old against new, load, data."""
    from cutover.engine import commands  # noqa: PLC0415 - start-up time

    cli.work(commands.phase(cli.options(), "validate"))
