"""``cutover proxy start``, ``stop``, ``status``."""

from __future__ import annotations

import asyncio
import sys

import typer

from cutover.cli.options import Cli, common
from cutover.errors import UsageError

app = typer.Typer(help="The managed nginx: it outlives the command that started it.", no_args_is_help=True)


@app.command("start")
@common
def start(cli: Cli) -> None:
    """Start the managed nginx, at the weight where it was, or 0."""
    from cutover.engine.managed import start  # noqa: PLC0415 - start-up time

    data = asyncio.run(start(cli.options()))
    cli.show(data, f"nginx runs at {data['url']}, weight {data['weight']} %")


@app.command("stop")
@common
def stop(cli: Cli) -> None:
    """Stop the managed nginx: clients are refused from then on."""
    from cutover.engine.managed import stop  # noqa: PLC0415 - start-up time

    question = "clients will be refused until it is started again. Stop the managed nginx?"
    # Where a person can answer, before the lock is taken and signals are heard by a loop that would be waiting.
    sure = sys.stdin.isatty() and cli.ask(question)
    if sys.stdin.isatty() and not sure:
        raise UsageError("nginx was left running")
    stopped = asyncio.run(stop(cli.options(), lambda: sure or cli.ask(question)))
    cli.show({"stopped": stopped}, "nginx is stopped" if stopped else "nginx was not running")


@app.command("status")
@common
def status(cli: Cli) -> None:
    """Say whether the proxy runs, where, and at which weight."""
    from cutover.engine.managed import status  # noqa: PLC0415 - start-up time

    data = asyncio.run(status(cli.options()))
    weight = "not known" if data["weight"] is None else f"{data['weight']} %"
    runs = "runs" if data["running"] else "does not run"
    reason = f" ({data['reason']})" if data["reason"] else ""
    cli.show(data, f"the {data['control']} nginx {runs}; {data['url']}, weight {weight}{reason}")
