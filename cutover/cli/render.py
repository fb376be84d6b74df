"""``cutover render``."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from cutover.cli.options import Cli, common

WeightOption = Annotated[int, typer.Option("--weight", "-w", min=0, max=100, help="Percent of traffic to new.")]
SettledOption = Annotated[bool, typer.Option("--settled", help="For good: new alone, as cleanup leaves it.")]


@common
def command(cli: Cli, weight: WeightOption = 0, settled: SettledOption = False) -> None:  # noqa: FBT002 - typer's form
    """Print the proxy's configuration for a weight."""
    from cutover.engine.outline import rendering  # noqa: PLC0415 - start-up time

    data = asyncio.run(rendering(cli.options(), weight, settled=settled))
    cli.show(data, data["text"].removesuffix("\n"))
