"""``cutover rollback``."""

from __future__ import annotations

from typing import Annotated

import typer

from cutover.cli.options import Cli, common

ForceOption = Annotated[bool, typer.Option("--force", help="Also when old does not answer.")]
ReasonOption = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it is journalled.")]


@common
def command(cli: Cli, force: ForceOption = False, reason: ReasonOption = "by hand") -> None:  # noqa: FBT002 - typer's form
    """Bring all traffic back to old now, verified; then run the phase rollback and end the run."""
    from cutover.engine import commands  # noqa: PLC0415 - start-up time

    cli.work(commands.rollback(cli.options(), reason=reason, force=force))
