"""``cutover diff``."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from cutover.cli.options import Cli, common
from cutover.errors import EXIT_FAILED
from cutover.redact import redact

_COLORS = {
    "fail": typer.colors.RED, "warn": typer.colors.YELLOW, "note": typer.colors.BLUE, "cure": typer.colors.GREEN,
}  # fmt: skip

Requests = Annotated[
    list[str] | None,
    typer.Argument(metavar="[METHOD PATH]...", help="Requests to compare; the plan's own where none are named."),
]
RequestsFile = Annotated[
    Path | None,
    typer.Option("--requests", metavar="FILE", help="METHOD /path lines, or a list in YAML or JSON."),
]
OpenApi = Annotated[
    str | None,
    typer.Option("--openapi", metavar="URL|FILE", help="The GETs of old's OpenAPI document; /path is asked of old."),
]
AccessLog = Annotated[
    Path | None,
    typer.Option("--access-log", metavar="FILE", help="The GETs of an nginx access log, .gz too."),
]
Har = Annotated[
    Path | None,
    typer.Option("--har", metavar="FILE", help="The GETs of a HAR file, as browsers export it."),
]
Limit = Annotated[
    int | None,
    typer.Option("--limit", metavar="N", min=1, help="At most so many requests from sources."),
]
Concurrency = Annotated[
    int | None, typer.Option("--concurrency", metavar="N", min=1, max=64, help="Requests at a time.")
]
Rps = Annotated[
    float | None, typer.Option("--rps", metavar="N", min=0.001, help="Requests a second to each side, at most.")
]
Save = Annotated[
    Path | None, typer.Option("--save", metavar="FILE", help="Write the requests to a YAML file, for requests_file.")
]
StepName = Annotated[
    str | None,
    typer.Option("--step", metavar="NAME", help="The diff step of the plan: its requests, or its rules."),
]
Learn = Annotated[
    bool, typer.Option("--learn", help="Ask old twice, and propose rules for what moves by itself. Ignores nothing.")
]
Baseline = Annotated[
    str | None, typer.Option("--baseline", metavar="URL", help="With --learn: another instance of old, asked second.")
]


@common
def command(
    cli: Cli,
    requests: Requests = None,
    requests_file: RequestsFile = None,
    openapi: OpenApi = None,
    access_log: AccessLog = None,
    har: Har = None,
    limit: Limit = None,
    concurrency: Concurrency = None,
    rps: Rps = None,
    save: Save = None,
    step: StepName = None,
    learn: Learn = False,  # noqa: FBT002 - typer's form
    baseline: Baseline = None,
) -> None:
    """Compare new's answers with old's, by the rules of the plan. Opens no run and moves no traffic."""
    from cutover.engine import comparing  # noqa: PLC0415 - start-up time

    asked = comparing.Asked(
        requests=tuple(requests or ()), requests_file=requests_file, openapi=openapi, access_log=access_log, har=har,
        limit=limit, concurrency=concurrency, rps=rps, save=save, step=step, baseline=baseline,
    )  # fmt: skip
    with _shown_progress(cli) as progress:
        told: comparing.Told
        if learn:
            told = asyncio.run(comparing.learn(cli.options(), asked, progress))
        else:
            told = asyncio.run(comparing.compare(cli.options(), asked, progress))
    cli.show(told.data, told.text(_painted if cli.color and sys.stdout.isatty() else None))
    if not told.passed:
        raise typer.Exit(EXIT_FAILED)


@contextmanager
def _shown_progress(cli: Cli) -> Iterator[Callable[[str], None]]:
    """The latest figure on standard error, where that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console  # noqa: PLC0415 - start-up time

    with Console(stderr=True, no_color=not cli.color).status("asks both sides") as status:
        yield lambda text: status.update(redact(text))


def _painted(text: str, level: str) -> str:
    return typer.style(text, fg=_COLORS.get(level), bold=level == "title")
