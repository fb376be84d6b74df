"""What a run looks like now, in rows of text: traffic of each backend with its history, gates, holds. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cutover.plan.thresholds import format_metric
from cutover.plan.units import format_count, format_duration
from cutover.report.lines import MARKS, one_line

Data = Mapping[str, Any]
Part = tuple[str, str]

BLOCKS = "▁▂▃▄▅▆▇█"
ASCII = "_.-:=+*#"
GAP = " "
"""In a history: nothing could be measured then."""

COLUMNS = ("rps", "errors", "p50", "p95")
HEADS = {"rps": "rate"}
WITH_HISTORY = ("p95", "errors", "rps")
"""The first gets its place before the others."""
COLUMN = 8
LEAST_HISTORY, MOST_HISTORY = 8, 20
LEAST_TOP = {"errors": 1.0, "rps": 1.0, "p95": 0.001}
"""What a full block stands for at least, in percent, requests per second and seconds: less is no mountain."""

OLD_FIGURES_S = 30.0
MARK_WIDTH = 8
INDENT = 2


@dataclass(frozen=True)
class Row:
    """A label and parts of text, each with its kind: ``pass``, ``fail``, ``unknown``, ``dim``, ``now`` or none."""

    label: str
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        return "".join(text for text, _ in self.parts)


def ramp(encoding: str) -> str:
    """Blocks, where they can be written."""
    try:
        BLOCKS.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return ASCII
    return BLOCKS


def sparkline(values: Sequence[float | None], width: int, top: float, levels: str = BLOCKS) -> str:
    """The newest ``width`` values, the newest last; ``top`` is a full block."""
    shown = list(values)[-width:]
    marks = [GAP if v is None else levels[_level(v, top, len(levels))] for v in shown]
    return "".join(marks).ljust(width)


def _level(value: float, top: float, count: int) -> int:
    return min(count - 1, int(min(max(0.0, value), top) / top * count)) if top > 0 else 0


def traffic_rows(backends: Data, *, age: float, width: int, levels: str = BLOCKS) -> list[Row]:
    """A line for each backend under one of headings, in so many characters; none where traffic was never looked at.

    ``age`` of the figures, in seconds. Histories of errors and of times have one scale for all backends.
    """
    if not backends:
        return []
    columns = COLUMNS if width >= COLUMN * len(COLUMNS) else tuple(name for name in COLUMNS if name != "p50")
    lengths = _history_lengths(columns, width)
    head = "".join(f"{HEADS.get(name, name):>{COLUMN}}{' ' * lengths.get(name, 0)}" for name in columns).rstrip()
    if age >= OLD_FIGURES_S:
        head += f"  {format_duration(round(age))} ago"
    rows = [Row("traffic", ((head, "dim"),))]
    for name, backend in backends.items():
        parts: list[Part] = []
        for column in columns:
            parts.append((f"{_figure(column, backend[column]):>{COLUMN}}", ""))
            if length := lengths.get(column, 0):
                told = [backend] if column == "rps" else list(backends.values())
                line = sparkline(_history(backend, column), length - 1, _top(column, told), levels)
                parts.append((f" {line}", "now"))
        rows.append(Row(name, tuple(parts)))
    return rows


def _history_lengths(columns: Sequence[str], width: int) -> dict[str, int]:
    """Of each history that has room, with the space before it."""
    room = width - COLUMN * len(columns)
    for count in range(len(WITH_HISTORY), 0, -1):
        each = min(room // count, MOST_HISTORY + 1)
        if each > LEAST_HISTORY:
            return dict.fromkeys(WITH_HISTORY[:count], each)
    return {}


def _history(backend: Data, column: str) -> list[float | None]:
    return [point[column] for point in backend["history"]]


def _top(column: str, backends: Sequence[Data]) -> float:
    values = [value for backend in backends for value in _history(backend, column) if value is not None]
    return max([LEAST_TOP[column], *values])


def _figure(name: str, value: float | None) -> str:
    if value is None:
        return "-"
    if name == "rps":
        return f"{value:,.0f}/s" if value >= 100 or value == int(value) else f"{value:.1f}/s"  # noqa: PLR2004 - digits
    if name in {"p50", "p95"} and 0 < value < 0.01:  # noqa: PLR2004 - 10 ms
        return f"{value * 1000:.2g}ms"
    return format_metric(name, value)


def gate_rows(gates: Sequence[Data], *, width: int, most: int) -> list[Row]:
    """Each gate's last answer and what it asks for, in one line where that fits, else in two. ``most`` gates, those
    that did not pass first where there are more.
    """
    shown = list(gates)
    if len(shown) > most:
        shown = sorted(shown, key=lambda gate: ("fail", "unknown", "pass").index(gate["verdict"]))[:most]
    rows = [row for gate in shown for row in _gate(gate, width)]
    if len(gates) > most:
        more = len(gates) - most
        rows.append(Row("", ((f"and {format_count(more, 'more gate')}", "dim"),)))
    return rows


def _gate(gate: Data, width: int) -> Iterator[Row]:
    mark = (f"{MARKS.get(gate['verdict'], gate['verdict']):<{MARK_WIDTH}}", gate["verdict"])
    title, limit = one_line(gate["gate"]), one_line(gate["limit"])
    asked = title if not limit or limit in title else f"{title} ({limit})"
    count = f" ({gate['count']})" if gate["count"] else ""
    said = f"{one_line(gate['summary'])}{count}"
    if MARK_WIDTH + len(asked) + len(said) + INDENT <= width:
        yield Row("gate", (mark, (f"{asked}: {said}", "")))
        return
    yield Row("gate", (mark, (asked, "")))
    yield Row("", ((f"{' ' * INDENT}{said}", gate["verdict"] if gate["verdict"] != "pass" else ""),))


def weight_text(intended: int, share: float | None) -> str:
    """``10 % on new, 10.2 % seen``."""
    return f"{intended} % on new" + ("" if share is None else f", {share:.1f} % seen")


def countdown(until: float, seconds: float, now: float) -> str:
    """``4m12s left of 5m``."""
    left = max(0, round(until - now))
    return f"{format_duration(left) if left else '0s'} left of {format_duration(seconds)}"
