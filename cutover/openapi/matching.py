"""Which alternatives of two unions belong together.

What is decided here are partners alone: they are compared afterwards, however alike they were found to be.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cutover.openapi.aspects import Direction, Sides
from cutover.openapi.levels import LEVELS, Level
from cutover.openapi.shapes import Shape

if TYPE_CHECKING:
    from cutover.openapi.locals import Locals

MAX_DEPTH = 6
# Beyond so many looks, those that follow are not deep.
MAX_LOOKS = 30_000

# Not what breaks a client for certain, but what tells one alternative from another.
_TELLING = frozenset({"response-choice-added", "response-enum-widened", "request-property-removed"})


@dataclass(frozen=True)
class Alternative:
    """``name`` is that of the schema in its document; empty where it has none."""

    name: str
    shape: Shape


@dataclass(frozen=True)
class Matched:
    """Pairs of sender and taker; those sent that nobody takes, and those taken that nobody sends."""

    pairs: list[tuple[Alternative, Alternative]]
    lost: list[Alternative]
    unused: list[Alternative]


class Matching:
    def __init__(self, locals_: Locals) -> None:
        self._locals = locals_
        self._known: dict[tuple[int, int, Direction, bool, bool, int], bool] = {}

    def of(self, sent: list[Alternative], taken: list[Alternative], sides: Sides) -> Matched:
        """By name, or else by what they hold; what is left over on both sides is one that was changed."""
        named = {other.name: other for other in taken if other.name}
        pairs = [(one, named[one.name]) for one in sent if one.name in named]
        lost: list[Alternative] = []
        back = sides.other_way()
        for one in sent:
            if one.name in named:
                continue
            # Those that have a name as it has, or none as it has none, come first.
            others = sorted(taken, key=lambda other: bool(other.name) != bool(one.name))
            fitting = [other for other in others if self._fits(one.shape, other.shape, sides)]
            mutual = [other for other in fitting if self._fits(other.shape, one.shape, back)]
            same = [other for other in mutual if self._fits(one.shape, other.shape, sides, strict=True)]
            if fitting:
                pairs.append((one, (same or mutual or fitting)[0]))
            else:
                lost.append(one)
        used = {id(other) for _, other in pairs}
        left = [other for other in taken if id(other) not in used]
        changed = _changed(lost, left, taken)
        lost = [one for one in lost if one not in [pair[0] for pair in changed]]
        left = [other for other in left if other not in [pair[1] for pair in changed]]
        unused = [other for other in left if not any(self._fits(other.shape, one.shape, back) for one in sent)]
        return Matched([*pairs, *changed], lost, [] if lost else unused)

    def _fits(self, sender: Shape, taker: Shape, like: Sides, *, strict: bool = False, depth: int = 0) -> bool:
        """Whether nothing between two schemas breaks a client, or (``strict``) is different at all."""
        if depth > (MAX_DEPTH if len(self._known) < MAX_LOOKS else 1):
            return True
        old, new = (sender, taker) if like.requests else (taker, sender)
        sides = replace(like, old=old, new=new)
        key = (id(old), id(new), sides.direction, sides.wire, strict, depth)
        if key not in self._known:
            self._locals.patience.spend()
            looked = self._alternatives_fit if old.unions or new.unions else self._itself_fits
            self._known[key] = looked(sides, strict=strict, depth=depth)
        return self._known[key]

    def _itself_fits(self, sides: Sides, *, strict: bool, depth: int) -> bool:
        local = self._locals.of(sides)
        if any(strict or LEVELS[aspect.id] is Level.BREAKING or aspect.id in _TELLING for _, aspect in local.aspects):
            return False
        below = [(self._locals.old.of(one), self._locals.new.of(other)) for _, one, other in local.children]
        ordered = below if sides.requests else [(other, one) for one, other in below]
        return all(self._fits(one, other, sides, strict=strict, depth=depth + 1) for one, other in ordered)

    def _alternatives_fit(self, sides: Sides, *, strict: bool, depth: int) -> bool:
        if sides.old.says_nothing or sides.new.says_nothing:
            return self._itself_fits(sides, strict=strict, depth=depth)
        old, old_null = self._locals.alternatives(sides.old, self._locals.old)
        new, new_null = self._locals.alternatives(sides.new, self._locals.new)
        sent, taken = (old, new) if sides.requests else (new, old)
        sent_null, taken_null = (old_null, new_null) if sides.requests else (new_null, old_null)
        if not sides.wire and sent_null != taken_null and (strict or sent_null):
            return False

        def fit(one: Alternative, other: Alternative) -> bool:
            return self._fits(one.shape, other.shape, sides, strict=strict, depth=depth + 1)

        if strict and not all(any(fit(one, other) for one in sent) for other in taken):
            return False
        return all(any(fit(one, other) for other in taken) for one in sent)


def _changed(
    lost: list[Alternative], left: list[Alternative], taken: list[Alternative]
) -> list[tuple[Alternative, Alternative]]:
    """What is left over on both sides, and the only one, or the only one of its type, is the same but for a change."""
    if len(taken) == 1:
        return [(one, taken[0]) for one in lost]
    if len(lost) == len(left) == 1:
        return [(lost[0], left[0])]
    types = [other.shape.types for other in left]
    of_type = {one.shape.types: one for one in lost}
    return [
        (one, left[types.index(kind)])
        for kind, one in of_type.items()
        if types.count(kind) == 1 and [other.shape.types for other in lost].count(kind) == 1
    ]
