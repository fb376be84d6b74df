"""``cutover render``."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated

import typer

from cutover.cli.options import Cli, common
from cutover.redact import redact

WeightOption = Annotated[int, typer.Option("--weight", "-w", min=0, max=100, help="Percent of traffic to new.")]
SettledOption = Annotated[bool, typer.Option("--settled", help="For good: new alone, as cleanup leaves it.")]


@common
def command(cli: Cli, weight: WeightOption = 0, settled: SettledOption = False) -> None:  # noqa: FBT002 - typer's form
    """Print the proxy's configuration for a weight."""
    from cutover.engine.outline import rendering  # noqa: PLC0415 - start-up time

    data = asyncio.run(rendering(cli.options(), weight, settled=settled))
    if data["assumed"]:
        message = f"note: rendered for a recent nginx, for this one could not be asked: {data['assumed']}"
        print(redact(message), file=sys.stderr)  # noqa: T201
    cli.show(data, data["text"].removesuffix("\n"))
