"""The live view: finished lines scroll above; below them the phases, the weight, the hold and its gates stand."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, cast

from cutover.engine import events as e
from cutover.engine.state import RunState
from cutover.journal.base import Recorded
from cutover.plan.units import format_duration
from cutover.report.lines import MARKS, one_line
from cutover.report.narrator import Narrator
from cutover.report.outlet import Outlet
from cutover.report.times import clock

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live
    from rich.text import Text

BAR_WIDTH = 40
SHOWN_GATES = 8
STYLES = {"pass": "green", "fail": "bold red", "unknown": "yellow"}
LINE_STYLES: dict[type[e.Event], str] = {
    e.PhaseStarted: "bold",
    e.PhasePassed: "green",
    e.PhaseFailed: "bold red",
    e.ShiftFailed: "bold red",
    e.DriftFound: "bold red",
    e.LeaseLeft: "bold yellow",
    e.LeaseEnded: "bold yellow",
    e.SteppedBack: "bold yellow",
    e.RollbackStarted: "bold yellow",
    e.RollbackFailed: "bold red",
    e.ForcedPast: "yellow",
    e.ApprovalRequested: "bold yellow",
    e.RunPaused: "bold yellow",
    e.RunInterrupted: "bold yellow",
    e.RunEnded: "bold",
}
MARK_STYLES = {r"(?<=  )pass(?= )": "green", r"(?<=  )FAIL(?= )": "bold red", r"(?<=  )unknown(?= )": "yellow"}
_HIGHLIGHTS = [(re.compile(pattern), style) for pattern, style in MARK_STYLES.items()]


@dataclass
class Scene:
    """What stands below the lines."""

    state: RunState = field(default_factory=RunState)
    gates: dict[str, e.GateEvaluated] = field(default_factory=dict)
    progress: str = ""
    failed: set[str] = field(default_factory=set)

    def enter(self, event: e.Event, state: RunState) -> None:
        self.state = state
        match event:
            case e.StepProgressed():
                self.progress = one_line(event.text)
            case e.GateEvaluated():
                self.gates[event.gate] = event
            case e.StepStarted():
                self.progress = ""
                self.gates.clear()
            case e.StepPassed() | e.StepFailed() | e.PhasePassed():
                self.progress = ""
            case e.PhaseStarted():
                self.failed.discard(event.phase)
            case e.PhaseFailed():
                self.failed.add(event.phase)


class LiveView:
    """Draws on a terminal, from one thread. Nothing stands below the lines until work on a phase or a weight begins:
    a question may be asked before that.
    """

    def __init__(self, outlet: Outlet, narrator: Narrator, *, color: bool) -> None:
        from rich.console import Console  # noqa: PLC0415 - start-up time

        self.outlet = outlet
        self._narrator = narrator
        self._console = Console(
            file=cast("IO[str]", outlet),
            force_terminal=True,
            no_color=not color,
            highlight=False,
            markup=False,
            emoji=False,
        )
        self._scene = Scene()
        self._live: Live | None = None

    def show(self, recorded: Recorded, event: e.Event, state: RunState) -> None:
        self._scene.enter(event, state)
        if isinstance(event, e.CommandEnded):
            self._stop()
        elif self._live is None and isinstance(
            event, e.PhaseStarted | e.ShiftIntended | e.HoldStarted | e.WatchStarted
        ):
            self._start()
        for line in self._narrator.lines(event, state):
            self._console.print(_styled(f"{clock(recorded.at)}  {line}", event), soft_wrap=True)

    def tick(self) -> None:
        if self._live is not None:
            self._live.refresh()

    def end(self) -> None:
        self._stop()

    def _start(self) -> None:
        from rich.live import Live  # noqa: PLC0415 - start-up time

        self._live = Live(
            console=self._console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False,
            get_renderable=lambda: drawn(self._scene),
        )  # fmt: skip
        self._live.start()

    def _stop(self) -> None:
        live, self._live = self._live, None
        if live is not None:
            live.stop()


def drawn(scene: Scene) -> RenderableType:
    from rich.console import Group  # noqa: PLC0415 - start-up time
    from rich.text import Text  # noqa: PLC0415 - start-up time

    parts: list[RenderableType] = [Text(""), _phases(scene), _weight(scene.state)]
    state = scene.state
    if state.step_title is not None:
        parts.append(_line(("step    ", "dim"), (one_line(state.step_title), "")))
    if scene.progress:
        parts.append(_line(("now     ", "dim"), (scene.progress, "cyan")))
    if state.hold is not None:
        parts.append(_line(("hold    ", "dim"), (countdown(state.hold["until"], state.hold["seconds"]), "cyan")))
    for gate in list(scene.gates.values())[:SHOWN_GATES]:
        mark = f"{MARKS.get(gate.verdict, gate.verdict):<8}"
        shown = one_line(f"{gate.gate}: {gate.summary}")
        parts.append(_line(("gate    ", "dim"), (mark, STYLES.get(gate.verdict, "")), (shown, "")))
    if len(scene.gates) > SHOWN_GATES:
        parts.append(_line((f"        and {len(scene.gates) - SHOWN_GATES} more gates", "dim")))
    return Group(*parts)


def countdown(until: float, seconds: float) -> str:
    left = max(0, round(until - time.time()))
    return f"{format_duration(left) if left else '0s'} left of {format_duration(seconds)}"


def _phases(scene: Scene) -> Text:
    from rich.text import Text  # noqa: PLC0415 - start-up time

    state = scene.state
    names = list(state.phases)
    if state.phase is not None and state.phase not in names:
        names.append(state.phase)
    line = Text("phases  ", style="dim", no_wrap=True, overflow="ellipsis")
    for name in names:
        mark, style = "[ ]", "dim"
        if name in scene.failed:
            mark, style = "[!]", "bold red"
        elif name in state.passed:
            mark, style = "[x]", "green"
        elif name == state.phase:
            mark, style = "[>]", "bold cyan"
        line.append(f"{mark} {name}  ", style=f"not dim {style}" if style != "dim" else style)
    return line


def _weight(state: RunState) -> RenderableType:
    from rich.progress_bar import ProgressBar  # noqa: PLC0415 - start-up time
    from rich.table import Table  # noqa: PLC0415 - start-up time

    pending = state.pending
    change = f", changing to {pending['weight']} %" if pending is not None else ""
    row = Table.grid(padding=(0, 1))
    row.add_row(
        _line(("weight ", "dim")),
        ProgressBar(total=100, completed=state.weight, width=BAR_WIDTH, complete_style="cyan", finished_style="cyan"),
        _line((f"{state.weight} % on new{change}", "")),
    )
    return row


def _line(*parts: tuple[str, str]) -> Text:
    from rich.text import Text  # noqa: PLC0415 - start-up time

    return Text.assemble(*parts, no_wrap=True, overflow="ellipsis")


def _styled(line: str, event: e.Event) -> Text:
    from rich.text import Text  # noqa: PLC0415 - start-up time

    text = Text(line, style=LINE_STYLES.get(type(event), ""))
    for pattern, style in _HIGHLIGHTS:
        text.highlight_regex(pattern, style)
    return text
