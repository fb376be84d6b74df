"""``cutover resume``."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

from cutover.cli.options import Cli, common

SkipOption = Annotated[bool, typer.Option("--skip", help="Take the action whose end was never seen as done.")]


@common
def command(cli: Cli, skip: SkipOption = False) -> None:  # noqa: FBT002 - typer's form
    """Go on after a pause or an approval."""
    from cutover.engine import commands  # noqa: PLC0415 - start-up time

    cli.work(commands.resume(cli.options(), by=getpass.getuser(), skip=skip))
