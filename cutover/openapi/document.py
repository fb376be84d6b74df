"""An OpenAPI 3.0, 3.1 or 3.2 document: its operations, its references, and which operation a request belongs to."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import unquote

from cutover.openapi.errors import DocumentError
from cutover.openapi.operations import Operation
from cutover.openapi.parsing import Parsing
from cutover.openapi.refs import References, survey
from cutover.openapi.servers import base_paths
from cutover.openapi.templates import VARIABLE

_VERSION = re.compile(r"3\.([012])(\.\S*)?")
_FIRST_WITH_SIBLINGS = 1


@dataclass(frozen=True)
class Document:
    """``notes`` say which references could not be followed: what they describe is not known."""

    name: str
    version: str
    operations: tuple[Operation, ...]
    notes: tuple[str, ...] = ()
    data: dict[str, Any] = field(default_factory=dict, repr=False)
    references: References = field(default_factory=lambda: References({}, siblings=True), repr=False, compare=False)
    bases: tuple[str, ...] = ("",)

    @classmethod
    def parse(cls, data: Any, name: str, *, path: str = "/") -> Document:
        """``path`` is the one that the document was read from: relative servers are relative to it.

        Raises ``DocumentError``. Schemas are not looked into.
        """
        version, minor = _version(data, name)
        refs = survey(data, name)
        references = References(data, siblings=minor >= _FIRST_WITH_SIBLINGS)
        return cls(
            name=name,
            version=version,
            operations=tuple(Parsing(name, data, references, path).operations()),
            notes=tuple(complaint for ref in refs if (complaint := references.complaint(ref))),
            data=data,
            references=references,
            bases=tuple(base_paths(data.get("servers"), path)),
        )

    def resolve(self, node: Any) -> dict[str, Any]:
        """A schema, or any mapping of the document, with its local ``$ref``s followed; ``{}`` if they can't be."""
        return self.references.resolve(node)

    def match(self, method: str, path: str) -> Operation | None:
        """The operation of a request; a path without variables goes before one with. A query is left out."""
        wanted = path.partition("?")[0].partition("#")[0]
        for relative in self._relatives(wanted):
            segments = [unquote(part) for part in relative.split("/")]
            for template in self._templates.get((method.upper(), len(segments)), ()):
                if template.matches(segments):
                    return template.operation
        return None

    def _relatives(self, path: str) -> Iterable[str]:
        """The path as the first server has it, and as it would be there if it is another server's."""
        yield path
        for base in self.bases[1:]:
            if path == base or path.startswith(base + "/"):
                yield self.bases[0] + path[len(base) :]

    @cached_property
    def _templates(self) -> dict[tuple[str, int], list[_Template]]:
        """By method and number of segments, the least variable first."""
        found: dict[tuple[str, int], list[_Template]] = {}
        for operation in self.operations:
            template = _Template.of(operation)
            found.setdefault((operation.method, len(template.segments)), []).append(template)
        for templates in found.values():
            templates.sort(key=lambda template: template.rank)
        return found


@dataclass(frozen=True)
class _Template:
    operation: Operation
    segments: tuple[str | re.Pattern[str], ...]
    rank: tuple[int, ...]

    @classmethod
    def of(cls, operation: Operation) -> _Template:
        parts = operation.template.split("/")
        ranks = (0 if not VARIABLE.search(part) else 2 if VARIABLE.fullmatch(part) else 1 for part in parts)
        return cls(operation, tuple(map(_segment, parts)), tuple(ranks))

    def matches(self, segments: list[str]) -> bool:
        return all(
            own == asked if isinstance(own, str) else own.fullmatch(asked) is not None
            for own, asked in zip(self.segments, segments, strict=True)
        )


def _segment(part: str) -> str | re.Pattern[str]:
    if not VARIABLE.search(part):
        return unquote(part)
    literals = [re.escape(unquote(literal)) for literal in VARIABLE.split(part)[::2]]
    return re.compile("(?s:.+)".join(literals))


def _version(data: Any, name: str) -> tuple[str, int]:
    """The version as written and its minor number."""
    if not isinstance(data, dict):
        raise DocumentError(name, "is no OpenAPI document: it is not a mapping")
    if "swagger" in data:
        version = str(data["swagger"])[:20]
        raise DocumentError(
            name,
            f"is Swagger {version}; OpenAPI 3.0, 3.1 and 3.2 are read",
            "/swagger",
            "convert it to OpenAPI 3 first",
        )
    if "openapi" not in data:
        raise DocumentError(name, "is no OpenAPI document: it has no member openapi")
    version = str(data["openapi"])
    match = _VERSION.fullmatch(version)
    if match is None:
        raise DocumentError(name, f"has version {version[:20]!r}; OpenAPI 3.0, 3.1 and 3.2 are read", "/openapi")
    return version, int(match.group(1))
