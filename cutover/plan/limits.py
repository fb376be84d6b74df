"""A limit for one number that has no name of its own: ``<= 0.5``, ``> 100``, ``<= 500ms``, ``<= 1%``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import PydanticCustomError, core_schema

from cutover.plan.thresholds import OPERATORS
from cutover.plan.units import parse_duration, parse_percentage, spell_number

_GRAMMAR = re.compile(r"\s*(<=|>=|==|<|>)\s*(\S+)\s*")
_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d{1,2})?", re.ASCII)
MAX_CHARS = 100
PERCENT = 100


@dataclass(frozen=True)
class Limit:
    """``value`` is plain: ``500ms`` is 0.5, as times are in seconds, and ``1%`` is 0.01, as shares are of 1."""

    op: str
    value: float
    text: str

    def holds(self, value: float) -> bool:
        return OPERATORS[self.op](value, self.value)

    @property
    def is_upper(self) -> bool:
        """Whether the worst value is the largest."""
        return self.op in {"<=", "<", "=="}

    def __str__(self) -> str:
        plain = "" if _NUMBER.fullmatch(self.text) else f" ({spell_number(self.value)})"
        return f"{self.op} {self.text}{plain}"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(parse_limit)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {
            "type": "string",
            "pattern": r"^\s*(<=|>=|==|<|>)",
            "examples": ["<= 0.5", "> 100", "<= 500ms", "<= 1%"],
        }


def parse_limit(text: object) -> Limit:
    """Raise a mistake that says how a limit is written."""
    if isinstance(text, Limit):
        return text
    match = _GRAMMAR.fullmatch(text) if isinstance(text, str) and len(text) <= MAX_CHARS else None
    if match is None:
        raise _mistake(text)
    op, value = match.groups()
    if _NUMBER.fullmatch(value):
        return Limit(op, float(value), value)
    try:
        plain = parse_percentage(value) / PERCENT if value.endswith("%") else parse_duration(value)
    except PydanticCustomError:
        raise _mistake(text) from None
    return Limit(op, plain, value)


def _mistake(text: object) -> PydanticCustomError:
    message = f"{text!r} is not a limit; write OP VALUE, as in '<= 0.5', '<= 500ms' or '<= 1%'"
    return PydanticCustomError("limit", "{message}", {"message": message})
