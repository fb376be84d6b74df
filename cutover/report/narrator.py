"""The lines of a run with what repeats itself left out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from cutover.engine import events as e
from cutover.engine.state import RunState
from cutover.report.lines import one_line, told


class Narrator:
    """Turns events into lines. Of a gate it tells the first and the last evaluation of a hold and every change of
    verdict, of a retried step the first try and every change; with ``verbose``, all of them.

    What a gate or a step said stands in its own line; how the hold, the step and the phase end for it follows without.
    """

    def __init__(self, *, verbose: bool) -> None:
        self._verbose = verbose
        self._latest: dict[str, e.GateEvaluated] = {}
        self._untold: dict[str, e.GateEvaluated] = {}
        self._retried = ""
        self._said: list[str] = []
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
        line = told(self._unrepeated(event), state)
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

    def _unrepeated(self, event: e.Event) -> e.Event:
        match event:
            case e.PhaseStarted() | e.StepStarted() | e.HoldStarted() | e.WatchStarted():
                self._said = []
            case e.GateEvaluated():
                self._remember(event)
            case e.HoldEnded(reason=reason) | e.WatchEnded(reason=reason) if not event.passed:
                return replace(event, reason=self._rest(reason) or reason)
            case e.StepFailed(summary=summary):
                shortened = replace(event, summary=self._rest(summary) or summary)
                self._said.append(summary)
                return shortened
            case e.PhaseFailed(reason=reason):
                return replace(event, reason=self._rest(reason))
        return event

    def _rest(self, text: str) -> str:
        """What stands around a sentence that was told; all of it where none was."""
        if text in self._said:
            return ""
        for said in sorted(filter(None, self._said), key=len, reverse=True):
            before, found, after = text.partition(f": {said}")
            if found and (not after or after.startswith("; ")):
                return before + after
        return text

    def _remember(self, event: e.GateEvaluated) -> None:
        if event.verdict != "pass":
            summary = event.summary.removeprefix(f"{event.verdict}: ")
            self._said.append(f"{summary} ({event.count})" if event.count else summary)

    def _remainder(self, state: RunState) -> list[str]:
        for gate in self._untold.values():
            self._remember(gate)
        return [line for gate in self._untold.values() if (line := told(gate, state)) is not None]

    def _command(self, event: e.CommandStarted | e.CommandEnded, state: RunState) -> list[str]:
        if isinstance(event, e.CommandStarted):
            return [one_line(f"cutover {event.command} (pid {event.pid})")] if self._verbose else []
        if self.folder_of is None or not state.run:
            return []
        return [one_line(f"artifacts: {self.folder_of(state.run)}")]
