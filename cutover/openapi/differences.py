"""Old's schema of one body or parameter against new's.

Who sends must send what the other takes. A request is sent by a client that knows old, and taken by new; a response
is sent by new, and taken by a client that knows old. A schema that a body uses in several places is told once, at its
shortest path.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from cutover.openapi.aspects import Aspect, Direction, Sides
from cutover.openapi.document import Document
from cutover.openapi.locals import Locals
from cutover.openapi.patience import Patience
from cutover.openapi.shapes import Shapes


@dataclass(frozen=True)
class Difference:
    """``path`` is within the body, as in ``$.results[].id``. ``id`` is one of ``LEVELS``."""

    id: str
    path: str
    message: str


@dataclass(eq=False, slots=True)
class _Pair:
    """Two schemas. ``clean``: neither in them nor anywhere below them is a difference."""

    sides: Sides
    aspects: tuple[tuple[str, Aspect], ...] = ()
    below: list[tuple[str, _Pair]] | None = None
    judged: bool = False
    clean: bool = False


@dataclass(frozen=True)
class _Visit:
    """A pair, and the way to it."""

    pair: _Pair
    place: str = "$"
    above: _Visit | None = field(default=None, repr=False)

    def path(self) -> str:
        places: list[str] = []
        visit: _Visit | None = self
        while visit is not None:
            places.append(visit.place)
            visit = visit.above
        return "".join(reversed(places))


class Schemas:
    """The schemas of two documents."""

    def __init__(self, old: Document, new: Document, patience: Patience) -> None:
        self._old = Shapes(old.references)
        self._new = Shapes(new.references)
        self._patience = patience
        self._locals = Locals(self._old, self._new, patience)
        self._pairs: dict[tuple[int, int, Direction, bool], _Pair] = {}
        self._found: dict[int, list[Difference]] = {}

    def differences(self, old: object, new: object, direction: Direction, *, wire: bool = False) -> list[Difference]:
        """With ``wire`` both are texts on their way, as parameters and headers are.

        Raises ``DocumentError`` when the time is over.
        """
        root = self._pair(old, new, direction, wire=wire)
        if id(root) not in self._found:
            visits = self._visits(root)
            self._judge([visit.pair for visit in visits])
            self._found[id(root)] = [
                Difference(aspect.id, visit.path() + place, aspect.message)
                for visit in visits
                for place, aspect in visit.pair.aspects
            ]
        return self._found[id(root)]

    def composed(self, old: object, new: object) -> bool:
        """Whether either may be a list or an object."""
        shapes = (self._old.of(old), self._new.of(new))
        return any({"array", "object"} & (shape.types or frozenset()) for shape in shapes)

    def _pair(self, old: object, new: object, direction: Direction, *, wire: bool) -> _Pair:
        sides = Sides(self._old.of(old), self._new.of(new), direction, wire)
        key = (id(sides.old), id(sides.new), direction, wire)
        if key not in self._pairs:
            self._pairs[key] = _Pair(sides)
        return self._pairs[key]

    def _below(self, pair: _Pair) -> list[tuple[str, _Pair]]:
        if pair.below is None:
            local = self._locals.of(pair.sides)
            pair.aspects = local.aspects
            direction, wire = pair.sides.direction, pair.sides.wire
            pair.below = [(place, self._pair(one, other, direction, wire=wire)) for place, one, other in local.children]
        return pair.below

    def _visits(self, root: _Pair) -> list[_Visit]:
        """Every pair that can be reached and is not known to be clean, the nearest first."""
        visits = [_Visit(root)]
        seen = {id(root)}
        for visit in visits:
            self._patience.spend()
            for place, pair in self._below(visit.pair):
                if not pair.clean and id(pair) not in seen:
                    seen.add(id(pair))
                    visits.append(_Visit(pair, place, visit))
        return visits

    def _judge(self, pairs: list[_Pair]) -> None:
        """Say of all that can be reached from one pair which have no difference below them."""
        if all(pair.judged for pair in pairs):
            return
        above: dict[int, list[_Pair]] = defaultdict(list)
        for pair in pairs:
            for _, below in pair.below or ():
                above[id(below)].append(pair)
        unclean = [pair for pair in pairs if pair.aspects]
        seen = {id(pair) for pair in unclean}
        for pair in unclean:
            for one in above[id(pair)]:
                if id(one) not in seen:
                    seen.add(id(one))
                    unclean.append(one)
        for pair in pairs:
            pair.judged = True
            pair.clean = id(pair) not in seen
