"""``cutover watch``."""

from __future__ import annotations

from typing import Annotated

import typer

from cutover.cli.options import Cli, common, seconds
from cutover.errors import UsageError

ForOption = Annotated[
    str | None, typer.Option("--for", metavar="DURATION", help="End after so long; else when stopped.")
]
EveryOption = Annotated[
    str | None, typer.Option("--every", metavar="DURATION", help="Between two evaluations; else as the plan says.")
]
NoRollbackOption = Annotated[bool, typer.Option("--no-rollback", help="Only tell of a breach; traffic stays.")]


@common
def command(
    cli: Cli,
    length: ForOption = None,
    every: EveryOption = None,
    no_rollback: NoRollbackOption = False,  # noqa: FBT002 - typer's form
) -> None:
    """Watch the plan's gates at the weight there is, and bring traffic back when one fails."""
    from cutover.engine import watching  # noqa: PLC0415 - start-up time

    length_s, every_s = _some_time("--for", length), _some_time("--every", every)
    cli.work(watching.watch(cli.options(), seconds=length_s, every=every_s, rolls_back=not no_rollback))


def _some_time(option: str, text: str | None) -> float | None:
    if text is None:
        return None
    if not (given := seconds(option, text)):
        raise UsageError(f"{option}: {text} is no time at all", "as in 10s, or 1h")
    return given
