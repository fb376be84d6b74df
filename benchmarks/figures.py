"""What a benchmark says: tables and budgets, as Markdown that people can read and as JSON.

A benchmark ends with ``main(__file__, __doc__, measure)``; ``measure`` returns a ``Report``.
"""

from __future__ import annotations

import json
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.machine import load_average, machine

Cell = str | int | float | None


@dataclass(frozen=True)
class Table:
    """The first column names what was measured; units stand in the columns' names. None is what could not be."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]


@dataclass(frozen=True)
class Budget:
    """``measured`` is None where it could not be; ``limit`` is the most that is allowed."""

    what: str
    limit: float
    measured: float | None
    unit: str = "x"

    @property
    def kept(self) -> bool | None:
        return None if self.measured is None else self.measured <= self.limit


@dataclass(frozen=True)
class Report:
    tables: Sequence[Table]
    budgets: Sequence[Budget] = ()
    notes: Sequence[str] = field(default_factory=list)


def main(file: str, doc: str | None, measure: Callable[..., Report], **options: float) -> None:
    """Measure and print: Markdown, or JSON alone with ``--json``. Each option can be given as ``--name VALUE``."""
    parser = ArgumentParser(description=(doc or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    for name, value in options.items():
        parser.add_argument(f"--{name}", type=type(value), default=value, help=f"default: {value}")
    given = vars(parser.parse_args())
    as_json = given.pop("json")
    data = {
        "benchmark": Path(file).stem.removeprefix("bench_"),
        "at": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "machine": machine(),
        "load_average": load_average(),
    }
    began = time.monotonic()
    report = measure(**given)
    data["seconds"] = time.monotonic() - began
    data["budgets"] = [{**asdict(budget), "kept": budget.kept} for budget in report.budgets]
    data["tables"] = [asdict(table) for table in report.tables]
    data["notes"] = list(report.notes)
    print(json.dumps(data, indent=2) if as_json else markdown(data))


def markdown(data: dict[str, Any]) -> str:
    """A report, as ``main`` prints it as JSON, in Markdown."""
    parts = [f"{data['at']}, load average {data['load_average']:.1f} before, took {data['seconds']:.0f} s"]
    for table in data["tables"]:
        parts += [f"**{table['title']}**", grid(table["columns"], table["rows"])]
    if data["budgets"]:
        rows = [
            [b["what"], f"<= {_shown(b['limit'])}{b['unit']}", _measured(b), _verdict(b["kept"])]
            for b in data["budgets"]
        ]
        parts += ["**Budgets**", grid(["what", "budget", "measured", ""], rows)]
    parts += data["notes"]
    return "\n\n".join(parts)


def grid(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    """A Markdown table, aligned for those who read it as it is."""
    texts = [list(columns), *([_shown(cell) for cell in row] for row in rows)]
    widths = [max(2, *(len(row[column]) for row in texts)) for column in range(len(columns))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    lines = [_line(texts[0], widths), "| " + " | ".join(rule) + " |", *(_line(row, widths) for row in texts[1:])]
    return "\n".join(lines)


def say(text: str) -> None:
    """Progress, for people who wait."""
    print(text, file=sys.stderr, flush=True)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [cells[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(cells[1:], widths[1:], strict=True))]
    return "| " + " | ".join(padded) + " |"


def _shown(cell: Cell) -> str:
    if cell is None:
        return "-"
    if isinstance(cell, float):
        digits = 0 if abs(cell) >= 1000 else 1 if abs(cell) >= 100 else 2 if abs(cell) >= 0.1 else 3
        return f"{cell:,.{digits}f}" if cell != int(cell) else f"{cell:,.0f}"
    return f"{cell:,}" if isinstance(cell, int) else cell


def _measured(budget: dict[str, Any]) -> str:
    return "not measured" if budget["measured"] is None else f"{_shown(budget['measured'])}{budget['unit']}"


def _verdict(kept: bool | None) -> str:  # noqa: FBT001 - what became of a budget
    return "" if kept is None else "kept" if kept else "MISSED"
