"""``cutover demo``."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from cutover.cli.options import Cli, common

FaultOption = Annotated[str | None, typer.Option("--fault", metavar="NAME", help="Break the new backend in this way.")]
ListOption = Annotated[bool, typer.Option("--list-faults", help="List the ways to break it.")]
DockerOption = Annotated[bool, typer.Option("--docker", help="The proxy in a container.")]


@common
def command(
    cli: Cli,
    fault: FaultOption = None,
    list_faults: ListOption = False,  # noqa: FBT002 - typer's form
    docker: DockerOption = False,  # noqa: FBT002 - typer's form
) -> None:
    """The whole job on this machine: real backends, a real nginx, live traffic."""
    from cutover.demo import faults, show  # noqa: PLC0415 - start-up time

    if list_faults:
        known = faults.FAULTS
        cli.show({n: f.title for n, f in known.items()}, "\n".join(f"{n:<20}{f.title}" for n, f in known.items()))
        return
    raise typer.Exit(asyncio.run(show.run(cli, fault=fault, docker=docker)))
