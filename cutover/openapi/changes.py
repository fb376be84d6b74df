"""Old's document against new's: what a client of old's would meet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cutover.openapi.bodies import body_changes, reply_changes
from cutover.openapi.differences import Schemas
from cutover.openapi.document import Document
from cutover.openapi.errors import DocumentError, printable
from cutover.openapi.levels import LEVELS, Level
from cutover.openapi.operations import Operation
from cutover.openapi.parameters import Told, parameter_changes
from cutover.openapi.patience import Patience
from cutover.openapi.security import security_changes, ways_in
from cutover.openapi.templates import nameless
from cutover.plan.prefixes import leads, moved

MAX_CHANGES = 100_000
COMPARE_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Change:
    """``operation`` is as old calls it (as new does, if old has none); empty where it is about a whole document.

    ``where`` is a part of it: ``query page``, ``request $.name``, ``200 $.results[].id``. ``id`` is one of ``LEVELS``.
    """

    level: Level
    operation: str
    where: str
    message: str
    id: str

    def __str__(self) -> str:
        return " ".join(part for part in (self.operation, self.where) if part) + f": {self.message}"

    def to_json(self) -> dict[str, str]:
        return {
            "level": self.level, "id": self.id, "operation": self.operation, "where": self.where,
            "message": self.message,
        }  # fmt: skip


@dataclass(frozen=True)
class Pairing:
    """The operations of both, those that new lacks, and those that it has in addition."""

    common: tuple[tuple[Operation, Operation], ...]
    removed: tuple[Operation, ...]
    added: tuple[Operation, ...]


def paired(old: Document, new: Document, rewrite_path: Mapping[str, str] | None = None) -> Pairing:
    """Operations with the same method and path; the names of a path's variables don't matter.

    ``rewrite_path`` is old's prefix to new's.
    """
    theirs: dict[str, Operation] = {}
    for operation in new.operations:
        theirs.setdefault(operation.key, operation)
    common: list[tuple[Operation, Operation]] = []
    removed: list[Operation] = []
    for operation in old.operations:
        partner = theirs.get(_key_on_new(operation, rewrite_path or {}))
        if partner is None:
            removed.append(operation)
        else:
            common.append((operation, partner))
    known = {partner.key for _, partner in common}
    added = [operation for key, operation in theirs.items() if key not in known]
    return Pairing(tuple(common), tuple(removed), tuple(added))


def compare(
    old: Document,
    new: Document,
    rewrite_path: Mapping[str, str] | None = None,
    patience: Patience | None = None,
) -> list[Change]:
    """Everything that changed, worst first. Raises ``DocumentError`` where there is too much to compare or to tell."""
    pairing = paired(old, new, rewrite_path)
    schemas = Schemas(old, new, patience or Patience(COMPARE_TIMEOUT_S, new.name))
    changes = [*_unfollowed(old, "old"), *_unfollowed(new, "new")]
    changes += [_removed(operation, new, rewrite_path or {}) for operation in pairing.removed]
    for ours, theirs in pairing.common:
        changes += _operation_changes(ours, theirs, old, new, schemas)
        if len(changes) > MAX_CHANGES:
            raise DocumentError(new.name, f"more than {MAX_CHANGES:,} changes: is it another service's document?")
    changes += [_change(operation.name, ("operation-added", "", "is new")) for operation in pairing.added]
    return sorted(dict.fromkeys(changes), key=lambda change: change.level.rank)


def _operation_changes(
    ours: Operation, theirs: Operation, old: Document, new: Document, schemas: Schemas
) -> Iterator[Change]:
    if theirs.deprecated and not ours.deprecated:
        yield _change(ours.name, ("operation-deprecated", "", "is deprecated now"))
    for id_, message in security_changes(ways_in(old, ours), ways_in(new, theirs)):
        yield _change(ours.name, (id_, "", message))
    for told in (*parameter_changes(ours, theirs, schemas), *body_changes(ours, theirs, schemas)):
        yield _change(ours.name, told)
    for told, success in reply_changes(ours, theirs, schemas):
        yield _change(ours.name, told, at_most=Level.BREAKING if success else Level.WARNING)


def _change(operation: str, told: Told, at_most: Level = Level.BREAKING) -> Change:
    id_, where, message = told
    level = max(LEVELS[id_], at_most, key=lambda level: level.rank)
    return Change(level, printable(operation), printable(where), printable(message), id_)


def _removed(operation: Operation, new: Document, rewrite_path: Mapping[str, str]) -> Change:
    """With what comes near, if anything does."""
    wanted = _key_on_new(operation, rewrite_path)
    other = wanted.removesuffix("/") if wanted.endswith("/") else f"{wanted}/"
    near = next((theirs.name for theirs in new.operations if theirs.key == other), None)
    return _change(operation.name, ("operation-removed", "", f"is gone{f'; there is {near}' if near else ''}"))


def _unfollowed(document: Document, side: str) -> list[Change]:
    return [_change("", ("reference-not-followed", f"{side}'s document", note)) for note in document.notes]


def _key_on_new(operation: Operation, rewrite_path: Mapping[str, str]) -> str:
    for old, new in rewrite_path.items():
        if leads(old, operation.template):
            return f"{operation.method} {nameless(moved(operation.template, old, new))}"
    return operation.key
