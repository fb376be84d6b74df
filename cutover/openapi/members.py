"""The properties of an object: which there are, and which must be there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from cutover.openapi.aspects import Aspect, Sides
from cutover.openapi.shapes import Shapes

_PLAIN_NAME = re.compile(r"[^\W\d][\w-]*")


@dataclass(frozen=True)
class Members:
    """By name, the schemas that are of interest in this direction."""

    old: dict[str, object]
    new: dict[str, object]

    @classmethod
    def of(cls, sides: Sides, old: Shapes, new: Shapes) -> Members:
        """Without what a request does not send (``readOnly``) and a response does not hold (``writeOnly``)."""

        def seen(properties: dict[str, object], shapes: Shapes) -> dict[str, object]:
            made = {name: shapes.of(schema) for name, schema in properties.items()}
            return {
                name: properties[name]
                for name, shape in made.items()
                if not (shape.read_only if sides.requests else shape.write_only)
            }

        return cls(seen(sides.old.properties, old), seen(sides.new.properties, new))

    @property
    def common(self) -> list[str]:
        return [name for name in self.old if name in self.new]


def member_aspects(sides: Sides, members: Members) -> Iterator[tuple[str, Aspect]]:
    """Each with the name of its property."""
    told = _requested if sides.requests else _answered
    for name in [*members.old, *(name for name in members.new if name not in members.old)]:
        for aspect in told(sides, name, was=name in members.old, is_=name in members.new):
            yield name, aspect


def suffix(name: str) -> str:
    """A property in a path."""
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f".{name}" if _PLAIN_NAME.fullmatch(name) else f'["{escaped}"]'


def _requested(sides: Sides, name: str, *, was: bool, is_: bool) -> Iterator[Aspect]:
    before, now = name in sides.old.required, name in sides.new.required
    if not is_ and sides.new.closed:
        yield Aspect("request-property-refused", "is gone, and what is not known is refused")
    elif not is_:
        yield Aspect("request-property-removed", "is gone: what a client sends there has no effect")
    elif not was:
        yield (
            Aspect("request-property-added-required", "is new, and required")
            if now
            else Aspect("request-property-added", "is new")
        )
    elif now and not before:
        yield Aspect("request-property-became-required", "is required now")
    elif before and not now:
        yield Aspect("request-property-became-optional", "is no longer required")


def _answered(sides: Sides, name: str, *, was: bool, is_: bool) -> Iterator[Aspect]:
    before, now = name in sides.old.required, name in sides.new.required
    if not is_:
        yield Aspect("response-property-removed", "is gone")
    elif not was:
        yield Aspect("response-property-added", "is new")
    elif before and not now:
        yield Aspect("response-property-became-optional", "was always there, may be missing now")
    elif now and not before:
        yield Aspect("response-property-became-required", "is always there now")
