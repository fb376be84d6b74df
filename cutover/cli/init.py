"""``cutover init``."""

from __future__ import annotations

from typing import Annotated

import typer

from cutover.cli.options import Cli, common
from cutover.errors import UsageError

TemplateOption = Annotated[str, typer.Option("--template", "-t", metavar="NAME", help="Which starter plan.")]
ListOption = Annotated[bool, typer.Option("--list", help="List the starter plans.")]


@common
def command(cli: Cli, template: TemplateOption = "starter", list_them: ListOption = False) -> None:  # noqa: FBT002 - typer's form
    """Write a commented starter plan."""
    from cutover.plan.starters import starter, starters  # noqa: PLC0415 - start-up time

    if list_them:
        cli.show(starters(), "\n".join(f"{name:<20}{title}" for name, title in starters().items()))
        return
    text = starter(template)
    target = cli.plan_file
    if target.exists() and not cli.ask(f"{target} exists. Overwrite it?"):
        raise UsageError(f"{target} exists and was left alone", "name another file with --plan FILE")
    try:
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{target} could not be written: {error.strerror}") from None
    cli.show({"plan": str(target)}, f"wrote {target}: adapt it, then `cutover check` and `cutover plan`")
