"""The lines of a run with what repeats itself left out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cutover.engine import events as e
from cutover.engine.state import RunState
from cutover.report.lines import one_line, told


class Narrator:
    """Turns events into lines. Of a gate it tells the first and the last evaluation of a hold and every change of
    verdict, of a retried step the first try and every change; with ``verbose``, all of them.
    """

    def __init__(self, *, verbose: bool) -> None:
        self._verbose = verbose
        self._latest: dict[str, e.GateEvaluated] = {}
        self._untold: dict[str, e.GateEvaluated] = {}
        self._retried = ""
        self.folder_of: Callable[[str], Path] | None = None

    def lines(self, event: e.Event, state: RunState) -> list[str]:
        if self._repeats(event):
            return []
        before = self._remainder(state) if isinstance(event, e.HoldEnded | e.WatchEnded) else []
        if isinstance(event, e.HoldStarted | e.HoldEnded | e.WatchStarted | e.WatchEnded | e.StepStarted):
            self._latest.clear()
            self._untold.clear()
            self._retried = ""
        if isinstance(event, e.CommandStarted | e.CommandEnded):
            return self._command(event, state)
        line = told(event, state)
        return before if line is None else [*before, line]

    def _repeats(self, event: e.Event) -> bool:
        if self._verbose:
            return False
        if isinstance(event, e.GateEvaluated):
            known = self._latest.get(event.gate)
            self._latest[event.gate] = event
            same = known is not None and known.verdict == event.verdict and not event.count
            if same:
                self._untold[event.gate] = event
            else:
                self._untold.pop(event.gate, None)
            return same
        if isinstance(event, e.StepRetried):
            same = self._retried == event.verdict + event.summary
            self._retried = event.verdict + event.summary
            return same
        return False

    def _remainder(self, state: RunState) -> list[str]:
        return [line for gate in self._untold.values() if (line := told(gate, state)) is not None]

    def _command(self, event: e.CommandStarted | e.CommandEnded, state: RunState) -> list[str]:
        if isinstance(event, e.CommandStarted):
            return [one_line(f"cutover {event.command} (pid {event.pid})")] if self._verbose else []
        if self.folder_of is None or not state.run:
            return []
        return [one_line(f"artifacts: {self.folder_of(state.run)}")]
