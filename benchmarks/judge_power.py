"""What the judge of traffic sees and when, and how often it cries wolf: by simulation, beside Kayenta's rule.

    python benchmarks/judge_power.py [--write]

It takes a quarter of an hour on two cores, and gives the same figures each time. ``--write`` puts them into
docs/judging.md.
"""

from __future__ import annotations

import time
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import starmap
from math import ceil
from pathlib import Path
from zlib import crc32

import numpy as np

from benchmarks.figures import Cell, grid, say
from benchmarks.kayenta import high
from benchmarks.simulated import SHAPES, Backend, Rng, Traffic, heavy_tail
from cutover.plan.thresholds import Verdict
from cutover.traffic.judge import LEAST_SAMPLES, METRICS, Terms, judge_sides
from cutover.traffic.ranks import Ranked, mann_whitney
from cutover.traffic.seen import Tally

PAGE = Path(__file__).parent.parent / "docs" / "judging.md"
CONFIDENCE = 98.0
WEIGHTS = (1, 10, 50)
PROCESSES = 2

HOLD_LOOKS = 30
REQUESTS_PER_LOOK = 200
"""20 a second, with a look every 10 s over a hold of 5 minutes."""
ALARM_RUNS = 800

POINTS = 10
"""Of Kayenta, on each side; it asks for 50 points a side, which are 50 minutes in most stores."""

POWER_RUNS = 40
SEEN_IN = 0.8
GROWTH = 1.2
MOST_OF_NEW = 100_000

ONE_LOOK_DEVIATIONS = 2.326
"""Of a single look at 98 %, on both sides together."""


@dataclass(frozen=True)
class Fault:
    name: str
    new: Backend
    old: Backend


FAULTS = (
    Fault("10 % slower", Backend(heavy_tail, slower=1.1), Backend(heavy_tail)),
    Fault("25 % slower", Backend(heavy_tail, slower=1.25), Backend(heavy_tail)),
    Fault("50 % slower", Backend(heavy_tail, slower=1.5), Backend(heavy_tail)),
    Fault("a tenth 4 times slower", Backend(heavy_tail, slower=4.0, part=0.1), Backend(heavy_tail)),
    Fault("1 % errors, old 0.5 %", Backend(heavy_tail, errors=0.01), Backend(heavy_tail, errors=0.005)),
    Fault("5 % errors, old none", Backend(heavy_tail, errors=0.05), Backend(heavy_tail, errors=0.0)),
)


@dataclass(frozen=True)
class Case:
    """A new that is as good as old, or as bad as is tolerated."""

    name: str
    new: Backend
    old: Backend
    tolerance: float = 0.0


CASES = (
    *(Case(name, Backend(shape), Backend(shape)) for name, shape in SHAPES.items()),
    Case("lognormal, 25 % slower, tolerated", Backend(heavy_tail, slower=1.25), Backend(heavy_tail), 25.0),
)
TOLERATED = {("10 % slower", 25.0), ("25 % slower", 25.0)}


def alarms(case: Case, runs: int) -> Counter[str]:
    """Of so many holds in which new is no worse than tolerated, how many were ended, and by what."""
    rng = _rng("alarms", case.name)
    told: Counter[str] = Counter()
    for _ in range(runs):
        told.update(_hold(Traffic(case.new, case.old, 10), rng, Terms(CONFIDENCE, case.tolerance)))
    return told


def _hold(traffic: Traffic, rng: Rng, terms: Terms) -> set[str]:
    """What cried wolf in one hold."""
    told: set[str] = set()
    new, old = Tally(), Tally()
    points: list[tuple[Tally, Tally]] = []
    for look in range(HOLD_LOOKS):
        more = traffic.serve(rng, REQUESTS_PER_LOOK)
        new.merge(more[0])
        old.merge(more[1])
        _add_to_points(points, more, anew=look % (HOLD_LOOKS // POINTS) == 0)
        if min(new.requests, old.requests) < LEAST_SAMPLES:
            continue
        failing = {one.metric for one in judge_sides(new, old, terms, terms.doubt) if one.verdict is Verdict.FAIL}
        told |= failing | ({"judge"} if failing else set())
        if mann_whitney(Ranked(new.times.bins()), Ranked(old.times.bins())) > ONE_LOOK_DEVIATIONS:
            told.add("uncorrected")
    if any(one.verdict is Verdict.FAIL for one in judge_sides(new, old, terms, terms.doubt)):
        told.add("at the end")
    return told | ({"kayenta"} if _kayenta(points) else set())


def _add_to_points(points: list[tuple[Tally, Tally]], more: tuple[Tally, Tally], *, anew: bool) -> None:
    if anew:
        points.append((Tally(), Tally()))
    for whole, part in zip(points[-1], more, strict=True):
        whole.merge(part)


def _kayenta(points: Sequence[tuple[Tally, Tally]]) -> bool:
    """Whether errors in percent, the median or p95 in milliseconds are ``High``."""
    sides = list(zip(*points, strict=True))
    by_metric = (
        [[one.errors for one in side] for side in sides],
        [[1000 * one.times.percentile(50) for one in side] for side in sides],
        [[1000 * one.times.percentile(95) for one in side] for side in sides],
    )
    return any(starmap(high, by_metric))


def power(fault: Fault, weight: int, tolerance: float, runs: int) -> int | None:
    """After how many requests, to new and old together, most of the runs had failed; None where they never did."""
    if (fault.name, tolerance) in TOLERATED:
        return None
    traffic, rng = Traffic(fault.new, fault.old, weight), _rng(fault.name, weight, tolerance)
    terms = Terms(CONFIDENCE, tolerance)
    seen = sorted(_seen_after(traffic, rng, terms) for _ in range(runs))
    after = seen[ceil(SEEN_IN * runs) - 1]
    return int(after) if after < float("inf") else None


def _seen_after(traffic: Traffic, rng: Rng, terms: Terms) -> float:
    looks = list(_looks(traffic.weight))
    for requests, (new, old) in zip(looks, traffic.grow(rng, looks), strict=True):
        if any(one.verdict is Verdict.FAIL for one in judge_sides(new, old, terms, terms.doubt)):
            return requests
    return float("inf")


def kayentas_power(fault: Fault, weight: int, runs: int) -> int | None:
    """The same of Kayenta's rule, asked once, with so many requests in all of its points."""
    traffic, rng = Traffic(fault.new, fault.old, weight), _rng("kayenta", fault.name, weight)
    for requests in _looks(weight):
        each = max(requests // POINTS, 1)
        seen = sum(_kayenta([traffic.serve(rng, each) for _ in range(POINTS)]) for _ in range(runs))
        if seen >= SEEN_IN * runs:
            return requests
    return None


def _looks(weight: int) -> Iterator[int]:
    """Numbers of requests, from where both sides have enough."""
    requests = 1.1 * LEAST_SAMPLES * 100 / min(weight, 100 - weight)
    while requests * weight / 100 < MOST_OF_NEW:
        yield ceil(requests)
        requests *= GROWTH


def _rng(*names: object) -> Rng:
    return np.random.default_rng(crc32(repr(names).encode()))


def alarm_table(pool: ProcessPoolExecutor, runs: int) -> str:
    told = list(pool.map(alarms, CASES, [runs] * len(CASES)))
    columns = (
        "new", "judge, 30 looks", *(f"by {metric}" for metric in METRICS), "judge, 1 look", "ranks at 98 %, 30 looks",
        "Kayenta, 1 look",
    )  # fmt: skip
    kinds = ("judge", *METRICS, "at the end", "uncorrected", "kayenta")
    rows: list[list[Cell]] = []
    for case, counted in zip(CASES, told, strict=True):
        shares: list[Cell] = [f"{100 * counted[kind] / runs:.1f} %" for kind in kinds]
        # Without a tolerance theirs are right to find it.
        rows.append([case.name, *([*shares[:-2], None, None] if case.tolerance else shares)])
    return grid(columns, rows)


def power_table(pool: ProcessPoolExecutor, runs: int) -> str:
    asked = [(fault, weight) for fault in FAULTS for weight in WEIGHTS]
    columns = ["new", "weight", "tolerance 0 %", "tolerance 25 %", "Kayenta"]
    exact, tolerant = (
        list(pool.map(power, *zip(*asked, strict=True), [tolerance] * len(asked), [runs] * len(asked)))
        for tolerance in (0.0, 25.0)
    )
    theirs = list(pool.map(kayentas_power, *zip(*asked, strict=True), [runs] * len(asked)))
    rows: list[list[Cell]] = [
        [
            fault.name,
            f"{weight} %",
            _shown(zero),
            "tolerated" if (fault.name, 25.0) in TOLERATED else _shown(some),
            _shown(other),
        ]
        for (fault, weight), zero, some, other in zip(asked, exact, tolerant, theirs, strict=True)
    ]
    return grid(columns, rows)


def _shown(requests: int | None) -> str:
    """Two digits are as many as the simulation is worth."""
    return "never" if requests is None else f"{int(float(f'{requests:.2g}')):,}"


def tables(runs: float) -> dict[str, str]:
    with ProcessPoolExecutor(PROCESSES) as pool:
        began = time.monotonic()
        power_ = power_table(pool, ceil(POWER_RUNS * runs))
        say(f"power: {time.monotonic() - began:.0f} s")
        return {"power": power_, "alarms": alarm_table(pool, ceil(ALARM_RUNS * runs))}


def written(text: str, made: dict[str, str]) -> str:
    for name, table in made.items():
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        head, _, rest = text.partition(begin)
        _, _, tail = rest.partition(end)
        text = f"{head}{begin}\n\n{table}\n\n{end}{tail}"
    return text


def main() -> None:
    parser = ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=float, default=1.0, help="share of the runs that the tables rest on")
    parser.add_argument("--write", action="store_true", help=f"put the tables into {PAGE.name}")
    given = parser.parse_args()
    made = tables(given.runs)
    print("\n\n".join(f"{name}\n\n{table}" for name, table in made.items()))
    if given.write:
        PAGE.write_text(written(PAGE.read_text(), made))


if __name__ == "__main__":
    main()
