"""``cutover report [RUN]``."""

from __future__ import annotations

from typing import Annotated

import typer

from cutover.cli.options import Cli, common

RunArgument = Annotated[str | None, typer.Argument(metavar="[RUN]", help="The run, or how its name begins or ends.")]


@common
def command(cli: Cli, run: RunArgument = None) -> None:
    """Report on a run, the last one by default."""
    from cutover.engine.past import past  # noqa: PLC0415 - start-up time
    from cutover.report.account import account  # noqa: PLC0415 - start-up time
    from cutover.report.text import text  # noqa: PLC0415 - start-up time

    history = past(cli.options())
    chosen = history.choose(run)
    folder = history.folder(chosen)
    data = account(history.plan, history.state(chosen), history.events(chosen))
    cli.show({**data, "artifacts": str(folder)}, text(data, folder))
