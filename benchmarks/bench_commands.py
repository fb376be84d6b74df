"""Whole commands beside `python -c "import typer, yaml, pydantic, sqlite3, httpx"`, and big plans beside small ones.

    python benchmarks/bench_commands.py [--seconds 40]

All take turns for so many seconds. `rollback` brings traffic back from 50 %, by client, each time; the `shift` before
it is not timed.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from benchmarks.figures import Budget, Cell, Report, Table, main
from benchmarks.machine import nginxes
from benchmarks.stage import Site, backends, scratch, site
from benchmarks.timing import Series, Work, by_turns
from cutover.cli import GARBAGE_COLLECTION_THRESHOLD
from cutover.journal import open_journal

REFERENCE = "import typer, yaml, pydantic, sqlite3, httpx"
BARE = "python -c pass"
IMPORTS = "python, and all that rollback imports"
HELP, STATUS, ROLLBACK = "cutover --help", "cutover status", "cutover rollback"
BUDGETS = {HELP: 1.5, STATUS: 2.0, ROLLBACK: 2.0}
SMALL, BIG = 10, 1000
ROUTES_BUDGET = 3.0
PHASES = "  shift:\n    - shift: {through: [10, 50]}\n"
NAME_IMPORTS = """
import atexit, sys
atexit.register(lambda: print(*sys.modules))
sys.argv = ["cutover", "rollback", "--json"]
from cutover.cli import main
main()
"""
IMPORT = f"""
import gc, importlib, sys
gc.set_threshold({GARBAGE_COLLECTION_THRESHOLD})
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except ImportError:
        pass
gc.freeze()
"""


def measure(seconds: float) -> Report:
    nginx = nginxes()[0]
    with scratch() as folder, backends(nginx, folder) as pair, site(folder / "a", nginx, pair, "client", PHASES) as one:
        plans = {count: write_routes(one, count) for count in (SMALL, BIG)}
        series = by_turns(works(one, plans), seconds)
        inside = inside_rollback(one)
    start_up = [Budget(f"{name} against the imports", limit, series.ratio(name, REFERENCE))
                for name, limit in BUDGETS.items()]  # fmt: skip
    sizes = [Budget(f"cutover {command}, {BIG:,} routes against {SMALL}", ROUTES_BUDGET, big_to_small(series, command))
             for command in ("check", "render")]  # fmt: skip
    note = f"Medians of {series.rounds} rounds; ratios are medians of the rounds' ratios."
    return Report([commands(series), consists_of(series, inside), routes(series)], [*start_up, *sizes], [note])


def works(one: Site, plans: dict[int, Path]) -> dict[str, Work]:
    def python(code: str, *arguments: str) -> Callable[[], str]:
        return lambda: one.run(sys.executable, "-c", code, *arguments)

    def cutover(*arguments: str) -> Callable[[], str]:
        return lambda: one.cutover(*arguments)

    def rollback() -> float:
        one.cutover("shift", "--weight", "50")
        began = time.perf_counter()
        one.cutover("rollback")
        return time.perf_counter() - began

    one.cutover("shift", "--weight", "50")
    imported = one.run(sys.executable, "-c", NAME_IMPORTS).splitlines()[-1].split()
    big_and_small = {
        f"{command} {count}": cutover(command, "--plan", str(plan))
        for command in ("check", "render")
        for count, plan in plans.items()
    }
    return {
        BARE: python("pass"),
        REFERENCE: python(REFERENCE),
        IMPORTS: python(IMPORT, *(name for name in imported if name != "__main__")),
        HELP: cutover("--help"),
        STATUS: cutover("status"),
        ROLLBACK: rollback,
        **big_and_small,
    }


def write_routes(one: Site, count: int) -> Path:
    """The site's plan with so many routes."""
    routes = "".join(f"    - path: /api/v1/resource-{number}/\n" for number in range(count))
    text = (one.folder / "cutover.yml").read_text()
    path = one.folder / f"routes-{count}.yml"
    path.write_text(text.replace("\nphases:", f"\n  routes:\n{routes}phases:", 1))
    return path


def inside_rollback(one: Site) -> dict[str, float]:
    """Seconds by the journal, medians of all rollbacks: the change itself, and from its first event to its last."""
    journal = open_journal(str(one.folder / "state" / "cutover" / "bench"), "bench")
    changes, spans, began = [], [], 0.0
    for event in journal.events("bench"):
        if event.kind == "CommandStarted" and event.data["command"] == "rollback":
            began = event.at
        elif event.kind == "RolledBack":
            changes.append(float(event.data["seconds"]))
        elif event.kind == "CommandEnded" and event.data["command"] == "rollback":
            spans.append(event.at - began)
    return {"change": median(changes), "span": median(spans)}


def commands(series: Series) -> Table:
    rows: list[list[Cell]] = [
        [name, series.median(name) * 1000, series.ratio(name, REFERENCE)]
        for name in (BARE, REFERENCE, HELP, STATUS, ROLLBACK)
    ]
    return Table("Whole processes", ["command", "median, ms", "of the imports"], rows)


def consists_of(series: Series, inside: dict[str, float]) -> Table:
    parts = {
        "Python itself": series.median(BARE),
        "imports": series.beyond(IMPORTS, BARE),
        "the plan, the lock, the journal's past, and the end": series.beyond(ROLLBACK, IMPORTS) - inside["span"],
        "from the first event to the last, without the change": inside["span"] - inside["change"],
        "the change: all clients back, verified": inside["change"],
    }
    return Table("What `cutover rollback` consists of", ["part", "ms"], [[k, v * 1000] for k, v in parts.items()])


def routes(series: Series) -> Table:
    rows: list[list[Cell]] = [
        [f"cutover {command}", *(series.median(f"{command} {count}") * 1000 for count in (SMALL, BIG)),
         big_to_small(series, command)]
        for command in ("check", "render")
    ]  # fmt: skip
    return Table("Routes in a plan", ["command", f"{SMALL} routes, ms", f"{BIG:,} routes, ms", "ratio"], rows)


def big_to_small(series: Series, command: str) -> float:
    return series.ratio(f"{command} {BIG}", f"{command} {SMALL}")


if __name__ == "__main__":
    main(__file__, __doc__, measure, seconds=40.0)
