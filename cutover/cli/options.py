"""The options that every command takes, and what they come to."""

from __future__ import annotations

import asyncio
import functools
import inspect
import json
import os
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from cutover.errors import UsageError
from cutover.redact import redact, redact_data

if TYPE_CHECKING:
    from cutover.engine.opening import Options
    from cutover.engine.session import Session, Sink

T = TypeVar("T")
DEFAULT_PLAN = "cutover.yml"


@dataclass(frozen=True)
class Cli:
    """The options everywhere, resolved: option, else environment, else default."""

    plan_file: Path
    store: str | None
    templates: Path | None
    json: bool
    color: bool
    yes: bool
    verbose: bool
    sinks: list[Sink] = field(default_factory=list)

    def options(self, *, force_reason: str | None = None) -> Options:
        from cutover.engine.opening import Options  # noqa: PLC0415 - start-up time

        return Options(
            plan_file=self.plan_file, store=self.store, templates=self.templates, sinks=[self.sink()],
            force_reason=force_reason,
        )  # fmt: skip

    def sink(self) -> Sink:
        """Who shows events: NDJSON, a live view on a terminal, or plain lines."""
        from cutover.report import open_sink  # noqa: PLC0415 - start-up time

        sink = open_sink(as_json=self.json, color=self.color, verbose=self.verbose)
        self.sinks.append(sink)
        return sink

    def close(self) -> None:
        """Show what is still to be shown, before anything else is said."""
        for sink in self.sinks:
            sink.close()

    def say(self, text: str) -> None:
        """A line for people: on standard output, or on standard error where that is kept for JSON."""
        print(redact(text), file=sys.stderr if self.json else sys.stdout, flush=True)

    def show(self, data: Any, text: str) -> None:
        """An answer: as JSON where that was asked, else as text."""
        self.close()
        if self.json:
            print(json.dumps(redact_data(data), indent=2, default=str))  # noqa: T201
        else:
            print(redact(text))  # noqa: T201

    def ask(self, question: str) -> bool:
        """Yes or no. Without a terminal and without ``--yes`` nobody can be asked, which is a usage error."""
        if self.yes:
            return True
        if not sys.stdin.isatty():
            raise UsageError(f"cannot ask without a terminal: {question}", "give --yes to answer yes")
        try:
            return typer.confirm(question, err=True)
        except typer.Abort:
            return False

    def work(self, work: Coroutine[Any, Any, Session]) -> None:
        """Run a command that works on a run, showing what happens."""
        try:
            session = asyncio.run(work)
        finally:
            self.close()
        for problem in session.problems:
            print(redact(f"warning: {problem}"), file=sys.stderr)  # noqa: T201


def seconds(option: str, text: str) -> float:
    """The duration that an option was given."""
    from pydantic_core import PydanticCustomError  # noqa: PLC0415 - start-up time

    from cutover.plan.units import parse_duration  # noqa: PLC0415 - start-up time

    try:
        return parse_duration(text)
    except PydanticCustomError as error:
        raise UsageError(f"{option}: {error.message()}") from None


PlanOption = Annotated[
    Path | None, typer.Option("--plan", "-p", help="The plan file.  [env: CUTOVER_PLAN; default: cutover.yml]")
]
StoreOption = Annotated[
    str | None,
    typer.Option("--store", metavar="URL", help="The journal.  [env: CUTOVER_STORE; default: the user's state folder]"),
]
TemplatesOption = Annotated[
    Path | None, typer.Option("--templates", metavar="DIR", help="nginx templates of your own instead of ours.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON alone on standard output, the rest on standard error.")]
NoColorOption = Annotated[bool, typer.Option("--no-color", help="No colours.  [env: NO_COLOR]")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Answer yes to questions.")]
VerboseOption = Annotated[bool, typer.Option("--verbose", "-v", help="Show every evaluation and every timing.")]

_COMMON = {
    "plan": (PlanOption, None),
    "store": (StoreOption, None),
    "templates": (TemplatesOption, None),
    "as_json": (JsonOption, False),
    "no_color": (NoColorOption, False),
    "yes": (YesOption, False),
    "verbose": (VerboseOption, False),
}


def common(command: Callable[..., T]) -> Callable[..., T]:
    """Give a command the options everywhere; it receives them as a ``Cli`` in its first parameter."""

    @functools.wraps(command)
    def with_options(**given: Any) -> T:
        mine = {name: given.pop(name) for name in _COMMON}
        cli = resolve(**mine)
        try:
            return command(cli, **given)
        finally:
            cli.close()

    signature = inspect.signature(command, eval_str=True)
    own = list(signature.parameters.values())[1:]
    keyword = inspect.Parameter.KEYWORD_ONLY
    shared = [
        inspect.Parameter(name, keyword, default=default, annotation=annotation)
        for name, (annotation, default) in _COMMON.items()
    ]
    parameters = [p.replace(kind=keyword) for p in own] + shared
    with_options.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    with_options.__annotations__ = {p.name: p.annotation for p in parameters}
    del with_options.__wrapped__
    return with_options


def resolve(
    *,
    plan: Path | None,
    store: str | None,
    templates: Path | None,
    as_json: bool,
    no_color: bool,
    yes: bool,
    verbose: bool,
) -> Cli:
    environ = os.environ
    return Cli(
        plan_file=plan or Path(environ.get("CUTOVER_PLAN") or DEFAULT_PLAN),
        store=store or environ.get("CUTOVER_STORE") or None,
        templates=templates,
        json=as_json,
        color=not no_color and not environ.get("NO_COLOR"),
        yes=yes,
        verbose=verbose,
    )
