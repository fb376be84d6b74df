"""Numbers for what an item holds: equal content, equal number. Pairing goes by them; what is paired is compared yet."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from cutover.parity.datetimes import parse_moment
from cutover.parity.document import Budget
from cutover.parity.jsonpath import State
from cutover.parity.rules import Rules
from cutover.parity.scalars import as_number
from cutover.parity.unordered import Sketch

_HASHES_BEGIN_ANEW = 2**60
_TRUE, _FALSE, _NULL = hash(("boolean", True)), hash(("boolean", False)), hash(("null",))
_TOLERATED = hash(("number with a tolerance",))


def fingerprint_under(rules: Rules, state: State[tuple[str, Any]], value: Any, budget: Budget, depth: int = 0) -> int:
    """The same, for a place where options say more of what is equal."""
    if state.dead and not state.found:
        return fingerprint(value, budget, depth)
    budget.spend(depth)
    how = rules.at(state)
    if type(value) is dict:
        named = ((name, member, state.name(name)) for name, member in value.items())
        return hash(
            frozenset(
                (name, fingerprint_under(rules, below, member, budget, depth + 1))
                for name, member, below in named
                if member is not None or not rules.at(below).null_equals_missing
            )
        )
    if type(value) is list:
        items = [fingerprint_under(rules, state.item(i), one, budget, depth + 1) for i, one in enumerate(value)]
        return hash(("list", *(sorted(items) if how.unordered else items)))
    return fingerprint(as_number(value) if how.numeric_string else value, budget, depth)


def sketch_under(rules: Rules, state: State[tuple[str, Any]], value: Any, budget: Budget, depth: int = 0) -> Sketch:
    """The same, but for the numbers that have a tolerance, which come beside it."""
    if state.dead and not state.found:
        return fingerprint(value, budget, depth), ()
    budget.spend(depth)
    how = rules.at(state)
    if type(value) is dict:
        below = [
            (name, *sketch_under(rules, state.name(name), value[name], budget, depth + 1))
            for name in sorted(value)
            if value[name] is not None or not rules.at(state.name(name)).null_equals_missing
        ]
        members = frozenset((name, sketch) for name, sketch, _ in below)
        return hash(members), tuple(number for *_, numbers in below for number in numbers)
    if type(value) is list:
        items = [sketch_under(rules, state.item(i), one, budget, depth + 1) for i, one in enumerate(value)]
        items = sorted(items) if how.unordered else items
        rest = hash(("list", *(sketch for sketch, _ in items)))
        return rest, tuple(number for _, numbers in items for number in numbers)
    if how.numeric_string:
        value = as_number(value)
    if how.tolerance is not None and type(value) in {int, Decimal}:
        return _TOLERATED, (value,)
    return fingerprint(value, budget, depth), ()


def fingerprint(value: Any, budget: Budget, depth: int = 0) -> int:
    """A hash by content: key order, the spelling of numbers and of instants make no difference to it."""
    kind = type(value)
    if kind is str:
        moment = parse_moment(value)
        return hash(("string", value)) if moment is None else hash((moment.milliseconds, moment.aware))
    if kind is int or kind is Decimal:
        return _of_number(value)
    budget.spend(depth)
    if kind is dict:
        return hash(frozenset((name, fingerprint(member, budget, depth + 1)) for name, member in value.items()))
    if kind is list:
        return hash(("list", *(fingerprint(item, budget, depth + 1) for item in value)))
    return _NULL if value is None else _TRUE if value else _FALSE


def _of_number(value: int | Decimal) -> int:
    """Python's hashes of -1 and -2 are equal, and those of numbers from 2**61 - 1 on begin anew."""
    if -1 < value < _HASHES_BEGIN_ANEW:
        return hash(value)
    return hash((hash(value), value == -1, Decimal(value).adjusted()))
