"""``cutover doctor``."""

from __future__ import annotations

import asyncio

import typer

from cutover.cli.options import Cli, common
from cutover.errors import EXIT_FAILED


@common
def command(cli: Cli) -> None:
    """Look at this machine, the plan and its proxy; say what is missing and what is lost by it."""
    from cutover.engine.doctor import examine, told  # noqa: PLC0415 - start-up time

    findings = asyncio.run(examine(cli.options()))
    cli.show([vars(finding) for finding in findings], told(findings))
    if any(finding.level == "problem" for finding in findings):
        raise typer.Exit(EXIT_FAILED)
