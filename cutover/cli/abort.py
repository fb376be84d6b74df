"""``cutover abort``."""

from __future__ import annotations

from typing import Annotated

import typer

from cutover.cli.options import Cli, common

ReasonOption = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it is journalled.")]


@common
def command(cli: Cli, reason: ReasonOption = "by hand") -> None:
    """End the run and stop who works on it; traffic stays where it is."""
    from cutover.engine import commands  # noqa: PLC0415 - start-up time

    cli.work(commands.abort(cli.options(), reason=reason, ask=cli.ask))
