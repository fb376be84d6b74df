"""``cutover shift``."""

from __future__ import annotations

from typing import Annotated

import typer

from cutover.cli.force import ForceOption, ReasonOption, force_reason
from cutover.cli.options import Cli, common, seconds

WeightOption = Annotated[int, typer.Option("--weight", "-w", min=0, max=100, help="Percent of traffic to new.")]
HoldOption = Annotated[str, typer.Option("--hold", metavar="DURATION", help="Watch the plan's gates for so long.")]


@common
def command(
    cli: Cli,
    weight: WeightOption,
    hold: HoldOption = "0s",
    force: ForceOption = False,  # noqa: FBT002 - typer's form
    reason: ReasonOption = None,
) -> None:
    """Change the weight: toward new gated by the plan, toward old always allowed."""
    from cutover.engine import commands  # noqa: PLC0415 - start-up time

    options = cli.options(force_reason=force_reason(force=force, reason=reason))
    cli.work(commands.shift(options, weight, seconds("--hold", hold)))
