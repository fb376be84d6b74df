"""Requests from old's OpenAPI document: each operation that reads, with ids that old itself gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cutover.openapi.document import Document
from cutover.openapi.operations import Operation
from cutover.parity.coverage import WRITES
from cutover.parity.options import ComparedRequest
from cutover.parity.sources.drawn import Drawn, LeavingOut
from cutover.parity.sources.ids import Ask, Ids, NoIdError, request_for
from cutover.parity.sources.parameters import NotAskableError, variants
from cutover.plan.request import SAFE_METHODS


@dataclass(frozen=True, slots=True)
class DrawnFromDocument:
    """``uncovered`` says of each operation without a request, by name, why."""

    drawn: Drawn
    uncovered: Mapping[str, str]


async def draw(document: Document, ask: Ask, *, limit: int | None = None) -> DrawnFromDocument:
    """At most ``limit`` requests, at least one of each operation while the limit allows.

    ``ask`` sends a request to old. What the document has wrong, and what old does not answer, leaves operations
    uncovered and is never an error.
    """
    ids = Ids(document, ask)
    found: dict[str, list[ComparedRequest]] = {}
    uncovered: dict[str, str] = {}
    for operation in document.operations:
        try:
            found[operation.name] = await _requests(document, operation, ids)
        except (NotAskableError, NoIdError) as error:
            uncovered[operation.name] = str(error)
    return _limited(found, uncovered, limit)


async def _requests(document: Document, operation: Operation, ids: Ids) -> list[ComparedRequest]:
    """With what is required for each id, then its variants for the first."""
    if operation.method not in SAFE_METHODS:
        raise NotAskableError(WRITES)
    base, *others = variants(document, operation)
    places = await ids.of(operation)
    asked = [(place, base) for place in places] + [(places[0], other) for other in others]
    return [request_for(operation, place, variant.query, variant.headers) for place, variant in asked]


def _limited(
    found: Mapping[str, list[ComparedRequest]], uncovered: dict[str, str], limit: int | None
) -> DrawnFromDocument:
    turns = [(turn, name, request) for name, requests in found.items() for turn, request in enumerate(requests)]
    turns.sort(key=lambda each: each[0])
    kept: dict[str, ComparedRequest] = {}
    leaving_out = LeavingOut()
    for turn, name, request in turns:
        identity = f"{request} {request.headers}"
        if identity in kept:
            continue
        if limit is None or len(kept) < limit:
            kept[identity] = request
            continue
        reason = f"beyond the limit of {limit}"
        leaving_out.add(reason, name)
        if turn == 0:
            uncovered[name] = reason
    return DrawnFromDocument(Drawn(list(kept.values()), leaving_out.told()), uncovered)
