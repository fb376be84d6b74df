"""How much of old's OpenAPI document a comparison covers, and which operations new's document lacks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from cutover.openapi.document import Document
from cutover.openapi.operations import Operation
from cutover.openapi.templates import nameless
from cutover.parity.options import ComparedRequest
from cutover.plan.request import SAFE_METHODS
from cutover.redact import redact

WRITES = "writes: list it with unsafe: true"
NOT_ASKED = "no request asks for it"
MAX_NAMED = 20
_TOLD = 3


def as_it_is(path: str) -> str:
    return path


class Coverage:
    """Counts requests by old's operations, in memory that grows with the document alone.

    ``uncovered`` says of operations, by name, why nothing was drawn for them. ``lacking_allowed`` names operations that
    new may lack; ``path_on_new`` is where new has a path of old.
    """

    def __init__(
        self,
        old: Document,
        new: Document | None,
        uncovered: Mapping[str, str],
        *,
        lacking_allowed: Collection[str] = (),
        path_on_new: Callable[[str], str] = as_it_is,
    ) -> None:
        self._old = old
        self._new = new
        self._uncovered = uncovered
        self._counts = {operation.key: 0 for operation in old.operations}
        self._elsewhere: dict[str, int] = {}
        lacked = [] if new is None else [one for one in old.operations if not _serves(new, one, path_on_new)]
        allowed = {nameless(name): name for name in lacking_allowed}
        self.lacking = [one.name for one in lacked if one.key not in allowed]
        self.lacking_as_allowed = [one.name for one in lacked if one.key in allowed]
        lacked_keys = {one.key for one in lacked}
        self.allowed_in_vain = [] if new is None else [name for key, name in allowed.items() if key not in lacked_keys]
        expected = {nameless(f"{one.method} {path_on_new(one.template)}") for one in old.operations}
        self.added = [one.name for one in new.operations if not _expected(old, one, expected)] if new else []

    def add(self, request: ComparedRequest) -> None:
        """Count a request that was compared."""
        operation = self._old.match(request.method, request.path)
        if operation is None and request.method == "HEAD":
            operation = self._old.match("GET", request.path)
        if operation is not None:
            self._counts[operation.key] += 1
            return
        name = f"{request.method} {request.path.partition('?')[0]}"
        if name in self._elsewhere or len(self._elsewhere) < MAX_NAMED:
            self._elsewhere[name] = self._elsewhere.get(name, 0) + 1

    @property
    def operations(self) -> int:
        return len(self._old.operations)

    @property
    def compared(self) -> dict[str, int]:
        """Requests per operation, of those that had any."""
        return {one.name: count for one in self._old.operations if (count := self._counts[one.key])}

    @property
    def not_compared(self) -> dict[str, str]:
        """Why, per operation."""
        return {one.name: self._reason(one) for one in self._old.operations if not self._counts[one.key]}

    def _reason(self, operation: Operation) -> str:
        default = NOT_ASKED if operation.method in SAFE_METHODS else WRITES
        return redact(self._uncovered.get(operation.name, default))

    def to_json(self) -> dict[str, Any]:
        """All of it, in the order of the documents."""
        return {
            "operations": self.operations,
            "compared": [{"operation": name, "requests": count} for name, count in self.compared.items()],
            "not_compared": [{"operation": name, "reason": reason} for name, reason in self.not_compared.items()],
            "new_lacks": self.lacking,
            "new_lacks_as_allowed": self.lacking_as_allowed,
            "allowed_in_vain": self.allowed_in_vain,
            "only_in_new": self.added,
            "not_in_old_document": [redact(name) for name in self._elsewhere],
        }

    def summary(self) -> str:
        """As in ``17 of 21 operations compared; not: POST /x (writes: list it with unsafe: true) and 3 more``."""
        compared, missing = self.compared, self.not_compared
        parts = [f"{len(compared)} of {self.operations} operations compared"]
        if missing:
            parts.append("not: " + _some([f"{name} ({reason})" for name, reason in missing.items()]))
        if self.lacking:
            parts.append("new's document lacks " + _some(self.lacking))
        if self.allowed_in_vain:
            parts.append("allowed to be lacking, but there: " + _some(self.allowed_in_vain))
        return "; ".join(parts)


def _serves(document: Document, operation: Operation, path_on_new: Callable[[str], str]) -> bool:
    """Whether a document has an operation, under whatever names of its variables; HEAD comes with GET."""
    path = path_on_new(operation.template)
    if document.match(operation.method, path) is not None:
        return True
    return operation.method == "HEAD" and document.match("GET", path) is not None


def _expected(old: Document, operation: Operation, keys: Collection[str]) -> bool:
    return old.match(operation.method, operation.template) is not None or operation.key in keys


def _some(names: list[str]) -> str:
    more = len(names) - _TOLD
    return ", ".join(names[:_TOLD]) + (f" and {more} more" if more > 0 else "")
