"""Which item of old's list is which item of new's: so that one insertion is one finding."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from cutover.parity.document import Budget, same
from cutover.parity.unordered import Equality

# Above this many cells, items between two known pairs are paired in order instead of by likeness.
MAX_ALIGNMENT_CELLS = 2500
_LEAST_OVERLAP = 0.5
_FEW_DIFFERENCES = 2
_NODES_PER_ROW = 1000
_MAX_ZEROS = 4000
_USUAL_KEYS = ("id", "uuid", "uid", "pk", "key", "code", "slug", "name")

Content = Callable[[Any], int]
"""A number of an item that says which others are equal to it."""


@dataclass(slots=True)
class Pairing:
    """Indexes into both lists. ``moved`` is the least number of pairs to move to have new in old's order."""

    pairs: list[tuple[int, int]] = field(default_factory=list)
    missing: list[int] = field(default_factory=list)
    added: list[int] = field(default_factory=list)
    moved: int = 0
    by: str = "place"


def pair_items(
    old: list[Any], new: list[Any], key: str | None, budget: Budget, content: Content, equality: Equality | None = None
) -> Pairing:
    """Pair by ``key``, else by a field that is unique on both sides, else by equal content; the rest by likeness.

    ``content`` gives what counts as equal the same number. ``equality``, of a list whose order says nothing, goes
    before likeness and before mere content.

    Equal items at both ends are left out of ``pairs``: there is nothing to say about them.
    """
    head = _equal_head(old, new, budget)
    tail = _equal_tail(old, new, head, budget)
    ours, theirs = old[head : len(old) - tail], new[head : len(new) - tail]
    pairing = _pair_middle(ours, theirs, key, budget, content, equality)
    pairing.pairs = [(i + head, j + head) for i, j in pairing.pairs]
    pairing.missing = [i + head for i in pairing.missing]
    pairing.added = [j + head for j in pairing.added]
    return pairing


def _equal_head(old: list[Any], new: list[Any], budget: Budget) -> int:
    shorter = min(len(old), len(new))
    for index in range(shorter):
        budget.spend()
        if not same(old[index], new[index]):
            return index
    return shorter


def _equal_tail(old: list[Any], new: list[Any], head: int, budget: Budget) -> int:
    shorter = min(len(old), len(new)) - head
    for index in range(1, shorter + 1):
        budget.spend()
        if not same(old[-index], new[-index]):
            return index - 1
    return shorter


def _pair_middle(
    old: list[Any], new: list[Any], key: str | None, budget: Budget, content: Content, equality: Equality | None
) -> Pairing:
    if not old or not new:
        return Pairing(missing=list(range(len(old))), added=list(range(len(new))))
    field_name = key or _natural_key(old, new)
    pairs: list[tuple[int, int]] = []
    if field_name is not None:
        value_of = _key_token if key else _key_value
        pairs = _match([value_of(i, field_name) for i in old], [value_of(i, field_name) for i in new])
    ours, theirs = _left(pairs, old, new)
    if key is not None:
        # A record whose key stands on one side only is another one, whatever else it holds.
        ours = [i for i in ours if _key_token(old[i], key) is None]
        theirs = [j for j in theirs if _key_token(new[j], key) is None]
    elif field_name is not None and equality is None:
        ours, theirs = [], []
    pairs = sorted(pairs + _pair_by_content(ours, theirs, old, new, content, equality))
    in_order = _longest_increasing(pairs)
    pairing = Pairing(pairs, moved=len(pairs) - len(in_order), by=field_name or "content")
    pairing.missing, pairing.added = _left(pairs, old, new)
    # Where order says nothing, neither do neighbours.
    anchors = in_order if equality is None else []
    if key is None:
        _pair_left(pairing, old, new, anchors, budget)
    else:
        _pair_keyless(pairing, old, new, key, anchors, budget)
    return pairing


def _left(pairs: list[tuple[int, int]], old: list[Any], new: list[Any]) -> tuple[list[int], list[int]]:
    taken_old, taken_new = {i for i, _ in pairs}, {j for _, j in pairs}
    return [i for i in range(len(old)) if i not in taken_old], [j for j in range(len(new)) if j not in taken_new]


def _pair_by_content(
    ours: list[int], theirs: list[int], old: list[Any], new: list[Any], content: Content, equality: Equality | None
) -> list[tuple[int, int]]:
    if not ours or not theirs:
        return []
    equal: list[tuple[int, int]] = []
    if equality is not None:
        matched = equality.match([old[i] for i in ours], [new[j] for j in theirs])
        equal = [(ours[a], theirs[b]) for a, b in matched]
        taken_old, taken_new = {i for i, _ in equal}, {j for _, j in equal}
        ours = [i for i in ours if i not in taken_old]
        theirs = [j for j in theirs if j not in taken_new]
    pairs = _match([content(old[i]) for i in ours], [content(new[j]) for j in theirs])
    return equal + [(ours[a], theirs[b]) for a, b in pairs]


def _pair_keyless(
    pairing: Pairing, old: list[Any], new: list[Any], key: str, anchors: list[tuple[int, int]], budget: Budget
) -> None:
    """What lacks the key on both sides is paired as in a list without one."""
    keyed_old = [i for i in pairing.missing if _key_token(old[i], key) is not None]
    keyed_new = [j for j in pairing.added if _key_token(new[j], key) is not None]
    pairing.missing = [i for i in pairing.missing if _key_token(old[i], key) is None]
    pairing.added = [j for j in pairing.added if _key_token(new[j], key) is None]
    _pair_left(pairing, old, new, anchors, budget)
    pairing.missing = sorted(pairing.missing + keyed_old)
    pairing.added = sorted(pairing.added + keyed_new)


def _natural_key(old: list[Any], new: list[Any]) -> str | None:
    """A field that every record has once, of which most values stand on both sides; the usual names first."""
    if not all(type(item) is dict for items in (old, new) for item in items):
        return None
    names: list[str] = [n for n in old[0] if all(n in item for item in old) and all(n in item for item in new)]
    usual = {name: rank for rank, name in enumerate(_USUAL_KEYS)}
    names.sort(key=lambda n: (usual.get(n, len(usual) + (not n.endswith(("_id", "Id", "_uid")))), n))
    best: str | None = None
    best_overlap = _LEAST_OVERLAP
    for name in names:
        ours = {_key_value(item, name) for item in old}
        theirs = {_key_value(item, name) for item in new}
        if None in ours or None in theirs or len(ours) < len(old) or len(theirs) < len(new):
            continue
        overlap = len(ours & theirs) / min(len(ours), len(theirs))
        if overlap == 1:
            return name
        if overlap > best_overlap:
            best, best_overlap = name, overlap
    return best


def _key_value(item: Any, name: str) -> str | None:
    """Identity as text, so that 7 and "7" are one record and the type is a finding of its own."""
    value: object = item.get(name) if isinstance(item, dict) else None
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None


def _key_token(item: Any, name: str) -> str | None:
    """The same for a key of the plan, which may be a boolean or a decimal too; ``None`` for a record without one."""
    value: object = item.get(name) if isinstance(item, dict) else None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Decimal):
        return _plain(value)
    return _key_value(item, name)


def _plain(value: Decimal) -> str:
    """7.0 and 7.00 as 7, whose exponent is not beyond what is worth writing out."""
    if value == 0:
        return "0"
    if abs(int(value.as_tuple().exponent)) > _MAX_ZEROS:
        return str(value)
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _match(old: Sequence[Any], new: Sequence[Any]) -> list[tuple[int, int]]:
    """Equal tokens, each used once, the first with the first; ``None`` matches nothing. In old's order."""
    places: defaultdict[Any, deque[int]] = defaultdict(deque)
    for index, token in enumerate(new):
        if token is not None:
            places[token].append(index)
    return [(i, places[token].popleft()) for i, token in enumerate(old) if token is not None and places.get(token)]


def _longest_increasing(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The largest part of the pairs that stands in the same order on both sides."""
    tails: list[int] = []
    ends: list[int] = []
    before: list[int] = []
    for index, (_, j) in enumerate(pairs):
        place = bisect_left(tails, j)
        before.append(ends[place - 1] if place else -1)
        if place == len(tails):
            tails.append(j)
            ends.append(index)
        else:
            tails[place], ends[place] = j, index
    chain, index = [], ends[-1] if ends else -1
    while index >= 0:
        chain.append(pairs[index])
        index = before[index]
    return chain[::-1]


def _pair_left(
    pairing: Pairing, old: list[Any], new: list[Any], anchors: list[tuple[int, int]], budget: Budget
) -> None:
    """Pair what is left over between the same neighbours, where it is alike; the rest is missing and added."""
    gaps: defaultdict[int, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    old_anchors, new_anchors = [i for i, _ in anchors], [j for _, j in anchors]
    for i in pairing.missing:
        gaps[bisect_left(old_anchors, i)][0].append(i)
    for j in pairing.added:
        gaps[bisect_left(new_anchors, j)][1].append(j)
    pairing.missing, pairing.added = [], []
    for ours, theirs in gaps.values():
        aligned = _align([old[i] for i in ours], [new[j] for j in theirs], budget)
        pairing.pairs.extend((ours[a], theirs[b]) for a, b in aligned)
        taken_old, taken_new = {a for a, _ in aligned}, {b for _, b in aligned}
        pairing.missing.extend(i for a, i in enumerate(ours) if a not in taken_old)
        pairing.added.extend(j for b, j in enumerate(theirs) if b not in taken_new)


def _align(old: list[Any], new: list[Any], budget: Budget) -> list[tuple[int, int]]:
    if len(old) == len(new) or len(old) * len(new) > MAX_ALIGNMENT_CELLS:
        return [(k, k) for k, (a, b) in enumerate(zip(old, new, strict=False)) if alike(a, b) or _another_kind(a, b)]
    return _best_alignment(len(old), len(new), lambda i, j: _score(old[i], new[j]), budget)


def _best_alignment(
    rows: int, columns: int, score: Callable[[int, int], float], budget: Budget
) -> list[tuple[int, int]]:
    """Needleman-Wunsch: the alignment in order with the greatest sum of scores; only positive ones pair."""
    best = [[0.0] * (columns + 1) for _ in range(rows + 1)]
    likeness = []
    for i in range(rows):
        budget.spend(nodes=_NODES_PER_ROW)
        likeness.append([score(i, j) for j in range(columns)])
    for i in range(rows - 1, -1, -1):
        for j in range(columns - 1, -1, -1):
            best[i][j] = max(best[i + 1][j], best[i][j + 1], best[i + 1][j + 1] + likeness[i][j])
    aligned, i, j = [], 0, 0
    while i < rows and j < columns:
        if likeness[i][j] > 0 and best[i][j] == best[i + 1][j + 1] + likeness[i][j]:
            aligned.append((i, j))
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            i += 1
        else:
            j += 1
    return aligned


def alike(old: Any, new: Any) -> bool:
    """Whether two items are one that changed, rather than two: half of the members, or all but two, are equal."""
    if type(old) is not dict or type(new) is not dict:
        return type(old) is not dict and type(new) is not dict
    differing = _differing_members(old, new)
    return differing <= max(_FEW_DIFFERENCES, len(old.keys() | new.keys()) // 2)


def _another_kind(old: Any, new: Any) -> bool:
    """A record in the place of what was none: rows that were lists and became objects."""
    return (type(old) is dict) is not (type(new) is dict)


def _score(old: Any, new: Any) -> float:
    if not alike(old, new):
        return 0.0
    if type(old) is not dict:
        return 0.5 if type(old) is type(new) else 0.1
    members = len(old.keys() | new.keys())
    return 1.0 if not members else 0.1 + (members - _differing_members(old, new)) / members


def _differing_members(old: dict[str, Any], new: dict[str, Any]) -> int:
    return sum(
        1 for name in old.keys() | new.keys() if name not in old or name not in new or not same(old[name], new[name])
    )
