"""What a console can show: plain lines, and NDJSON."""

from __future__ import annotations

import json
from typing import Protocol

from cutover.engine import events as e
from cutover.engine.state import RunState
from cutover.journal.base import Recorded
from cutover.redact import redact_data
from cutover.report.narrator import Narrator
from cutover.report.outlet import Outlet
from cutover.report.times import clock, iso


class View(Protocol):
    """Shows events on an outlet. Called from one thread; may raise ``OSError`` when the outlet fails."""

    outlet: Outlet

    def show(self, recorded: Recorded, event: e.Event, state: RunState, /) -> None: ...

    def tick(self) -> None:
        """Called several times a second."""
        ...

    def end(self) -> None:
        """The last call: leave the terminal as it was found."""
        ...


class PlainView:
    """Complete lines with the time of day: no colours, no spinners."""

    def __init__(self, outlet: Outlet, narrator: Narrator) -> None:
        self.outlet = outlet
        self._narrator = narrator

    def show(self, recorded: Recorded, event: e.Event, state: RunState) -> None:
        for line in self._narrator.lines(event, state):
            self.outlet.write(f"{clock(recorded.at)}  {line}\n")
        self.outlet.flush()

    def tick(self) -> None:
        return

    def end(self) -> None:
        return


class NdjsonView:
    """One JSON object per event: ``seq``, ``at`` (ISO 8601, UTC), ``run``, ``event``, then the event's own data."""

    def __init__(self, outlet: Outlet) -> None:
        self.outlet = outlet

    def show(self, recorded: Recorded, _event: e.Event, _state: RunState) -> None:
        self.outlet.write(json.dumps(as_json(recorded), default=str) + "\n")
        self.outlet.flush()

    def tick(self) -> None:
        return

    def end(self) -> None:
        return


def as_json(recorded: Recorded) -> dict[str, object]:
    head = {"seq": recorded.seq, "at": iso(recorded.at), "run": recorded.run, "event": recorded.kind}
    return redact_data({**head, **recorded.data})
