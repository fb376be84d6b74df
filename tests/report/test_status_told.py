"""``cutover status`` in words, on paper and within a terminal."""

from __future__ import annotations

from typing import Any

from cutover.report.status import rows, told
from tests.support.told import NOON

AT = "2026-01-31T12:00:00.000Z"
POINT = {"at": AT, "rps": 20.0, "errors": 0.0, "p50": 0.01, "p95": 0.02}
HOLDING: dict[str, Any] = {
    "plan": "site", "run": "r1", "state": "holding", "phase": "shift", "step": "shift: 10 %",
    "weight": {"intended": 10, "live": 10}, "lease": None, "revision": "aaaa",
    "lock": {"command": "run", "pid": 1, "user": "u", "host": "h", "since": AT}, "last_error": None,
    "next": "cutover status --watch",
    "hold": {"weight": 10, "until": "2026-01-31T12:01:00.000Z", "seconds": 300, "left_s": 60.0},
    "seen": {"at": AT, "weight": 10, "share": 10.24},
    "backends": {name: {**POINT, "history": [POINT]} for name in ("old", "new")},
    "gates": [
        {"gate": f"g{n}", "verdict": "pass", "summary": "well", "limit": "", "count": "", "weight": 10, "at": AT}
        for n in range(6)
    ],
    "waiting_for": None, "proxy": None, "started_at": AT, "updated_at": AT,
}  # fmt: skip


def labels(status: dict[str, Any], **screen: Any) -> list[str]:
    return [row.label for row in rows(status, now=NOON, **screen)]


def test_a_hold_is_told_with_its_countdown_share_traffic_and_gates() -> None:
    lines = told(HOLDING, now=NOON).splitlines()
    assert "hold       1m left of 5m" in lines
    assert "weight     10 % intended, 10 % live, 10.2 % seen" in lines
    assert any(line.startswith("new            20/s █") for line in lines)
    assert [line for line in lines if line.startswith("gate ")] == [f"gate       pass    g{n}: well" for n in range(6)]


def test_without_gates_on_traffic_there_is_nothing_of_it() -> None:
    text = told({**HOLDING, "seen": None, "backends": {}, "gates": []}, now=NOON)
    assert "seen" not in text
    assert "traffic" not in text
    assert "gate" not in text


def test_a_run_that_ended_has_no_traffic_but_while_somebody_works_on_it() -> None:
    done = {**HOLDING, "state": "done", "hold": None}
    assert "traffic" in labels(done)
    assert not {"traffic", "gate"} & set(labels({**done, "lock": None}))


def test_figures_of_another_weight_are_no_share_of_this_one() -> None:
    assert "seen" not in told({**HOLDING, "weight": {"intended": 10, "live": 0}}, now=NOON)
    assert "% seen" not in told({**HOLDING, "state": "idle", "lock": None}, now=NOON)
    assert "seen" not in told({**HOLDING, "seen": {**HOLDING["seen"], "share": None}}, now=NOON)


def test_what_happened_is_one_line_whatever_it_says() -> None:
    assert "last error a b" in told({**HOLDING, "last_error": "a\n\x1bb"}, now=NOON)


def test_a_low_terminal_goes_without_what_is_missed_least() -> None:
    assert len(labels(HOLDING, width=80, height=40)) == 20
    low = labels(HOLDING, width=80, height=13)
    assert len(low) <= 13
    assert {"state", "hold", "weight", "traffic", "old", "new", "gate", "next"} <= set(low)
    assert "started" not in low
