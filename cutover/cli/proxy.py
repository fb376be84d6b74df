"""``cutover proxy start``, ``stop``, ``status``."""

from __future__ import annotations

import asyncio

import typer

from cutover.cli.options import Cli, common

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
    stopped = asyncio.run(stop(cli.options(), lambda: cli.ask(question)))
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
