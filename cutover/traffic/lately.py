"""What traffic is like now, for those who look on: a verdict rests on more of it."""

from __future__ import annotations

from cutover.traffic.seen import Seen
from cutover.traffic.tries import FALLBACK, NEW, OLD
from cutover.traffic.verdict import figures

RECENT_S = 10.0
SHOWN = ("rps", "errors", "p50", "p95")
DIGITS = 4


def by_backend(seen: Seen) -> dict[str, dict[str, float]]:
    """Rate, errors and times of each backend, in the units of thresholds; a fallback only where it was asked.

    What too few requests can't tell is absent.
    """
    found = {name: seen.total(name) for name in (OLD, NEW, FALLBACK)}
    return {
        name: {
            metric: float(f"{figure:.{DIGITS}g}")
            for metric, figure in figures(tally, seen.seconds).items()
            if metric in SHOWN
        }
        for name, tally in found.items()
        if name != FALLBACK or tally.tries
    }
