"""``cutover preflight``."""

from __future__ import annotations

from cutover.cli.options import Cli, common


@common
def command(cli: Cli) -> None:
    """Run the phase preflight: is everything ready?"""
    from cutover.engine import commands  # noqa: PLC0415 - start-up time

    cli.work(commands.phase(cli.options(), "preflight"))
