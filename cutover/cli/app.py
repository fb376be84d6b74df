"""All commands, by name, in the order in which ``--help`` lists them."""

from __future__ import annotations

from typing import Annotated

import typer

from cutover import __version__
from cutover.cli import (
    abort,
    approve,
    check,
    cleanup,
    demo,
    diff,
    doctor,
    history,
    init,
    plan,
    preflight,
    promote,
    proxy,
    render,
    report,
    resume,
    rollback,
    run,
    schema,
    shift,
    status,
    validate,
    watch,
)

app = typer.Typer(
    help="Move live traffic from an old backend to a new one behind nginx, and back in an instant.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(*, asked: bool) -> None:
    if asked:
        typer.echo(f"cutover {__version__}")
        raise typer.Exit


@app.callback()
def root(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_version)
    ] = False,
) -> None:
    pass


for module in (
    init, check, plan, render, diff, run, preflight, validate, shift, promote, watch, cleanup, rollback, status,
    approve, abort, resume, history, report,
):  # fmt: skip
    app.command(module.__name__.rpartition(".")[2])(module.command)
app.add_typer(proxy.app, name="proxy")
for module in (demo, schema, doctor):
    app.command(module.__name__.rpartition(".")[2])(module.command)
