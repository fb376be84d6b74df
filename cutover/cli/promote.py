"""``cutover promote``."""

from __future__ import annotations

from cutover.cli.force import ForceOption, ReasonOption, force_reason
from cutover.cli.options import Cli, common


@common
def command(cli: Cli, force: ForceOption = False, reason: ReasonOption = None) -> None:  # noqa: FBT002 - typer's form
    """Run the phase cutover: all traffic to new."""
    from cutover.engine import commands  # noqa: PLC0415 - start-up time

    cli.work(commands.phase(cli.options(force_reason=force_reason(force=force, reason=reason)), "cutover"))
