"""``cutover render``."""

from __future__ import annotations

import asyncio
import json
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
    # As it is: a plan's grammar keeps secrets out of it, and a masked word would break the file it is written to.
    print(json.dumps(data, indent=2) if cli.json else data["text"].removesuffix("\n"))  # noqa: T201
