"""What stands below the lines of a command that runs."""

from __future__ import annotations

import io
import re
import time
from dataclasses import replace

import pytest
from rich.console import Console

from cutover.engine import events as e
from cutover.report.live import SHOWN_GATES, Scene, drawn
from cutover.report.looks import Look
from tests.support.told import ROLLED_BACK, record

SEEN = {
    "old": {"rps": 182.34, "errors": 0.0, "p50": 0.0421, "p95": 0.061},
    "new": {"rps": 20.26, "errors": 0.4, "p50": 0.0048, "p95": 0.083},
}
HOLDING = (*ROLLED_BACK[:11], *ROLLED_BACK[12:15])


def evaluated(number: int = 1) -> e.GateEvaluated:
    return e.GateEvaluated(
        "shift", 0, f"traffic {number}: errors <= 1%", "pass", "new: 1,204 requests, 0.4% errors", 10, 0.01,
        {"share": 10.2}, number=number, backends=SEEN,
    )  # fmt: skip


def shown(*events: e.Event, width: int = 80, height: int = 40, encoding: str = "utf-8", ago: float = 5.0) -> list[str]:
    """The lines of the last scene; ``ago`` seconds after the first event."""
    scene = Scene()
    for recorded, event, state in record(*events, at=time.time() - ago, every=0.0):
        scene.enter(event, state, recorded.at)
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="backslashreplace")
    console = Console(file=file, width=width, height=height, force_terminal=True, no_color=True, color_system=None)
    look = replace(Look.of(console), width=width, height=height)
    return ["".join(segment.text for segment in line).rstrip() for line in console.render_lines(drawn(scene, look))]


def test_a_hold_shows_weight_share_traffic_countdown_and_gates() -> None:
    lines = shown(*HOLDING, evaluated())
    assert lines[1].startswith("phases  [x] preflight  [>] shift")
    assert lines[2].endswith("10 % on new, 10.2 % seen")
    assert lines[3].split() == ["traffic", "rate", "errors", "p50", "p95"]
    assert lines[4].startswith("old        182/s █")
    assert lines[5].startswith("new       20.3/s █")
    assert re.fullmatch(r"hold    4m5\ds left of 5m", lines[7])
    assert lines[8].startswith("gate    pass    traffic 1: errors <= 1%: new: 1,204 requests")


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize("width", [40, 60, 100])
def test_every_line_keeps_to_the_width(width: int, encoding: str) -> None:
    lines = shown(*HOLDING, evaluated(), width=width, encoding=encoding)
    assert all(len(line) <= width for line in lines)
    assert any(line.startswith("new ") and "0.4%" in line for line in lines)
    assert any("10 % on new, 10.2 % seen" in line for line in lines)


def test_a_low_terminal_shows_fewer_gates() -> None:
    events = (*HOLDING, *(evaluated(number) for number in range(1, 12)))
    tall, low = shown(*events, height=60), shown(*events, height=16)
    assert sum(line.startswith("gate ") for line in tall) == SHOWN_GATES
    assert sum(line.startswith("gate ") for line in low) == 2
    assert low[-1] == "        and 9 more gates"
    assert len(low) <= 16


def test_without_gates_on_traffic_nothing_is_said_of_it() -> None:
    lines = shown(*ROLLED_BACK[:16])
    assert lines[2].endswith("10 % on new")
    assert not any(line.startswith(("traffic", "old", "new")) for line in lines)


def test_a_watch_outside_the_phases_says_how_long_it_goes_on() -> None:
    endless = "\n".join(shown(e.WatchStarted(50, None, 1, rolls_back=True), ago=12))
    assert re.search(r"^watch   for 1\ds, until stopped$", endless, re.MULTILINE)
    bounded = "\n".join(shown(e.WatchStarted(50, 60.0, 1, rolls_back=True), ago=12))
    assert re.search(r"^watch   4\ds left of 1m$", bounded, re.MULTILINE)
    ended = shown(e.WatchStarted(50, 60.0, 1, rolls_back=True), e.WatchEnded(50, passed=True))
    assert not any(line.startswith("watch") for line in ended)


def test_a_lease_is_told_while_traffic_is_on_new() -> None:
    granted = (e.LeaseGranted(120.0), e.LeaseRenewed(time.time() + 90.4))
    told = [line for line in shown(*ROLLED_BACK[:12], *granted, *ROLLED_BACK[12:15]) if line.startswith("lease")]
    assert told == ["lease   1m30s left of 2m: unless it is renewed, nginx returns all traffic to old"]
    assert not any(line.startswith("lease") for line in shown(*ROLLED_BACK[:12], *granted))
    released = shown(*ROLLED_BACK[:12], *granted, *ROLLED_BACK[12:15], e.LeaseReleased(10))
    assert not any(line.startswith("lease") for line in released)
