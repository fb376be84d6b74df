"""What the gates saw last: the part of a run's state that is only looked at. Bounded, however long a run lasts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cutover.engine.events import GateEvaluated

BACKENDS = ("old", "new", "fallback")
FIGURES = ("rps", "errors", "p50", "p95")

MAX_POINTS = 40
"""Of the history of traffic."""

POINT_S = 1.0
"""Gates that are asked at the same time see the same traffic: a point of the history stands for so long, at least."""

MAX_GATES = 40
MAX_TEXT_CHARS = 300

Gates = Mapping[str, Mapping[str, Any]]
Points = tuple[Mapping[str, Any], ...]


def gates_after(gates: Gates, event: GateEvaluated, at: float) -> Gates:
    """The last evaluation of each gate, by ``phase/index/number``. Of very many the one asked longest ago goes."""
    key = f"{event.phase}/{event.index}/{event.number}"
    kept = dict(gates)
    if key not in kept and len(kept) >= MAX_GATES:
        del kept[min(kept, key=lambda known: kept[known]["at"])]
    kept[key] = {
        "gate": event.gate[:MAX_TEXT_CHARS],
        "verdict": event.verdict,
        "summary": event.summary[:MAX_TEXT_CHARS],
        "limit": event.limit[:MAX_TEXT_CHARS],
        "count": event.count,
        "weight": event.weight,
        "at": at,
        "order": [event.index, event.number],
    }
    return kept


def points_after(points: Points, event: GateEvaluated, at: float) -> Points:
    """The history of traffic, oldest first: ``at``, ``weight``, the ``share`` of new, figures of the ``backends``."""
    if not event.backends:
        return points
    point = {
        "at": at,
        "weight": event.weight,
        "share": _number(event.figures.get("share")),
        "backends": {
            name: {figure: _number(event.backends[name].get(figure)) for figure in FIGURES}
            for name in BACKENDS
            if name in event.backends
        },
    }
    last = points[-1] if points else None
    if last is not None and last["weight"] == event.weight and at - last["at"] < POINT_S:
        return (*points[:-1], {**point, "at": last["at"]})
    return (*points, point)[-MAX_POINTS:]


def in_order(gates: Gates) -> list[Mapping[str, Any]]:
    """As the plan has them."""
    return sorted(gates.values(), key=lambda gate: tuple(gate["order"]))


def by_backend(points: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The newest figures of each backend, None where there are none, and its ``history``, oldest first."""
    if not points:
        return {}
    nothing = dict.fromkeys(FIGURES)
    return {
        name: {
            **figures,
            "history": [{"at": point["at"], **point["backends"].get(name, nothing)} for point in points],
        }
        for name, figures in points[-1]["backends"].items()
    }


def share_at(points: Sequence[Mapping[str, Any]], weight: int) -> float | None:
    """New's share, in percent, where it was seen at this weight."""
    return points[-1]["share"] if points and points[-1]["weight"] == weight else None


def _number(figure: Any) -> float | None:
    """A figure; a secret of digits may have been taken for one, and masked."""
    return figure if isinstance(figure, int | float) else None
