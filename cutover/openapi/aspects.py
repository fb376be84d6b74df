"""What two schemas say of a value itself: its type, whether it may be null, its values, format, limits and default."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from cutover.openapi.bounds import NAMES, Bound, tighter
from cutover.openapi.shapes import Shape

MAX_LISTED = 5

_WIDTHS = frozenset({"int32", "int64"})
_SCALARS = frozenset({"integer", "number", "boolean", "string"})


class Direction(StrEnum):
    """Who sends is old's client in a request, and new in a response; the other takes."""

    REQUEST = "request"
    RESPONSE = "response"


@dataclass(frozen=True)
class Aspect:
    """``id`` is one of ``LEVELS``. After a ``final`` one there is no point in comparing further."""

    id: str
    message: str
    final: bool = False


@dataclass(frozen=True)
class Sides:
    """Two shapes. On the ``wire``, as parameters and headers are, any value is a text, and none is null."""

    old: Shape
    new: Shape
    direction: Direction
    wire: bool = False

    @property
    def requests(self) -> bool:
        return self.direction is Direction.REQUEST

    @property
    def sender(self) -> Shape:
        return self.old if self.requests else self.new

    @property
    def taker(self) -> Shape:
        return self.new if self.requests else self.old

    def other_way(self) -> Sides:
        """The same two shapes, sent by the one that took."""
        return replace(self, direction=Direction.RESPONSE if self.requests else Direction.REQUEST)

    @property
    def harmless(self) -> str:
        """The id of a change by which more is taken, or less is sent."""
        return "request-widened" if self.requests else "response-narrowed"


def beside(sides: Sides) -> Iterator[Aspect]:
    """What is said beside the types, of unions too."""
    for side, shape in (("old", sides.old), ("new", sides.new)):
        if shape.odd:
            yield Aspect(
                "schema-not-understood", f"{side}'s schema is not understood, nor compared in that: {shape.odd}"
            )
    old, new = sides.old.discriminator, sides.new.discriminator
    if old and new and old != new:
        message = f"alternatives were told apart by {json.dumps(old)}, are by {json.dumps(new)}"
        yield Aspect(f"{sides.direction}-discriminator-changed", message)
    yield from _dependencies(sides)


def _dependencies(sides: Sides) -> Iterator[Aspect]:
    """Properties that must be there if another is."""
    sent, taken = ({*shape.dependent} for shape in (sides.sender, sides.taker))
    for name, needed in sorted(taken - sent):
        if needed in sides.sender.required or needed in sides.taker.required:
            continue
        if sides.requests:
            yield Aspect("request-dependency-added", f"{json.dumps(name)} needs {json.dumps(needed)} beside it now")
        else:
            message = f"{json.dumps(name)} may come without {json.dumps(needed)} now"
            yield Aspect("response-dependency-removed", message)
    for name, needed in sorted(sent - taken):
        told = "no longer needs" if sides.requests else "never comes without"
        yield Aspect(sides.harmless, f"{json.dumps(name)} {told} {json.dumps(needed)} beside it")


def aspects(sides: Sides) -> Iterator[Aspect]:
    """From the one that says most."""
    if sides.old.says_nothing or sides.new.says_nothing:
        yield from _description(sides)
        return
    if not types_taken(sides.sender, sides.taker, wire=sides.wire):
        message = f"was {type_words(sides.old)}, is {type_words(sides.new)}"
        yield Aspect(f"{sides.direction}-type-changed", message, final=True)
        return
    yield from nullability(sides)
    if not types_taken(sides.taker, sides.sender, wire=sides.wire):
        yield Aspect(sides.harmless, f"was {type_words(sides.old)}, is {type_words(sides.new)}")
    yield from _values(sides)
    yield from _format(sides)
    if sides.sender.values is None:
        yield from _limits(sides)
    yield from _pattern(sides)
    yield from _default(sides)


def types_taken(sender: Shape, taker: Shape, *, wire: bool) -> bool:
    if taker.types is None:
        return True
    if sender.types is None:
        return False
    if wire and sender.values is not None and taker.values is not None:
        return True
    texts = wire and "string" in taker.types and not (taker.format or taker.pattern or taker.values)
    return all(
        kind in taker.types or (kind == "integer" and "number" in taker.types) or (texts and kind in _SCALARS)
        for kind in sender.types
    )


def type_words(shape: Shape) -> str:
    """The types of a shape, for people."""
    if shape.types is None:
        return "anything"
    return " or ".join(sorted(shape.types)) or "null"


def nullability(sides: Sides) -> Iterator[Aspect]:
    if sides.wire or sides.old.nullable == sides.new.nullable:
        return
    if sides.sender.nullable:
        id_ = "request-became-not-nullable" if sides.requests else "response-became-nullable"
    else:
        id_ = sides.harmless
    yield Aspect(id_, "may be null now" if sides.new.nullable else "may no longer be null")


def _description(sides: Sides) -> Iterator[Aspect]:
    if sides.old.says_nothing and sides.new.says_nothing:
        return
    if sides.taker.says_nothing:
        id_ = sides.harmless
    else:
        id_ = "request-now-described" if sides.requests else "response-no-longer-described"
    message = f"was {type_words(sides.old)}, is {type_words(sides.new)}"
    yield Aspect(id_, message, final=True)


def _values(sides: Sides) -> Iterator[Aspect]:
    sent, taken = _listed(sides.sender, wire=sides.wire), _listed(sides.taker, wire=sides.wire)
    if sent == taken:
        return
    broken = "request-enum-narrowed" if sides.requests else "response-enum-widened"
    if taken is None:
        id_, message = sides.harmless, f"was any value, is one of {_enumerated(sent)}"
        if sides.requests:
            message = f"was one of {_enumerated(sent)}, is any value"
        yield Aspect(id_, message)
    elif sent is None:
        message = f"was one of {_enumerated(taken)}, is any value"
        if sides.requests:
            message = f"was any value, is one of {_enumerated(taken)}"
        yield Aspect(broken, message)
    elif (more := sent - taken) and (gone := taken - sent) and not sides.requests:
        yield Aspect("response-enum-changed", f"{_enumerated(gone)} no longer sent, {_enumerated(more)} sent now")
    elif more:
        yield Aspect(broken, f"{_enumerated(more)} {'no longer taken' if sides.requests else 'may be sent now'}")
    else:
        message = f"{_enumerated(taken - sent)} {'taken now' if sides.requests else 'no longer sent'}"
        yield Aspect(sides.harmless, message)


def _listed(shape: Shape, *, wire: bool) -> frozenset[str] | None:
    if shape.values is None:
        return None
    return frozenset(value.strip('"') if wire else value for value in shape.values)


def _enumerated(values: frozenset[str] | None) -> str:
    listed = sorted(values or ())
    more = f" and {len(listed) - MAX_LISTED} more" if len(listed) > MAX_LISTED else ""
    return ", ".join(listed[:MAX_LISTED]) + more


def _format(sides: Sides) -> Iterator[Aspect]:
    sent, taken = sides.sender.format, sides.taker.format
    if sent == taken:
        return
    message = f"format was {sides.old.format or 'free'}, is {sides.new.format or 'free'}"
    if {sent, taken} & _WIDTHS:
        if (sent, taken) == ("int64", "int32"):
            yield Aspect("integer-width-changed", message)
    elif not taken:
        yield Aspect(sides.harmless, message)
    elif not sent and not sides.requests:
        yield Aspect("response-format-removed", message)
    else:
        yield Aspect(f"{sides.direction}-format-changed", message)


def _limits(sides: Sides) -> Iterator[Aspect]:
    for name in NAMES:
        sent, taken = (shape.bounds.by_name.get(name) for shape in (sides.sender, sides.taker))
        if sent == taken:
            continue
        message = _limit_words(name, sides.old.bounds.by_name.get(name), sides.new.bounds.by_name.get(name))
        if taken is None or (sent is not None and tighter(name, sent, taken)):
            yield Aspect(sides.harmless, message)
        elif not sides.requests:
            yield Aspect("response-limit-loosened", message)
        else:
            yield Aspect("request-limit-added" if sent is None else "request-limit-tightened", message)


def _limit_words(name: str, old: Bound | None, new: Bound | None) -> str:
    if new is None:
        return f"no longer has {name} {old}"
    return f"has {name} {new} now" if old is None else f"{name} was {old}, is {new}"


def _pattern(sides: Sides) -> Iterator[Aspect]:
    old, new = sides.old.pattern, sides.new.pattern
    if old == new:
        return
    message = f"pattern was {json.dumps(old) if old else 'free'}, is {json.dumps(new) if new else 'free'}"
    if sides.requests:
        yield Aspect("request-pattern-changed" if new else "request-widened", message)
    else:
        yield Aspect("response-pattern-changed", message)


def _default(sides: Sides) -> Iterator[Aspect]:
    """A document that does not tell a default leaves it open; two that tell different ones do not agree."""
    old, new = sides.old.default, sides.new.default
    if sides.wire:
        old, new = old.strip('"'), new.strip('"')
    if sides.requests and old and new and old != new:
        id_ = "parameter-default-changed" if sides.wire else "request-default-changed"
        yield Aspect(id_, f"default was {old}, is {new}")
