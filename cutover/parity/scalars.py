"""Two values of which at least one is neither object nor list: is it a difference, and of which kind?"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import MAX_EMAX, MIN_EMIN, ROUND_UP, Context, Decimal, InvalidOperation
from typing import Any

from cutover.parity.datetimes import Moment, parse_moment
from cutover.parity.document import kind_of
from cutover.parity.findings import Kind, Level
from cutover.parity.rules import How

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,4})?")
_DOUBLE_DIGITS = 17
PROPOSED_TOLERANCE = Decimal("0.001")
# No number that JSON can spell is beyond its range; what is beyond a tolerance is not rounded to be within.
_WIDEST = Context(prec=60, rounding=ROUND_UP, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[])


@dataclass(frozen=True, slots=True)
class Difference:
    """``option`` names the option that makes it none, where there is one beside ``ignore``."""

    kind: Kind
    level: Level = Level.FAIL
    message: str = ""
    option: str = ""


def judge(old: Any, new: Any, how: How) -> Difference | None:
    """Both values are known not to be ``same``."""
    if how.numeric_string:
        old, new = as_number(old), as_number(new)
    old_kind, new_kind = kind_of(old), kind_of(new)
    if old_kind != new_kind:
        return _of_types(old, new, old_kind, new_kind)
    if old_kind == "number":
        return _of_numbers(old, new, how)
    if old_kind == "string":
        return _of_strings(old, new, how)
    return None if old == new else Difference(Kind.VALUE)


def _of_types(old: Any, new: Any, old_kind: str, new_kind: str) -> Difference:
    kinds = {old_kind, new_kind}
    option = ""
    if kinds == {"string", "number"}:
        text = old if old_kind == "string" else new
        option = "numeric_string" if _NUMBER.fullmatch(text) else ""
    return Difference(Kind.TYPE, message=f"{old_kind} became {new_kind}", option=option)


def _of_numbers(old: Any, new: Any, how: How) -> Difference | None:
    if old == new:
        return None
    if how.tolerance is not None and _distance_within(old, new, how.tolerance):
        return None
    option = "tolerance" if _distance_within(old, new, PROPOSED_TOLERANCE) else ""
    if isinstance(old, Decimal) and isinstance(new, Decimal) and _same_double(old, new):
        return Difference(Kind.VALUE, Level.WARN, "the same number to whoever reads doubles", option)
    return Difference(Kind.VALUE, option=option)


def _distance_within(old: Any, new: Any, tolerance: Decimal) -> bool:
    difference = _WIDEST.subtract(Decimal(old), Decimal(new))
    return bool(difference.copy_abs() <= tolerance)


def _same_double(old: Decimal, new: Decimal) -> bool:
    """Whether two spellings of at most 17 digits, which is what a double needs, mean the same double."""
    if max(len(old.as_tuple().digits), len(new.as_tuple().digits)) > _DOUBLE_DIGITS:
        return False
    return float(old) == float(new) and math.isfinite(float(old)) and float(old) != 0


def as_number(value: Any) -> Any:
    """The number that a text spells, where it does."""
    if not isinstance(value, str) or not _NUMBER.fullmatch(value):
        return value
    try:
        return Decimal(value)
    except InvalidOperation:
        return value


def _of_strings(old: str, new: str, how: How) -> Difference | None:
    if old == new:
        return None
    one = parse_moment(old)
    other = parse_moment(new) if one is not None else None
    if one is None or other is None:
        return Difference(Kind.VALUE)
    return _of_moments(one, other, how)


def _of_moments(old: Moment, new: Moment, how: How) -> Difference | None:
    if old.aware is not new.aware:
        which = "lost" if old.aware else "gained"
        return Difference(Kind.VALUE, message=f"the time zone was {which}")
    if how.datetime == "strict":
        return Difference(Kind.VALUE, message="spelled differently" if old == new else "", option="datetime: instant")
    if old == new:
        said = Difference(Kind.VALUE, Level.WARN, "the same instant, spelled differently", "datetime: instant")
        return said if how.datetime is None else None
    if old.milliseconds == new.milliseconds:
        return (
            None
            if how.datetime == "ms"
            else Difference(Kind.VALUE, message="the same millisecond", option="datetime: ms")
        )
    return Difference(Kind.VALUE)
