"""``--force --reason TEXT``: what a person may override, if they say why."""

from __future__ import annotations

from typing import Annotated

import typer

from cutover.errors import UsageError

ForceOption = Annotated[bool, typer.Option("--force", help="Go on although validate has not passed; needs --reason.")]
ReasonOption = Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why; it is journalled.")]


def force_reason(*, force: bool, reason: str | None) -> str | None:
    """The reason of an override, or None where there is none; raises when half of it is missing."""
    if force and not (reason and reason.strip()):
        raise UsageError("--force needs --reason TEXT", "say why; it is journalled")
    if reason and not force:
        raise UsageError("--reason belongs to --force")
    return reason if force else None
