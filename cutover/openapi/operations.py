"""What an OpenAPI document says of one operation. Schemas are the document's own, unresolved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from cutover.openapi.templates import VARIABLE, nameless

__all__ = ["VARIABLE", "Body", "Location", "Media", "Operation", "Parameter", "Reply", "Schema"]

Schema = dict[str, Any]
Location = Literal["path", "query", "header", "cookie"]


@dataclass(frozen=True)
class Media:
    """A body of one media type. ``examples`` are those of the media type; a schema has its own."""

    schema: Schema = field(default_factory=dict)
    examples: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Parameter:
    """``media_type`` is set where the value is a document of its own (``content`` in place of ``schema``)."""

    name: str
    location: Location
    required: bool = False
    schema: Schema = field(default_factory=dict)
    examples: tuple[Any, ...] = ()
    style: str = "form"
    explode: bool = True
    deprecated: bool = False
    media_type: str = ""


@dataclass(frozen=True)
class Body:
    required: bool = False
    media: Mapping[str, Media] = field(default_factory=dict)


@dataclass(frozen=True)
class Reply:
    """``status`` is as written: ``200``, ``2XX``, ``default``. ``headers`` have no ``location`` of interest."""

    status: str
    media: Mapping[str, Media] = field(default_factory=dict)
    headers: Mapping[str, Parameter] = field(default_factory=dict)
    links: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def success(self) -> bool:
        return self.status.startswith("2")


@dataclass(frozen=True)
class Operation:
    """``template`` is the path with the server's base path before it; ``pointer`` is where the document says so.

    ``security`` lists what may be sent, one of it: scheme names with their scopes; empty asks for nothing.
    """

    method: str
    template: str
    id: str = ""
    parameters: tuple[Parameter, ...] = ()
    body: Body | None = None
    replies: tuple[Reply, ...] = ()
    deprecated: bool = False
    security: tuple[Mapping[str, tuple[str, ...]], ...] = ()
    pointer: str = ""

    @property
    def name(self) -> str:
        return f"{self.method} {self.template}"

    @cached_property
    def key(self) -> str:
        """The same for templates that differ in nothing but their variables' names."""
        return f"{self.method} {nameless(self.template)}"

    @property
    def variables(self) -> list[str]:
        """The names in the template, in its order."""
        return VARIABLE.findall(self.template)
