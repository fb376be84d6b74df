"""The check ``openapi``: old's OpenAPI document against new's, and what a client of old's would meet."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler, field_validator
from pydantic_core import PydanticCustomError, core_schema

from cutover.artifacts import Artifacts
from cutover.checks.base import Check, CheckContext, Result
from cutover.openapi.errors import DocumentError
from cutover.openapi.levels import LEVELS, Level
from cutover.openapi.place import Place, place_of, shown
from cutover.openapi.templates import nameless
from cutover.parity.options import PathPrefix
from cutover.plan.thresholds import Verdict
from cutover.redact import redact, redact_data

if TYPE_CHECKING:
    from cutover.openapi.changes import Change, Pairing
    from cutover.openapi.document import Document

DEFAULT_PLACE = "/openapi.json"
CHANGES_FILE = "changes.txt"
MAX_NAMED = 3
MAX_DETAILED = 1000

_METHODS = ("GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE")
_WORDS = {Level.BREAKING: "breaking", Level.WARNING: "warning", Level.INFO: "info"}


@dataclass(frozen=True)
class Ignored:
    """Changes of one kind (``id``), of one operation, or of one kind in one operation."""

    text: str
    id: str = ""
    operation: str = ""

    def matches(self, change: Change) -> bool:
        return self.id in {"", change.id} and self.operation in {"", nameless(change.operation)}

    def __str__(self) -> str:
        return self.text

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            parse_ignored, serialization=core_schema.to_string_ser_schema()
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": "string", "examples": ["parameter-removed", "GET /studies/{id}", "operation-removed GET /x"]}


def parse_ignored(text: object) -> Ignored:
    """``id``, ``GET /path`` or ``id GET /path``; raises a mistake that says which word is none of it."""
    if isinstance(text, Ignored):
        return text
    words = text.split() if isinstance(text, str) else []
    id_ = words.pop(0) if words and words[0] not in _METHODS else ""
    if id_ and id_ not in LEVELS:
        close = get_close_matches(id_, LEVELS, n=1)
        cure = f"did you mean {close[0]!r}?" if close else "docs/steps.md lists them, and every finding names its own"
        raise _mistake(f"{id_!r} is no kind of change; {cure}")
    two = len(words) == 2 and words[0] in _METHODS and words[1].startswith("/")  # noqa: PLR2004 - method and path
    if not (two or (id_ and not words)):
        raise _mistake(f"{text!r} names no changes; write an id, GET /path, or both")
    return Ignored(str(text), id_, nameless(" ".join(words)))


class Openapi(Check):
    """Compare what old and new say of themselves, and fail on what breaks a client of old's.

    Example::

        openapi: {old: /openapi.json, new: /api/schema/, ignore: [parameter-removed]}

    A document is a URL, a file, or a path on that side's backend. ``openapi: /openapi.json`` is short for the same
    path on both. ``ignore`` names changes by their id, by their operation, or by both.
    """

    old: Annotated[str, Field(min_length=1)] = DEFAULT_PLACE
    new: Annotated[str, Field(min_length=1)] = DEFAULT_PLACE
    rewrite_path: dict[PathPrefix, PathPrefix] = Field(default_factory=dict)
    ignore: list[Ignored] = Field(default_factory=list)
    fail_on: Literal["breaking", "warning"] = "breaking"

    @classmethod
    def from_scalar(cls, value: Any) -> Any:
        if value is None:
            return {}
        return {"old": value, "new": value} if isinstance(value, str) else value

    @field_validator("old", "new")
    @classmethod
    def _somewhere(cls, where: str) -> str:
        try:
            place_of(where)
        except DocumentError as error:
            raise _mistake(error.message) from None
        return where

    def summary(self) -> str:
        nothing = "breaking" if self.fail_on == "breaking" else "breaking, and no warning"
        return f"{shown(self.old)} of old against {shown(self.new)} of new, nothing {nothing}"

    def requests(self) -> list[str]:
        named = [("old", self.old, place_of(self.old)), ("new", self.new, place_of(self.new))]
        return [
            f"GET {where} on {side}" if place is Place.BACKEND else f"GET {shown(where)}"
            for side, where, place in named
            if place is not Place.FILE
        ]

    async def run(self, ctx: CheckContext) -> Result:
        from cutover.openapi.changes import COMPARE_TIMEOUT_S, compare, paired  # noqa: PLC0415 - start-up time
        from cutover.openapi.patience import in_thread  # noqa: PLC0415 - start-up time

        sides = await asyncio.gather(
            self._document(ctx, "old", self.old), self._document(ctx, "new", self.new), return_exceptions=True
        )
        wrong = [side for side in sides if isinstance(side, BaseException)]
        if any(not isinstance(error, DocumentError) for error in wrong):
            raise next(error for error in wrong if not isinstance(error, DocumentError))
        if wrong:
            return _unknown("; ".join(str(error) for error in wrong))
        old, new = (side for side in sides if not isinstance(side, BaseException))
        ctx.progress(f"comparing {len(old.operations)} operations")
        pairing = paired(old, new, self.rewrite_path)
        try:
            changes = await in_thread(
                lambda patience: compare(old, new, self.rewrite_path, patience), COMPARE_TIMEOUT_S, new.name
            )
        except DocumentError as error:
            return _unknown(str(error))
        told = [change for change in changes if not any(ignored.matches(change) for ignored in self.ignore)]
        listed = await asyncio.to_thread(_listed, told[:MAX_DETAILED], ctx.artifacts) if told else ""
        return self._judged(old, new, pairing, changes, told, listed)

    async def _document(self, ctx: CheckContext, side: Literal["old", "new"], where: str) -> Document:
        from cutover.openapi.read import read_document  # noqa: PLC0415 - start-up time

        target = ctx.target(side)
        host = urlsplit(ctx.plan.proxy.url).netloc.rpartition("@")[2]
        own = {} if "host" in {name.lower() for name in target.headers} else {"Host": host}
        return await read_document(where, base=target.address, headers=target.headers_with(own))

    def _judged(
        self, old: Document, new: Document, pairing: Pairing, changes: list[Change], told: list[Change], listed: str
    ) -> Result:
        unused = [str(ignored) for ignored in self.ignore if not any(map(ignored.matches, changes))]
        whole = {ignored.operation for ignored in self.ignore if not ignored.id}
        compared = [one for one, _ in pairing.common if nameless(one.name) not in whole]
        counts = Counter(change.level for change in told)
        figures = {
            "breaking": counts[Level.BREAKING], "warnings": counts[Level.WARNING], "infos": counts[Level.INFO],
            "operations": len(compared),
        }  # fmt: skip
        nothing = _nothing(old, new, pairing, len(compared))
        bad = counts[Level.BREAKING] or (self.fail_on == "warning" and counts[Level.WARNING])
        verdict = Verdict.UNKNOWN if nothing else Verdict.FAIL if bad else Verdict.PASS
        parts = [nothing or _summary(told, len(compared), counts)]
        parts += [f"ignore: {text!r} never matched" for text in unused]
        parts += [listed] * (not nothing and len(told) > MAX_NAMED)
        return Result(
            verdict,
            redact("; ".join(parts)),
            {name: float(figure) for name, figure in figures.items()},
            redact_data(_details(old, new, changes, told, unused)),
        )


def _listed(told: list[Change], folder: Path) -> str:
    """Every change in a file, a line each; where that is, or why it is not."""
    lines = (f"{change.level:8}  {change} ({change.id})\n" for change in told)
    problem = Artifacts(folder).write(CHANGES_FILE, "".join(lines))
    return problem or f"all of them: {folder / CHANGES_FILE}"


def _details(
    old: Document, new: Document, changes: list[Change], told: list[Change], unused: list[str]
) -> dict[str, Any]:
    return {
        "old": old.name,
        "new": new.name,
        "changes": [change.to_json() for change in told[:MAX_DETAILED]],
        "not_shown": max(0, len(told) - MAX_DETAILED),
        "ignored": len(changes) - len(told),
        "unused_ignores": unused,
    }


def _nothing(old: Document, new: Document, pairing: Pairing, compared: int) -> str:
    """Why nothing was compared; empty if something was."""
    for side, document in (("old", old), ("new", new)):
        if not document.operations:
            return f"{side}'s document {document.name} describes no operation"
    if not pairing.common:
        example = f"{old.operations[0].name} on old, {new.operations[0].name} on new"
        return (
            f"the documents have no operation in common ({example}); rewrite_path says which prefixes belong together"
        )
    return "" if compared else "nothing was compared: ignore names every operation that both have"


def _summary(told: list[Change], compared: int, counts: Counter[Level]) -> str:
    operations = f"{compared} operation{'s' * (compared != 1)} compared"
    if not told:
        return f"{operations}, nothing changed"
    found = ", ".join(
        f"{counts[level]} {_WORDS[level]}{'s' * (counts[level] != 1 and level is not Level.BREAKING)}"
        for level in Level
        if counts[level]
    )
    worst = [change for change in told if change.level is not Level.INFO]
    named = [f"{change} ({change.id})" for change in worst[:MAX_NAMED]]
    named += [f"and {len(worst) - MAX_NAMED} more"] * (len(worst) > MAX_NAMED)
    return f"{operations}, {found}{': ' * bool(named)}{'; '.join(named)}"


def _unknown(why: str) -> Result:
    return Result(Verdict.UNKNOWN, redact(why), {"operations": 0.0})


def _mistake(message: str) -> PydanticCustomError:
    return PydanticCustomError("openapi", "{message}", {"message": message})
