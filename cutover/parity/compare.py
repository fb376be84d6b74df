"""Two documents: drop what is ignored, then walk what differs, and only that."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from cutover.parity.brief import brief
from cutover.parity.document import Budget, kind_of, same
from cutover.parity.endpoints import is_id
from cutover.parity.findings import ABSENT, Findings, Kind, Level, Record
from cutover.parity.fingerprint import fingerprint_under, sketch_under
from cutover.parity.jsonpath import JsonPath, State, member
from cutover.parity.masking import is_secret_at
from cutover.parity.pair import Content, Pairing, pair_items
from cutover.parity.rules import How, Rules
from cutover.parity.scalars import PROPOSED_TOLERANCE, judge
from cutover.parity.terms import Terms
from cutover.parity.unordered import Equality

_ENVELOPE_LISTS = ("results", "items", "data", "records", "content")
_LINK_NAMES = frozenset({"next", "previous", "prev", "first", "last"})
_SHORT = 60
MIN_MAP_MEMBERS = 5
_CONTAINERS = frozenset({dict, list})
HowState = State[tuple[str, Any]]


@dataclass(frozen=True, slots=True)
class Kept:
    """A document without what ``ignore`` names. ``emptied``: something was dropped, and nothing is left."""

    document: Any
    emptied: bool = False


def drop_ignored(document: Any, rules: Rules, budget: Budget) -> Kept:
    """Takes the document itself apart: what is walked but not dropped costs no memory."""
    if rules.ignore.found:
        rules.use(rules.ignore)
        return Kept(ABSENT, emptied=True)
    drop = _Drop(budget)
    drop.inside(document, rules.ignore, 0)
    for state in drop.hit:
        rules.use(state)
    return Kept(document, emptied=bool(drop.hit) and not holds_anything(document))


class _Drop:
    """``hit`` are the states of places that were dropped."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.hit: set[State[JsonPath]] = set()

    def inside(self, value: Any, state: State[JsonPath], depth: int) -> None:
        if state.dead:
            return
        if type(value) is dict:
            self.members(value, state, depth)
        elif type(value) is list:
            self.items(value, state, depth)

    def members(self, value: dict[str, Any], state: State[JsonPath], depth: int) -> None:
        named, other = state.names, state.other
        if not named.keys().isdisjoint(value):
            self.named(value, named, depth)
        if other.found:
            for name in value.keys() - named.keys():
                self.hit.add(other)
                del value[name]
        elif not other.dead:
            self.budget.spend(depth)
            for name, one in value.items():
                if type(one) is dict and name not in named:
                    self.members(one, other, depth + 1)
                elif type(one) is list and name not in named:
                    self.items(one, other, depth + 1)

    def named(self, value: dict[str, Any], named: dict[str, State[JsonPath]], depth: int) -> None:
        for name in named.keys() & value.keys():
            if self.drops(named[name]):
                del value[name]
            else:
                self.inside(value[name], named[name], depth + 1)

    def items(self, value: list[Any], state: State[JsonPath], depth: int) -> None:
        self.budget.spend(depth, len(value))
        counted, every = state.indexes, state.items
        if counted or not every.dead:
            for index, one in enumerate(value):
                if type(one) in _CONTAINERS:
                    below = counted.get(index, every) if counted else every
                    if not below.found:
                        self.inside(one, below, depth + 1)
        if counted or every.found:
            value[:] = [one for index, one in enumerate(value) if not self.drops(counted.get(index, every))]

    def drops(self, state: State[JsonPath]) -> bool:
        if state.found:
            self.hit.add(state)
        return bool(state.found)


def holds_anything(value: Any) -> bool:
    """Whether there is one value left in it that a comparison could look at."""
    stack = [value]
    while stack:
        one = stack.pop()
        if type(one) is dict:
            stack.extend(one.values())
        elif type(one) is list:
            stack.extend(one)
        elif one is not ABSENT:
            return True
    return False


@dataclass(frozen=True, slots=True)
class Place:
    """A place in both documents. ``path`` is index-free, ``where`` has the indexes of old.

    ``name`` is that of the member that it is, or is an item of.
    """

    state: HowState
    path: str = "$"
    where: str = "$"
    depth: int = 0
    name: str = ""

    def member(self, name: str, *, of_map: bool = False) -> Place:
        """``of_map``: the names are ids, so that findings of all its members are one."""
        path = f"{self.path}.*" if of_map else member(self.path, name)
        return Place(self.state.name(name), path, member(self.where, name), self.depth + 1, name)

    def item(self, index: int) -> Place:
        return Place(self.state.item(index), f"{self.path}[]", f"{self.where}[{index}]", self.depth + 1, self.name)


def _is_map(value: dict[str, Any]) -> bool:
    """Whether an object's members are named by ids, as in ``{"17": {...}, "18": {...}}``."""
    return len(value) >= MIN_MAP_MEMBERS and all(map(is_id, value))


def compare_documents(old: Any, new: Any, terms: Terms) -> Findings:
    """The differences of two documents from which the ignored has been dropped."""
    findings = Findings()
    if not same(old, new):
        _Walk(terms, findings).value(old, new, Place(terms.rules.how))
    return findings


class _Walk:
    """One comparison."""

    def __init__(self, terms: Terms, findings: Findings) -> None:
        self.terms = terms
        self.rules = terms.rules
        self.origins = terms.origins
        self.budget = terms.budget
        self.findings = findings

    def value(self, old: Any, new: Any, place: Place) -> None:
        self.budget.spend(place.depth)
        if type(old) is dict and type(new) is dict:
            self.members(old, new, place)
        elif type(old) is list and type(new) is list:
            self.items(old, new, place)
        elif (envelope := _envelope(old, new)) is not None:
            side, name = envelope
            message = f"{side} wraps its list in an object"
            cure = f"unwrap: {{{side}: {member(place.path, name)}}}" if place.path == "$" else ""
            self.findings.add(Kind.TYPE, place.path, old, new, message=message, cure=cure, where=place.where)
        else:
            self.scalar(old, new, place)

    def members(self, old: dict[str, Any], new: dict[str, Any], place: Place) -> None:
        before = len(self.findings.tallies)
        of_map = _is_map(old)
        for name, mine in old.items():
            theirs = new.get(name, ABSENT)
            if mine is theirs:
                continue
            if theirs is ABSENT:
                self.absent(mine, ABSENT, place.member(name, of_map=of_map))
            elif not same(mine, theirs):
                if name in _LINK_NAMES and is_link(mine) and is_link(theirs):
                    self.link(mine, theirs, place.member(name))
                else:
                    self.value(mine, theirs, place.member(name, of_map=of_map))
        for name, theirs in new.items():
            if name not in old:
                self.absent(ABSENT, theirs, place.member(name, of_map=of_map))
        found = self.findings.record is None and len(self.findings.tallies) > before
        if found and not is_secret_at(place.where, old):
            self.findings.record = Record(place.where, brief(old), brief(new))

    def absent(self, old: Any, new: Any, place: Place) -> None:
        if old is None or new is None:
            if self.rules.at(place.state).null_equals_missing:
                return
            message, cure = "null on one side, missing on the other", f"null_equals_missing: ['{place.path}']"
        else:
            message = cure = ""
        kind = Kind.MISSING if new is ABSENT else Kind.ADDED
        self.findings.add(kind, place.path, old, new, message=message, cure=cure, where=place.where)

    def items(self, old: list[Any], new: list[Any], place: Place) -> None:
        how = self.rules.at(place.state)
        pairing = self.paired(old, new, how, place)
        if pairing.moved and not how.unordered:
            self.moved(old, new, pairing, place)
        for i in pairing.missing:
            self.missing_item(old[i], ABSENT, place.item(i))
        for j in pairing.added:
            self.missing_item(ABSENT, new[j], place.item(j))
        for i, j in pairing.pairs:
            self.budget.spend(place.depth)
            if not same(old[i], new[j]):
                self.value(old[i], new[j], place.item(i))

    def paired(self, old: list[Any], new: list[Any], how: How, place: Place) -> Pairing:
        """With each side's own ids, records are paired by what they are called on old where more of them pair so."""
        below = place.state.items
        content: Content = partial(fingerprint_under, self.rules, below, budget=self.budget)
        sketch = partial(sketch_under, self.rules, below, budget=self.budget)
        equality = Equality(sketch, partial(self.equal, place.item(0))) if how.unordered else None
        pairing = pair_items(old, new, how.key, self.budget, content, equality)
        if not self.origins.ids:
            return pairing
        renamed = pair_items(old, self.origins.ids.as_old(new), how.key, self.budget, content, equality)
        return min(pairing, renamed, key=lambda one: len(one.missing) + len(one.added) + one.moved)

    def equal(self, item: Place, old: Any, new: Any) -> bool:
        """Whether two items of a list are the same by the plan's rules."""
        if same(old, new):
            return True
        findings = Findings()
        _Walk(self.terms, findings).value(old, new, item)
        return not findings

    def missing_item(self, old: Any, new: Any, item: Place) -> None:
        kind = Kind.MISSING if new is ABSENT else Kind.ADDED
        self.findings.add(kind, item.path, old, new, where=item.where)

    def moved(self, old: list[Any], new: list[Any], pairing: Pairing, place: Place) -> None:
        i, j = next((i, j) for i, j in pairing.pairs if i != j)
        one, other = _short(old[i], pairing.by), _short(new[j], pairing.by)
        self.findings.add(
            Kind.ORDER, place.path, f"item {i}: {one}", f"item {j}: {other}",
            message=f"{pairing.moved} of {len(old)} items stand elsewhere",
            cure=f"unordered: ['{place.path}']", where=place.where,
        )  # fmt: skip

    def scalar(self, old: Any, new: Any, place: Place) -> None:
        if self.origins.ids and self.origins.ids.same(place.name, old, new):
            return
        difference = judge(old, new, self.rules.at(place.state))
        if difference is None:
            return
        self.findings.add(
            difference.kind, place.path, old, new, level=difference.level, message=difference.message,
            cure=_cure(difference.option, place.path), where=place.where,
        )  # fmt: skip

    def link(self, old: str, new: str, place: Place) -> None:
        """A page's link to another page: the own origin of each side says nothing."""
        one, other = self.origins.neutral(old, "old"), self.origins.neutral(new, "new")
        if one == other:
            return
        reordered = same_but_query_order(one, other)
        level = Level.WARN if reordered else Level.FAIL
        message = "the same link with its query in another order" if reordered else ""
        self.findings.add(Kind.VALUE, place.path, old, new, level=level, message=message, where=place.where)


def _short(item: Any, by: str) -> str:
    value = item[by] if type(item) is dict and by in item else item
    text = str(value)
    return text if len(text) <= _SHORT else text[:_SHORT] + "..."


def _cure(option: str, path: str) -> str:
    if option.startswith("datetime: "):
        return f"datetime: {{'{path}': {option.removeprefix('datetime: ')}}}"
    if option == "tolerance":
        return f"tolerance: {{'{path}': {PROPOSED_TOLERANCE}}}"
    return f"{option}: ['{path}']" if option else ""


def _envelope(old: Any, new: Any) -> tuple[str, str] | None:
    """Which side wraps what the other sends bare: ``("new", "results")``."""
    for side, wrapped, bare in (("new", new, old), ("old", old, new)):
        if type(wrapped) is dict and type(bare) is list:
            lists = [name for name in _ENVELOPE_LISTS if type(wrapped.get(name)) is list]
            if lists:
                return side, lists[0]
    return None


def is_link(value: Any) -> bool:
    return type(value) is str and ("://" in value or value.startswith("/"))


def same_but_query_order(one: str, other: str) -> bool:
    left, right = urlsplit(one), urlsplit(other)
    queries = [sorted(parse_qsl(u.query, keep_blank_values=True)) for u in (left, right)]
    return left._replace(query="") == right._replace(query="") and queries[0] == queries[1]


def compare_shapes(old: Any, new: Any, terms: Terms) -> Findings:
    """Only names and JSON types: the first item of a list stands for all."""
    findings = Findings()
    _shapes(old, new, Place(terms.rules.how), terms.budget, findings)
    return findings


def _shapes(old: Any, new: Any, place: Place, budget: Budget, findings: Findings) -> None:
    budget.spend(place.depth)
    if type(old) is dict and type(new) is dict:
        for name in old.keys() - new.keys():
            findings.add(Kind.MISSING, member(place.path, name), old[name], ABSENT)
        for name in new.keys() - old.keys():
            findings.add(Kind.ADDED, member(place.path, name), ABSENT, new[name])
        for name in old.keys() & new.keys():
            _shapes(old[name], new[name], place.member(name), budget, findings)
    elif type(old) is list and type(new) is list:
        if old and new:
            _shapes(old[0], new[0], place.item(0), budget, findings)
    elif kind_of(old) != kind_of(new):
        findings.add(Kind.TYPE, place.path, old, new, message=f"{kind_of(old)} became {kind_of(new)}")
