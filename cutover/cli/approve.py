"""``cutover approve``."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

from cutover.cli.options import Cli, common

ReasonOption = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it is journalled.")]


@common
def command(cli: Cli, reason: ReasonOption = "") -> None:
    """Approve what the run waits for; `cutover resume` then goes on."""
    from cutover.engine import commands  # noqa: PLC0415 - start-up time

    cli.work(commands.approve(cli.options(), by=getpass.getuser(), reason=reason))
