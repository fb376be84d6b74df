"""What a run looks like now, in rows of text, and the part of the fold that they come from."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutover.engine import events as e
from cutover.engine import latest
from cutover.engine.state import RunState, dump, load
from cutover.redact import redactor
from cutover.report.figures import ASCII, BLOCKS, Row, countdown, gate_rows, ramp, sparkline, traffic_rows, weight_text
from tests.support.told import NOON, ROLLED_BACK, record

Backends = dict[str, dict[str, float]]
SEEN: Backends = {
    "old": {"rps": 182.34, "errors": 0.0, "p50": 0.0421, "p95": 0.061},
    "new": {"rps": 20.26, "errors": 0.4, "p50": 0.0048, "p95": 0.083},
}


def evaluated(
    backends: Backends | None = None, *, number: int = 1, weight: int = 10, **changed: Any
) -> e.GateEvaluated:
    settings: dict[str, Any] = {
        "gate": "traffic: errors <= 1%", "verdict": "pass", "summary": "new: 20 requests",
        "limit": "errors <= 1%", "figures": {"share": 10.2}, **changed,
    }  # fmt: skip
    return e.GateEvaluated("shift", 0, weight=weight, seconds=0.01, number=number, backends=backends or {}, **settings)


def after(*events: e.Event, every: float = 5.0) -> RunState:
    return record(*events, every=every)[-1][2]


def rows(backends: Backends, width: int = 90, times: int = 1, **settings: Any) -> list[str]:
    state = after(*[evaluated(backends)] * times)
    found = traffic_rows(latest.by_backend(state.traffic), age=settings.pop("age", 0.0), width=width, **settings)
    return [f"{row.label:<9}{row.text}" for row in found]


def gates(*states: RunState | e.GateEvaluated) -> list[Any]:
    return latest.in_order(after(*states).gates)  # type: ignore[arg-type]


def shown(found: list[Row]) -> list[str]:
    return [f"{row.label:<5}{row.text}".rstrip() for row in found]


# The fold


def test_the_history_keeps_the_newest_points_however_long_a_run_lasts() -> None:
    state = after(*[evaluated({"new": {"rps": float(n)}}) for n in range(500)])
    assert len(state.traffic) == latest.MAX_POINTS
    new = latest.by_backend(state.traffic)["new"]
    assert new["rps"] == 499
    assert [point["rps"] for point in new["history"]] == list(range(460, 500))
    assert new["p95"] is None


def test_gates_that_are_asked_at_the_same_time_make_one_point() -> None:
    state = after(
        evaluated(SEEN), evaluated(SEEN, number=2), evaluated(SEEN, number=3, weight=50), evaluated(SEEN), every=0.1
    )
    assert [(point["at"], point["weight"]) for point in state.traffic] == [
        (NOON, 10), (pytest.approx(NOON + 0.2), 50), (pytest.approx(NOON + 0.3), 10),
    ]  # fmt: skip


def test_a_gate_that_does_not_look_at_traffic_adds_no_point_and_no_number() -> None:
    state = after(*ROLLED_BACK[:16])
    assert state.traffic == ()
    assert latest.by_backend(state.traffic) == {}
    assert traffic_rows({}, age=0, width=90) == []
    assert [gate["summary"] for gate in latest.in_order(state.gates)] == ["200 in 4ms"]


def test_gates_have_their_last_answer_in_the_order_of_the_plan_until_the_next_step() -> None:
    answers = [evaluated(number=2, verdict="fail", failed=2, failures=3), evaluated(), evaluated(summary="again")]
    state = after(*answers)
    assert [(gate["verdict"], gate["summary"], gate["count"]) for gate in latest.in_order(state.gates)] == [
        ("pass", "again", ""), ("fail", "new: 20 requests", "2nd of 3 failures"),
    ]  # fmt: skip
    assert after(*answers, e.StepStarted("soak", 0, "watch", "watch", "k")).gates == {}
    assert after(*answers, e.CommandStarted("run", 1)).gates == {}


def test_very_many_gates_and_long_texts_stay_within_limits() -> None:
    state = after(*[evaluated(number=n, summary="x" * 9999) for n in range(200)])
    assert len(state.gates) == latest.MAX_GATES
    assert latest.in_order(state.gates)[-1]["order"] == [0, 199]
    assert len(json.dumps(dump(state))) < 40_000


def test_a_snapshot_gives_back_the_same() -> None:
    state = after(evaluated(SEEN), evaluated(SEEN, number=2))
    assert load(json.loads(json.dumps(dump(state)))) == state


def test_a_figure_that_was_masked_is_not_known() -> None:
    state = after(evaluated({"new": {"rps": "***", "errors": 1.0}}, figures={"share": "***"}))  # type: ignore[dict-item]
    assert latest.share_at(state.traffic, 10) is None
    assert latest.by_backend(state.traffic)["new"]["rps"] is None


def test_the_share_is_that_of_the_weight_there_is() -> None:
    state = after(evaluated(SEEN, weight=10))
    assert latest.share_at(state.traffic, 10) == 10.2
    assert latest.share_at(state.traffic, 25) is None
    assert latest.share_at((), 10) is None


# Traffic


def test_each_backend_has_a_line_under_headings() -> None:
    assert rows(SEEN, width=40) == [
        "traffic      rate  errors     p50     p95",
        "old         182/s      0%    42ms    61ms",
        "new        20.3/s    0.4%   4.8ms    83ms",
    ]


def test_what_is_not_known_is_a_dash_and_a_fallback_has_a_line_of_its_own() -> None:
    found = rows({"old": {"rps": 0.0}, "new": {"rps": 1204.0, "errors": 12.5}, "fallback": {"rps": 3.0}}, width=40)
    assert found[1:] == [
        "old           0/s       -       -       -",
        "new       1,204/s   12.5%       -       -",
        "fallback      3/s       -       -       -",
    ]


def test_histories_share_a_scale_for_errors_and_times_but_not_for_rates() -> None:
    header, old, new = rows(SEEN, width=90, times=3)
    assert header == f"traffic      rate{'':<19}  errors{'':<19}     p50     p95"
    assert old == f"old         182/s {'███':<18}      0% {'▁▁▁':<18}    42ms    61ms {'▆▆▆':<18}"
    assert new == f"new        20.3/s {'███':<18}    0.4% {'▄▄▄':<18}   4.8ms    83ms {'███':<18}"


def test_figures_that_are_old_say_so() -> None:
    assert rows(SEEN, width=40, age=29)[0].endswith("p95")
    assert rows(SEEN, width=40, age=200)[0].endswith("p95  3m20s ago")


@given(st.integers(24, 250), st.integers(1, 60))
def test_rows_keep_to_the_width_and_columns_stand_below_each_other(width: int, times: int) -> None:
    found = traffic_rows(latest.by_backend(after(*[evaluated(SEEN)] * times).traffic), age=0, width=width)
    assert all(len(row.text) <= width for row in found)
    assert {row.text.index("%") for row in found[1:]} == {found[0].text.index("errors") + 5}


def test_a_narrow_terminal_goes_without_histories_first_and_then_without_the_median() -> None:
    def heads(width: int) -> str:
        return rows(SEEN, width=width)[0]

    assert "█" in rows(SEEN, width=41)[2]
    assert "█" not in rows(SEEN, width=40)[2]
    assert "p50" in heads(32)
    assert "p50" not in heads(31)


@pytest.mark.parametrize(
    ("encoding", "levels"), [("utf-8", BLOCKS), ("ascii", ASCII), ("latin-1", ASCII), ("?", ASCII)]
)
def test_blocks_are_ascii_where_they_cannot_be_written(encoding: str, levels: str) -> None:
    assert ramp(encoding) == levels
    text = "".join(rows(SEEN, times=9, levels=ramp(encoding)))
    assert text.isascii() == (levels == ASCII)


@given(st.lists(st.none() | st.floats(0, 1e9), max_size=60), st.integers(1, 40), st.floats(0, 1e9))
def test_a_history_shows_the_newest_values_in_so_many_characters(
    values: list[float | None], width: int, top: float
) -> None:
    line = sparkline(values, width, top)
    newest = values[-width:]
    assert len(line) == width
    assert [mark == " " for mark in line[: len(newest)]] == [value is None for value in newest]
    assert set(line) <= {" ", *BLOCKS}


def test_a_history_rises_with_its_values() -> None:
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7, 8, None, 8], 12, 8.0) == "▁▂▃▄▅▆▇██ █ "
    assert sparkline([1, 2, 8], 2, 8.0, ASCII) == "-#"


# Gates, weights and holds


def test_a_gate_stands_in_one_line_where_that_fits_and_else_in_two() -> None:
    found = gates(evaluated())
    assert shown(gate_rows(found, width=80, most=5)) == ["gate pass    traffic: errors <= 1%: new: 20 requests"]
    assert shown(gate_rows(found, width=40, most=5)) == [
        "gate pass    traffic: errors <= 1%", "       new: 20 requests",
    ]  # fmt: skip


def test_a_gate_with_a_name_says_its_limit_too() -> None:
    (line,) = shown(gate_rows(gates(evaluated(gate="clients are well")), width=80, most=5))
    assert line == "gate pass    clients are well (errors <= 1%): new: 20 requests"


def test_of_too_many_gates_those_that_did_not_pass_are_shown() -> None:
    found = gates(*[evaluated(number=n, verdict="fail" if n == 7 else "pass", summary=str(n)) for n in range(1, 9)])
    lines = shown(gate_rows(found, width=80, most=2))
    assert lines[0].startswith("gate FAIL    traffic: errors <= 1%: 7")
    assert lines[2] == "     and 6 more gates"
    assert len(shown(gate_rows(found, width=80, most=8))) == 8


def test_nothing_that_a_terminal_obeys_and_no_secret_gets_into_a_row() -> None:
    redactor.add("s3cret-of-rows")
    (row,) = gate_rows(gates(evaluated(summary="\x1b[2Jsaw\ns3cret-of-rows")), width=200, most=1)
    assert row.text == "pass    traffic: errors <= 1%:  [2Jsaw ***"


def test_the_weight_is_told_with_the_share_that_was_seen() -> None:
    assert weight_text(10, 10.24) == "10 % on new, 10.2 % seen"
    assert weight_text(0, None) == "0 % on new"


def test_a_countdown_never_goes_below_nothing() -> None:
    assert countdown(NOON - 10, 60, NOON) == "0s left of 1m"
    assert countdown(NOON + 59.8, 60, NOON) == "1m left of 1m"
