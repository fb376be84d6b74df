"""A gate on traffic over a log that is written as time goes by, without an nginx and without waiting."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cutover.checks.base import Result
from cutover.checks.traffic import Traffic
from cutover.hosts.logs import LocalLogs, end, read_on
from cutover.traffic import observer as observing
from cutover.traffic.counting import Counting
from cutover.traffic.observer import Chunk, Observer
from tests.support.accesslog import BACKENDS, line, old

WINDOW_S = 300.0
BEGAN = 1_769_853_600.0
PINNED = "/"
"""The route whose side is not drawn."""

Answer = Callable[[float, int], bytes]


def all_well(msec: float, _number: int) -> bytes:
    return line(msec=msec) + old(msec=msec)


def new_fails(msec: float, _number: int) -> bytes:
    return line(msec=msec, upstream_status="500", status=500) + old(msec=msec)


class Following:
    """Looked at whenever a test asks. ``window``: the longest that any gate asks for, in seconds."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch, window: float = WINDOW_S, weight: int = 50) -> None:
        self.now = 1000.0
        self.path = path
        self.path.touch()
        self.window = window
        self.weight = weight
        monkeypatch.setattr(observing, "time", self)
        self.begin = end(LocalLogs(), str(self.path))
        self.starts_anew()

    def starts_anew(self, *, same_clock: bool = False) -> None:
        """As another process does, from the shift on."""
        counting = Counting(replace(BACKENDS, pinned=frozenset({PINNED})), ["/search"])
        self.observer = Observer(
            self, self.begin, counting, weight=self.weight, window=self.window, same_clock=same_clock
        )

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return BEGAN + self.now

    async def read(self, cursor: object) -> Chunk:
        read = read_on(LocalLogs(), str(self.path), cursor, 4 << 20)  # type: ignore[arg-type]
        return Chunk(read.data, read.cursor, read.behind, read.note)

    async def newest(self, _cursor: object, _seconds: float) -> None:
        return None

    def goes_by(self, seconds: float, answer: Answer, per_second: float = 20) -> None:
        with self.path.open("ab") as file:
            for number in range(round(seconds * per_second)):
                file.write(answer(BEGAN + self.now + (number + 1) / per_second, number))
        self.now += seconds

    async def asks(self, *thresholds: str, **settings: Any) -> Result:
        """What the gate says now."""
        limits = {"thresholds": list(thresholds)} if thresholds else {}
        context: Any = SimpleNamespace(traffic=self.observer)
        return await Traffic.model_validate({**limits, **settings}).run(context)
