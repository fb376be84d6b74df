"""Old's schema of one body or parameter against new's.

Who sends must send what the other takes. A request is sent by a client that knows old, and taken by new; a response
is sent by new, and taken by a client that knows old. A schema that a body uses in several places is told once, at its
shortest path.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace

from cutover.openapi.aspects import Aspect, Direction, Sides, aspects, nullability, type_words
from cutover.openapi.document import Document
from cutover.openapi.errors import DocumentError
from cutover.openapi.levels import LEVELS, Level
from cutover.openapi.members import Members, member_aspects, suffix
from cutover.openapi.shapes import Shape, Shapes

MAX_COMPARED = 300_000
# How deep two alternatives are looked into to find which belong together.
MAX_MATCH_DEPTH = 8


@dataclass(frozen=True)
class Difference:
    """``path`` is within the body, as in ``$.results[].id``. ``id`` is one of ``LEVELS``."""

    id: str
    path: str
    message: str


@dataclass(frozen=True)
class _Local:
    """What differs between two schemas themselves, by path, and what is to be compared below them."""

    aspects: tuple[tuple[str, Aspect], ...] = ()
    children: tuple[tuple[str, object, object], ...] = ()


class Schemas:
    """The schemas of two documents."""

    def __init__(self, old: Document, new: Document) -> None:
        self._old = Shapes(old.references)
        self._new = Shapes(new.references)
        self._name = new.name
        self._known: dict[tuple[int, int, Direction, bool], _Local] = {}
        # With the shape each was made of: an id is its own only as long as it lives.
        self._never_null: dict[int, tuple[Shape, Shape]] = {}
        self._fitting: dict[tuple[int, int, Direction, bool, bool, int], bool] = {}
        self._count = 0

    def differences(self, old: object, new: object, direction: Direction, *, wire: bool = False) -> list[Difference]:
        """With ``wire`` both are texts on their way, as parameters and headers are.

        Raises ``DocumentError`` where the documents together are too large to be compared.
        """
        found: list[Difference] = []
        left: deque[tuple[str, object, object]] = deque([("$", old, new)])
        seen: set[tuple[int, int]] = set()
        while left:
            path, one, other = left.popleft()
            sides = Sides(self._old.of(one), self._new.of(other), direction, wire)
            if (id(sides.old), id(sides.new)) in seen:
                continue
            seen.add((id(sides.old), id(sides.new)))
            local = self._local(sides)
            found += [Difference(aspect.id, path + place, aspect.message) for place, aspect in local.aspects]
            left.extend((path + place, one, other) for place, one, other in local.children)
        return found

    def composed(self, old: object, new: object) -> bool:
        """Whether either may be a list or an object."""
        shapes = (self._old.of(old), self._new.of(new))
        return any({"array", "object"} & (shape.types or frozenset()) for shape in shapes)

    def _local(self, sides: Sides) -> _Local:
        self._spend()
        key = (id(sides.old), id(sides.new), sides.direction, sides.wire)
        if key not in self._known:
            self._known[key] = self._united(sides) if united(sides) else self._plain(sides)
        return self._known[key]

    def _spend(self) -> None:
        self._count += 1
        if self._count > MAX_COMPARED:
            raise DocumentError(self._name, f"too large to be compared with old's: more than {MAX_COMPARED:,} schemas")

    def _plain(self, sides: Sides) -> _Local:
        found = [("", aspect) for aspect in aspects(sides)]
        if any(aspect.final for _, aspect in found):
            return _Local(tuple(found))
        members = Members.of(sides, self._old, self._new)
        found += [(suffix(name), aspect) for name, aspect in member_aspects(sides, members)]
        found += [("", aspect) for aspect in _closing(sides)]
        children = [(suffix(name), members.old[name], members.new[name]) for name in members.common]
        return _Local(tuple(found), (*children, *_below(sides)))

    def _united(self, sides: Sides) -> _Local:
        """Each alternative that is sent must be one that is taken."""
        old, old_null = self._alternatives(sides.old, self._old)
        new, new_null = self._alternatives(sides.new, self._new)
        whole = replace(sides, old=replace(sides.old, nullable=old_null), new=replace(sides.new, nullable=new_null))
        found = list(nullability(whole))
        sent, taken = (old, new) if sides.requests else (new, old)
        pairs, lost, unused = self._matched(sent, taken, sides)
        if len(taken) == 1 or (len(lost) == 1 and len(unused) == 1):
            pairs += [(one, (unused or taken)[0]) for one in lost]
            lost, unused = [], []
        id_ = "request-choice-removed" if sides.requests else "response-choice-added"
        told = "is no longer taken" if sides.requests else "is new"
        found += [Aspect(id_, f"the alternative {type_words(one)} {told}") for one in lost]
        told = "is taken now" if sides.requests else "is no longer sent"
        found += [Aspect(sides.harmless, f"the alternative {type_words(one)} {told}") for one in unused]
        ordered = pairs if sides.requests else [(taker, sender) for sender, taker in pairs]
        return _Local(tuple(("", aspect) for aspect in found), tuple(("", one, other) for one, other in ordered))

    def _alternatives(self, shape: Shape, shapes: Shapes) -> tuple[list[Shape], bool]:
        """What a value may be, null apart; and whether it may be null."""
        if not shape.unions:
            return [self._without_null(shape)], shape.nullable
        branches = {id(made): made for branch in shape.unions[0] for made in [shapes.of(branch)]}.values()
        nullable = shape.nullable or any(branch.nullable and not branch.says_nothing for branch in branches)
        return [self._without_null(branch) for branch in branches], nullable

    def _without_null(self, shape: Shape) -> Shape:
        if not shape.nullable:
            return shape
        if id(shape) not in self._never_null:
            self._never_null[id(shape)] = (shape, replace(shape, nullable=False))
        return self._never_null[id(shape)][1]

    def _matched(
        self, sent: list[Shape], taken: list[Shape], sides: Sides
    ) -> tuple[list[tuple[Shape, Shape]], list[Shape], list[Shape]]:
        """Which belong together, which sent ones nobody takes, and which taken ones nobody sends."""
        pairs: list[tuple[Shape, Shape]] = []
        lost: list[Shape] = []
        back = sides.other_way()
        for one in sent:
            fitting = [other for other in taken if self._fits(one, other, sides)]
            mutual = [other for other in fitting if self._fits(other, one, back)]
            same = [other for other in mutual if self._fits(one, other, sides, strict=True)]
            if not fitting:
                lost.append(one)
            else:
                pairs.append((one, (same or mutual or fitting)[0]))
        used = {id(other) for _, other in pairs}
        unused = [other for other in taken if id(other) not in used]
        return pairs, lost, [o for o in unused if not any(self._fits(o, one, back) for one in sent)]

    def _fits(self, sender: Shape, taker: Shape, like: Sides, *, strict: bool = False, depth: int = 0) -> bool:
        """Whether nothing between two schemas breaks a client, or (``strict``) is different at all.

        What lies deeper than ``MAX_MATCH_DEPTH`` is taken to fit: this only finds partners, which are then compared.
        """
        if depth > MAX_MATCH_DEPTH:
            return True
        old, new = (sender, taker) if like.requests else (taker, sender)
        sides = replace(like, old=old, new=new)
        key = (id(old), id(new), sides.direction, sides.wire, strict, depth)
        if key not in self._fitting:
            self._fitting[key] = (
                self._united_fit(sides, strict=strict, depth=depth)
                if united(sides)
                else self._fit(sides, strict=strict, depth=depth)
            )
        return self._fitting[key]

    def _fit(self, sides: Sides, *, strict: bool, depth: int) -> bool:
        local = self._local(sides)
        if any(strict or LEVELS[aspect.id] is Level.BREAKING or aspect.id in _UNFIT for _, aspect in local.aspects):
            return False
        below = [(self._old.of(one), self._new.of(other)) for _, one, other in local.children]
        ordered = below if sides.requests else [(other, one) for one, other in below]
        return all(self._fits(one, other, sides, strict=strict, depth=depth + 1) for one, other in ordered)

    def _united_fit(self, sides: Sides, *, strict: bool, depth: int) -> bool:
        self._spend()
        old, old_null = self._alternatives(sides.old, self._old)
        new, new_null = self._alternatives(sides.new, self._new)
        sent, taken = (old, new) if sides.requests else (new, old)
        nulls = (old_null, new_null) if sides.requests else (new_null, old_null)
        if not sides.wire and nulls[0] != nulls[1] and (strict or nulls[0]):
            return False

        def fit(one: Shape, other: Shape) -> bool:
            return self._fits(one, other, sides, strict=strict, depth=depth + 1)

        if strict and not all(any(fit(one, other) for one in sent) for other in taken):
            return False
        return all(any(fit(one, other) for other in taken) for one in sent)


# Not what breaks a client for certain, but what tells one alternative from another.
_UNFIT = frozenset({"response-choice-added", "response-enum-widened", "request-property-removed"})


def united(sides: Sides) -> bool:
    """Whether alternatives are to be paired."""
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
    """Items, and the values of a mapping."""
    old, new = sides.old, sides.new
    for number, (one, other) in enumerate(zip(old.prefix, new.prefix, strict=False)):
        yield f"[{number}]", one, other
    if old.items is not None and new.items is not None:
        yield "[]", old.items, new.items
    if old.additional is not None and new.additional is not None:
        yield ".*", old.additional, new.additional
