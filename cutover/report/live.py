"""The live view: finished lines scroll above; below them the phases, the weight, the hold and its gates stand."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, cast

from cutover.engine import events as e
from cutover.engine import latest
from cutover.engine.state import RunState
from cutover.journal.base import Recorded
from cutover.plan.units import format_duration
from cutover.report.figures import Row, countdown, gate_rows, traffic_rows, weight_text
from cutover.report.lines import one_line
from cutover.report.looks import Look
from cutover.report.narrator import Narrator
from cutover.report.outlet import Outlet
from cutover.report.times import clock

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live
    from rich.text import Text

BAR_WIDTH = 40
LEAST_BAR_WIDTH = 8
LABEL_WIDTH = 8
SHOWN_GATES = 8
OTHER_ROWS = 12
ROWS_PER_GATE = 2
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
    watch: tuple[float, float | None] | None = None
    """When a watch outside the phases began, and how many seconds it takes."""
    progress: str = ""
    lease_until: float | None = None
    failed: set[str] = field(default_factory=set)

    def enter(self, event: e.Event, state: RunState, at: float) -> None:
        self.state = state
        match event:
            case e.StepProgressed():
                self.progress = one_line(event.text)
            case e.LeaseRenewed():
                self.lease_until = event.until
            case e.LeaseReleased() | e.RolledBack():
                self.lease_until = None
            case e.WatchStarted():
                self.watch = (at, event.seconds)
            case e.WatchEnded():
                self.watch = None
            case e.StepStarted() | e.StepPassed() | e.StepFailed() | e.PhasePassed():
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
        self._scene.enter(event, state, recorded.at)
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
            get_renderable=lambda: drawn(self._scene, Look.of(self._console)),
        )  # fmt: skip
        self._live.start()

    def _stop(self) -> None:
        live, self._live = self._live, None
        if live is not None:
            live.stop()


def drawn(scene: Scene, look: Look) -> RenderableType:
    from rich.console import Group  # noqa: PLC0415 - start-up time
    from rich.text import Text  # noqa: PLC0415 - start-up time

    rows = list(_rows(scene, look))
    return Group(Text(""), _phases(scene), _weight(scene.state, look), *(look.text(row, LABEL_WIDTH) for row in rows))


def _rows(scene: Scene, look: Look) -> Iterator[Row]:
    state, now, room = scene.state, time.time(), look.width - LABEL_WIDTH
    if state.traffic:
        age = now - state.traffic[-1]["at"]
        yield from traffic_rows(latest.by_backend(state.traffic), age=age, width=room, levels=look.levels)
    if state.step_title is not None:
        yield Row("step", ((one_line(state.step_title), ""),))
    if scene.progress:
        yield Row("now", ((scene.progress, "now"),))
    if state.hold is not None:
        yield Row("hold", ((countdown(state.hold["until"], state.hold["seconds"], now), "now"),))
    elif scene.watch is not None:
        yield Row("watch", ((_watched(scene.watch, now), "now"),))
    if state.lease is not None and state.weight and scene.lease_until is not None:
        left = countdown(scene.lease_until, state.lease["seconds"], now)
        yield Row("lease", ((f"{left}: unless it is renewed, nginx returns all traffic to old", "now"),))
    most = min(SHOWN_GATES, max(1, (look.height - OTHER_ROWS) // ROWS_PER_GATE))
    yield from gate_rows(latest.in_order(state.gates), width=room, most=most)


def _watched(watch: tuple[float, float | None], now: float) -> str:
    started, seconds = watch
    if seconds is None:
        return f"for {format_duration(max(1, round(now - started)))}, until stopped"
    return countdown(started + seconds, seconds, now)


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


def _weight(state: RunState, look: Look) -> RenderableType:
    from rich.progress_bar import ProgressBar  # noqa: PLC0415 - start-up time
    from rich.table import Table  # noqa: PLC0415 - start-up time

    pending = state.pending
    change = f", changing to {pending['weight']} %" if pending is not None else ""
    said = Row("", ((f"{weight_text(state.weight, latest.share_at(state.traffic, state.weight))}{change}", ""),))
    room = min(BAR_WIDTH, look.width - LABEL_WIDTH - len(said.text) - 1)
    if room < LEAST_BAR_WIDTH:
        return look.text(Row("weight", said.parts), LABEL_WIDTH)
    row = Table.grid(padding=(0, 1))
    row.add_row(
        look.text(Row("weight", ()), LABEL_WIDTH - 1),
        ProgressBar(total=100, completed=state.weight, width=room, complete_style="cyan", finished_style="cyan"),
        look.text(said, 0),
    )
    return row


def _styled(line: str, event: e.Event) -> Text:
    from rich.text import Text  # noqa: PLC0415 - start-up time

    text = Text(line, style=LINE_STYLES.get(type(event), ""))
    for pattern, style in _HIGHLIGHTS:
        text.highlight_regex(pattern, style)
    return text
