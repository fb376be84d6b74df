"""The one grammar of thresholds: ``METRIC OP VALUE``.

``errors == 0%``, ``p95 <= 500ms``, ``rps >= 100``, ``p95 <= 1.5x old``, ``errors <= old + 1%``, ``share == weight``.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import PydanticCustomError, core_schema

from cutover.plan.units import format_duration, parse_duration, parse_percentage, spell_duration, spell_number


class Verdict(StrEnum):
    """``unknown`` means that it could not be measured. It never opens a gate."""

    PASS = "pass"  # noqa: S105 - a verdict
    FAIL = "fail"
    UNKNOWN = "unknown"


def worst(verdicts: list[Verdict]) -> Verdict:
    """Fail before unknown before pass; nothing measured at all is unknown."""
    for verdict in (Verdict.FAIL, Verdict.UNKNOWN, Verdict.PASS):
        if verdict in verdicts:
            return verdict
    return Verdict.UNKNOWN


# Of requests compared: those that differ at all, and those that differ in one way.
DIFFERENCES = (
    "mismatches", "missing", "added", "type", "value", "order", "length", "status", "header", "body", "connection",
)  # fmt: skip
PROPORTIONS = ("errors", "share", *DIFFERENCES)
TIMES = ("p50", "p90", "p95", "p99", "p99.9", "mean", "max")
COUNTS = ("requests", "rps")
METRICS = (*PROPORTIONS, *TIMES, *COUNTS)

# A percentile of fewer samples than this is one of its outliers.
MIN_SAMPLES = {"p50": 5, "p90": 10, "p95": 20, "p99": 100, "p99.9": 1000}

OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    "<": operator.lt,
    ">=": operator.ge,
    ">": operator.gt,
    "==": operator.eq,
}
_GRAMMAR = re.compile(r"\s*([A-Za-z][A-Za-z0-9_]*(?:\.[0-9]+)?)\s*(<=|>=|==|<|>)\s*([^\s=].*?)\s*")
MAX_CHARS = 100
MAX_NUMBER = 1e12
_RATIO = re.compile(r"(\d+(?:\.\d+)?)\s*x\s+old", re.ASCII)
_OFFSET = re.compile(r"old\s*\+\s*(\S+)")
_NUMBER = re.compile(r"(\d+(?:\.\d+)?)(?:/s)?", re.ASCII)


@dataclass(frozen=True)
class Threshold:
    """A limit for one metric.

    ``value`` is in seconds for times, in percent for proportions, plain for counts; with ``relative`` it is a
    factor (``ratio``) or an addend (``offset``) to the same metric of the old backend. The limit of a ``share`` may be
    the intended ``weight``, which only those know who ask.
    """

    metric: str
    op: str
    value: float
    relative: str | None = None

    @property
    def against_old(self) -> bool:
        return self.relative in {"ratio", "offset"}

    def judge(self, figures: Mapping[str, float], old: Mapping[str, float] | None = None) -> Verdict:
        """``figures`` maps metrics to values in the units above; ``requests`` says how many samples they rest on."""
        if self.metric not in figures:
            return Verdict.UNKNOWN
        if not _enough(self.metric, figures):
            return Verdict.UNKNOWN
        limit = self.value
        if self.relative == "weight":
            return Verdict.UNKNOWN
        if self.relative is not None:
            if old is None or self.metric not in old or not _enough(self.metric, old):
                return Verdict.UNKNOWN
            limit = old[self.metric] * self.value if self.relative == "ratio" else old[self.metric] + self.value
        return Verdict.PASS if OPERATORS[self.op](figures[self.metric], limit) else Verdict.FAIL

    def __str__(self) -> str:
        """As a plan would write it: ``parse_threshold`` gives back the same threshold."""
        if self.relative == "weight":
            return f"{self.metric} {self.op} weight"
        if self.relative == "ratio":
            return f"{self.metric} {self.op} {spell_number(self.value)}x old"
        spelled = spell_duration(self.value) if self.metric in TIMES else spell_number(self.value)
        value = f"{spelled}%" if self.metric in PROPORTIONS else spelled
        return f"{self.metric} {self.op} old + {value}" if self.relative else f"{self.metric} {self.op} {value}"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(parse_threshold)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": "string", "examples": ["errors == 0%", "p95 <= 500ms", "p95 <= 1.5x old"]}


def format_metric(metric: str, value: float) -> str:
    """A figure with the unit of its metric."""
    if metric in PROPORTIONS:
        return f"{value:.3g}%"
    if metric in TIMES:
        return format_duration(value)
    return f"{value:g}"


def parse_threshold(text: object) -> Threshold:
    """Raise a mistake that names the part that is wrong."""
    if isinstance(text, Threshold):
        return text
    match = _GRAMMAR.fullmatch(text) if isinstance(text, str) and len(text) <= MAX_CHARS else None
    if match is None:
        raise _mistake(f"{text!r} is not a threshold; write METRIC OP VALUE, as in 'p95 <= 500ms'")
    metric, op, value = match.groups()
    if metric not in METRICS:
        close = get_close_matches(metric, METRICS, n=1)
        known = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(METRICS)}"
        raise _mistake(f"{metric!r} is not a metric; {known}")
    if metric == "share" and value == "weight":
        return Threshold(metric, op, 0.0, "weight")
    if ratio := _RATIO.fullmatch(value):
        if not float(ratio.group(1)):
            raise _mistake(f"{metric}: 0 times old is no limit that can be kept; write a factor, as in 1.5x old")
        return Threshold(metric, op, _number(metric, ratio.group(1)), "ratio")
    if offset := _OFFSET.fullmatch(value):
        return Threshold(metric, op, _value(metric, offset.group(1)), "offset")
    return Threshold(metric, op, _value(metric, value))


def _value(metric: str, text: str) -> float:
    try:
        if metric in TIMES:
            return parse_duration(text)
        if metric in PROPORTIONS:
            return parse_percentage(text)
    except PydanticCustomError as error:
        raise _mistake(f"{metric}: {error.message()}") from None
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise _mistake(f"{metric}: {text!r} is not a number")
    return _number(metric, match.group(1))


def _number(metric: str, digits: str) -> float:
    number = float(digits)
    if number > MAX_NUMBER:
        raise _mistake(f"{metric}: {digits} is out of range")
    return number


def _enough(metric: str, figures: Mapping[str, float]) -> bool:
    samples = figures.get("requests")
    if metric in COUNTS or samples is None:
        return True
    return samples >= MIN_SAMPLES.get(metric, 1)


def _mistake(message: str) -> PydanticCustomError:
    return PydanticCustomError("threshold", "{message}", {"message": message})
