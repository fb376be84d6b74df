"""All requests of a step: those listed, and those drawn from a document, a log and a HAR file."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic_core import PydanticCustomError

from cutover.errors import CutoverError
from cutover.openapi.document import Document
from cutover.openapi.errors import DocumentError
from cutover.openapi.read import Place, place_of, read_document
from cutover.parity.answers import Answer, Failure
from cutover.parity.coverage import Coverage
from cutover.parity.endpoints import EndpointOf, endpoint
from cutover.parity.fetch import Side
from cutover.parity.options import ComparedRequest, Options
from cutover.parity.origins import Origins
from cutover.parity.settings import Documents, Sources
from cutover.parity.sources.accesslog import draw_access_logs
from cutover.parity.sources.drawn import Drawn, LeftOut
from cutover.parity.sources.har import read_har
from cutover.parity.sources.lines import write_requests
from cutover.parity.sources.openapi import draw


class SourceError(Exception):
    """A source of requests can't be read; the message says which and why."""


@dataclass
class Gathered:
    """``requests`` in the order in which they are asked, none of them twice. ``notes`` are for people."""

    requests: list[ComparedRequest] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    old: Document | None = None
    new: Document | None = None
    uncovered: Mapping[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def endpoint_of(self) -> EndpointOf:
        """Endpoints by the templates of old's document, where it knows the path."""
        if self.old is None:
            return endpoint
        document = self.old

        def of(method: str, path: str) -> str:
            operation = document.match(method, path)
            return operation.name if operation else endpoint(method, path)

        return of

    def add(self, drawn: Drawn, limit: int) -> None:
        """Take in what is not there yet, up to ``limit`` requests in all."""
        known = {_identity(request) for request in self.requests}
        fresh = [request for request in drawn.requests if _identity(request) not in known]
        kept = fresh[: max(0, limit)]
        self.requests += kept
        self.left_out += drawn.left_out
        if beyond := fresh[len(kept) :]:
            self.left_out.append(LeftOut("beyond the limit", len(beyond), [str(r) for r in beyond[:5]]))

    def to_json(self) -> dict[str, Any]:
        return {"left_out": [one.to_json() for one in self.left_out], "notes": self.notes}


async def gather(sources: Sources, old: Side, new: Side | None, *, public_url: str) -> Gathered:
    """Raises ``SourceError``. Asks old for its document, and for ids that its paths need.

    With ``new``, its document is read, too, to tell what it lacks. ``public_url`` is how clients reach the service.
    """
    gathered = Gathered(requests=sources.all_requests())
    room = _Room(gathered, sources.limit)
    own = [public_url, old.url, *([new.url] if new else [])]
    try:
        if sources.openapi is not None:
            await _from_documents(gathered, sources.openapi, old, new, sources.limit)
        if sources.access_log:
            logs = [Path(file) for file in sources.access_log]
            gathered.add(
                await draw_access_logs(*logs, limit=sources.limit, endpoint_of=gathered.endpoint_of), room.left
            )
        for file in sources.har:
            gathered.add(await asyncio.to_thread(_har, Path(file), gathered, own, room.limit), room.left)
    except DocumentError as error:
        raise SourceError(f"no requests: {error}") from None
    except PydanticCustomError as error:
        raise SourceError(f"no requests: {error.message()}") from None
    return gathered


class _Room:
    """How many more may be drawn."""

    def __init__(self, gathered: Gathered, limit: int) -> None:
        self.limit = limit
        self._gathered = gathered
        self._listed = len(gathered.requests)

    @property
    def left(self) -> int:
        return self.limit - (len(self._gathered.requests) - self._listed)


def _har(file: Path, gathered: Gathered, own: Sequence[str], limit: int) -> Drawn:
    return read_har(file, origins=own, limit=limit, endpoint_of=gathered.endpoint_of)


async def _from_documents(gathered: Gathered, documents: Documents, old: Side, new: Side | None, limit: int) -> None:
    gathered.old = await _read(documents.old, old)
    async with old.open() as asker:

        async def ask(request: ComparedRequest) -> Answer | Failure:
            return await asker.ask(request, request.path)

        drawn = await draw(gathered.old, ask, limit=limit)
    gathered.add(drawn.drawn, limit)
    gathered.uncovered = drawn.uncovered
    if new is None:
        return
    where = documents.new or _same_path_on_new(documents.old, old)
    if where is None:
        gathered.notes.append("new's document is not named, so what it lacks is not judged")
        return
    try:
        gathered.new = await _read(where, new)
    except DocumentError as error:
        if documents.new is not None:
            raise
        gathered.notes.append(f"new's document could not be read, so what it lacks is not judged: {error}")


def _same_path_on_new(where: str, old: Side) -> str | None:
    match place_of(where):
        case Place.BACKEND:
            return where
        case Place.URL if where.startswith(old.url + "/"):
            return where.removeprefix(old.url)
        case _:
            return None


async def _read(where: str, side: Side) -> Document:
    return await read_document(where, base=side.url, headers=side.headers({}))


def _identity(request: ComparedRequest) -> str:
    return request.model_dump_json(exclude_defaults=True)


def save(file: Path, gathered: Gathered, sources: Sources) -> None:
    """Write the requests, to be kept with the plan. Raises ``SourceError``."""
    origin = " and ".join(f"from the {source}" for source in sources.drawn_from) or "as they were listed"
    try:
        gathered.left_out += write_requests(file, gathered.requests, origin=origin)
    except CutoverError as error:
        raise SourceError(error.message) from None


def coverage_of(gathered: Gathered, options: Options, lacking: Sequence[str]) -> Coverage | None:
    """Counts what is compared by the operations of old's document; ``None`` where there is none."""
    if gathered.old is None:
        return None
    rewrite = Origins(rewrite_path=options.rewrite_path).path_on_new
    return Coverage(gathered.old, gathered.new, gathered.uncovered, lacking_allowed=lacking, path_on_new=rewrite)
