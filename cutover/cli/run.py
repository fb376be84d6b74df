"""``cutover run``."""

from __future__ import annotations

from typing import Annotated

import typer

from cutover.cli.force import ForceOption, ReasonOption, force_reason
from cutover.cli.options import Cli, common
from cutover.errors import UsageError

OnlyOption = Annotated[str | None, typer.Option("--only", metavar="PHASE", help="This phase alone.")]
FromOption = Annotated[str | None, typer.Option("--from", metavar="PHASE", help="Begin with this phase.")]
UntilOption = Annotated[str | None, typer.Option("--until", metavar="PHASE", help="End with this phase.")]


@common
def command(
    cli: Cli,
    only: OnlyOption = None,
    first: FromOption = None,
    last: UntilOption = None,
    force: ForceOption = False,  # noqa: FBT002 - typer's form
    reason: ReasonOption = None,
) -> None:
    """Run the plan's phases in order; goes on with the open run."""
    from cutover.engine import commands  # noqa: PLC0415 - start-up time

    if only is not None and (first or last):
        raise UsageError("--only stands alone, without --from and --until")
    options = cli.options(force_reason=force_reason(force=force, reason=reason))
    cli.work(commands.run(options, only=only, first=first, last=last))
