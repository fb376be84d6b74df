"""Lists whose order says nothing: pairing items that are equal by the plan's rules, though not by their content."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

# Above this many cells, items of one sketch are paired in the order of their numbers.
MAX_MATCHED_CELLS = 2500

# What an item holds but for the numbers that have a tolerance; and those numbers.
Sketch = tuple[int, tuple[int | Decimal, ...]]


@dataclass(frozen=True, slots=True)
class Equality:
    """Items of different sketches are never equal; of those of the same, ``equal`` knows."""

    sketch: Callable[[Any], Sketch]
    equal: Callable[[Any, Any], bool]

    def match(self, old: list[Any], new: list[Any]) -> list[tuple[int, int]]:
        """As many pairs of equal items as there can be; in very long lists, as the order of their numbers gives."""
        groups: defaultdict[int, tuple[list[_Item], list[_Item]]] = defaultdict(lambda: ([], []))
        for side, items in enumerate((old, new)):
            for index, item in enumerate(items):
                rest, numbers = self.sketch(item)
                groups[rest][side].append((numbers, index))
        pairs: list[tuple[int, int]] = []
        for ours, theirs in groups.values():
            one, other = ([index for _, index in sorted(side)] for side in (ours, theirs))
            match = _match_best if len(one) * len(other) <= MAX_MATCHED_CELLS else _match_in_order
            pairs += match(one, other, lambda i, j: self.equal(old[i], new[j]))
        return sorted(pairs)


_Item = tuple[tuple[int | Decimal, ...], int]


def _match_best(ours: list[int], theirs: list[int], equal: Callable[[int, int], bool]) -> list[tuple[int, int]]:
    """Kuhn's algorithm: a pair is given up where that makes room for one more."""
    partners = {i: [j for j in theirs if equal(i, j)] for i in ours}
    taken: dict[int, int] = {}

    def place(i: int, tried: set[int]) -> bool:
        for j in partners[i]:
            if j not in tried:
                tried.add(j)
                if j not in taken or place(taken[j], tried):
                    taken[j] = i
                    return True
        return False

    for i in ours:
        place(i, set())
    return [(i, j) for j, i in taken.items()]


def _match_in_order(ours: list[int], theirs: list[int], equal: Callable[[int, int], bool]) -> list[tuple[int, int]]:
    return [(i, j) for i, j in zip(ours, theirs, strict=False) if equal(i, j)]
