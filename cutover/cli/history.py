"""``cutover history [RUN]``."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from cutover.cli.options import Cli, common

RunArgument = Annotated[str | None, typer.Argument(metavar="[RUN]", help="Show what happened in this run.")]


@common
def command(cli: Cli, run: RunArgument = None) -> None:
    """List the plan's runs; of one run, everything that happened."""
    from cutover.engine.past import past  # noqa: PLC0415 - start-up time
    from cutover.report.history import replay, rows, table  # noqa: PLC0415 - start-up time
    from cutover.report.views import as_json  # noqa: PLC0415 - start-up time

    history = past(cli.options())
    if run is None:
        runs = rows(history.states())
        cli.show(runs, table(runs) if runs else f"plan {history.plan} has no runs yet")
        return
    chosen = history.choose(run)
    events = history.events(chosen)
    lines = map(json.dumps, map(as_json, events)) if cli.json else replay(chosen, events, verbose=cli.verbose)
    for line in lines:
        print(line)  # noqa: T201
