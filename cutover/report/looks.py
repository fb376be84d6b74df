"""Rows as a terminal shows them: in colours, each in one line of its width."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from cutover.report.figures import ASCII, BLOCKS, Row, ramp

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

STYLES = {"pass": "green", "fail": "bold red", "unknown": "yellow", "dim": "dim", "now": "cyan", "strong": "bold"}


@dataclass(frozen=True)
class Look:
    """What a terminal can show: ``width`` and ``height`` in characters, and ``levels`` of a history."""

    width: int = 80
    height: int = 24
    levels: str = BLOCKS

    @classmethod
    def of(cls, console: Console) -> Look:
        return cls(console.width, console.height, ramp(console.encoding))

    def text(self, row: Row, label_width: int) -> Text:
        from rich.text import Text  # noqa: PLC0415 - start-up time

        # An ellipsis is one character only where it can be written.
        overflow: Literal["crop", "ellipsis"] = "crop" if self.levels == ASCII else "ellipsis"
        parts = [(text, STYLES.get(kind, "")) for text, kind in row.parts]
        return Text.assemble((f"{row.label:<{label_width}}", "dim"), *parts, no_wrap=True, overflow=overflow)
