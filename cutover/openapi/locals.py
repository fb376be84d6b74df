"""Two schemas themselves: what differs between them, and which of the schemas below them belong together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import zip_longest

from cutover.openapi.aspects import Aspect, Direction, Sides, aspects, beside, nullability, type_words
from cutover.openapi.matching import Alternative, Matching
from cutover.openapi.members import Members, member_aspects, suffix
from cutover.openapi.patience import Patience
from cutover.openapi.shapes import Shape, Shapes

_ANYTHING: dict[str, object] = {}


@dataclass(frozen=True)
class Local:
    """``aspects`` by the place that they are about; ``children`` by their place, old's and new's schema."""

    aspects: tuple[tuple[str, Aspect], ...] = ()
    children: tuple[tuple[str, object, object], ...] = ()


class Locals:
    """Each pair is compared once. Raises ``DocumentError`` when the time is over."""

    def __init__(self, old: Shapes, new: Shapes, patience: Patience) -> None:
        self.old = old
        self.new = new
        self.patience = patience
        self._known: dict[tuple[int, int, Direction, bool], Local] = {}
        self._matching = Matching(self)
        # With the shape each was made of: an id is its own only as long as it lives.
        self._never_null: dict[int, tuple[Shape, Shape]] = {}

    def of(self, sides: Sides) -> Local:
        key = (id(sides.old), id(sides.new), sides.direction, sides.wire)
        if key not in self._known:
            self.patience.spend()
            local = self._united(sides) if united(sides) else self._plain(sides)
            more = tuple(("", aspect) for aspect in beside(sides))
            self._known[key] = replace(local, aspects=(*local.aspects, *more)) if more else local
        return self._known[key]

    def alternatives(self, shape: Shape, shapes: Shapes) -> tuple[list[Alternative], bool]:
        """What a value may be, null apart; and whether it may be null."""
        if not shape.unions:
            return [Alternative("", self._without_null(shape))], shape.nullable
        named = {id(made): (shapes.name_of(branch), made) for branch in shape.unions[0] for made in [shapes.of(branch)]}
        nullable = shape.nullable or any(made.nullable and not made.says_nothing for _, made in named.values())
        return [Alternative(name, self._without_null(made)) for name, made in named.values()], nullable

    def _without_null(self, shape: Shape) -> Shape:
        if not shape.nullable:
            return shape
        if id(shape) not in self._never_null:
            self._never_null[id(shape)] = (shape, replace(shape, nullable=False))
        return self._never_null[id(shape)][1]

    def _plain(self, sides: Sides) -> Local:
        found = [("", aspect) for aspect in aspects(sides)]
        if any(aspect.final for _, aspect in found):
            return Local(tuple(found))
        members = Members.of(sides, self.old, self.new)
        found += [(suffix(name), aspect) for name, aspect in member_aspects(sides, members)]
        found += [("", aspect) for aspect in _closing(sides)]
        children = [(suffix(name), members.old[name], members.new[name]) for name in members.common]
        return Local(tuple(found), (*children, *_below(sides)))

    def _united(self, sides: Sides) -> Local:
        """Each alternative that is sent must be one that is taken."""
        old, old_null = self.alternatives(sides.old, self.old)
        new, new_null = self.alternatives(sides.new, self.new)
        whole = replace(sides, old=replace(sides.old, nullable=old_null), new=replace(sides.new, nullable=new_null))
        found = list(nullability(whole))
        sent, taken = (old, new) if sides.requests else (new, old)
        matched = self._matching.of(sent, taken, sides)
        id_ = "request-choice-removed" if sides.requests else "response-choice-added"
        told = "is no longer taken" if sides.requests else "is new"
        found += [Aspect(id_, f"the alternative {one.name or type_words(one.shape)} {told}") for one in matched.lost]
        told = "is taken now" if sides.requests else "is no longer sent"
        found += [
            Aspect(sides.harmless, f"the alternative {one.name or type_words(one.shape)} {told}")
            for one in matched.unused
        ]
        ordered = matched.pairs if sides.requests else [(taker, sender) for sender, taker in matched.pairs]
        return Local(
            tuple(("", aspect) for aspect in found), tuple(("", one.shape, other.shape) for one, other in ordered)
        )


def united(sides: Sides) -> bool:
    """Whether there are alternatives to be paired."""
    described = not (sides.old.says_nothing or sides.new.says_nothing)
    return described and bool(sides.old.unions or sides.new.unions)


def _closing(sides: Sides) -> Iterator[Aspect]:
    if "object" not in (sides.old.types or ()) or sides.old.closed == sides.new.closed or not sides.requests:
        return
    if sides.new.closed:
        yield Aspect("request-properties-closed", "properties that are not known are refused now")
    else:
        yield Aspect(sides.harmless, "properties that are not known are no longer refused")


def _below(sides: Sides) -> Iterator[tuple[str, object, object]]:
    """Items, and the values of a mapping; where one side does not describe them they may be anything."""
    old, new = sides.old, sides.new
    types = (old.types or frozenset()) & (new.types or frozenset())
    if "array" in types:
        rest = [_ANYTHING if shape.items is None else shape.items for shape in (old, new)]
        for number, (one, other) in enumerate(zip_longest(old.prefix, new.prefix)):
            yield f"[{number}]", rest[0] if one is None else one, rest[1] if other is None else other
        if rest != [_ANYTHING, _ANYTHING]:
            yield "[]", rest[0], rest[1]
    if "object" in types and not (old.closed or new.closed) and (old.additional, new.additional) != (None, None):
        one, other = (_ANYTHING if shape.additional is None else shape.additional for shape in (old, new))
        yield ".*", one, other
