"""How long a run of a million events takes to open, and an event to write, beside bare SQLite and a bare fsync.

    python benchmarks/bench_journal.py [--events 1000000]

Opening is timed as whole processes, of which the first has no snapshot to start from.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from benchmarks.figures import Cell, Report, Table, main
from cutover.journal import SqliteJournal, open_journal
from cutover.journal.sqlite import SNAPSHOT_EVERY

RUNS = 7
APPENDS = 500
EVENT = {"gate": "traffic", "verdict": "pass", "summary": "errors 0.1% <= 1%", "figures": {"errors": 0.1, "p95": 0.21}}

FOLD = """
import sys
from benchmarks.figures import Cell, Report, Table, main
from cutover.journal import open_journal

def step(state, event):
    return {"count": state["count"] + 1, "last": event.kind}

journal = open_journal(sys.argv[1], "bench")
state = journal.fold("bench", "r1", {"count": 0, "last": ""}, step, version="1", dump=dict, load=dict)
assert state["count"] == int(sys.argv[2]), state
"""
REFERENCE = "import typer, yaml, pydantic, sqlite3, httpx"


def measure(events: int) -> Report:
    with tempfile.TemporaryDirectory(dir=".") as folder:
        journal = open_journal(folder, "bench")
        fill(journal, events)
        size = journal.file.stat().st_size / 1e6
        rows: list[tuple[str, float]] = [("without a snapshot", whole_process(FOLD, folder, str(events)))]
        reference = median_of(lambda: whole_process(REFERENCE))
        rows.append(("with one", median_of(lambda: whole_process(FOLD, folder, str(events)))))
        fill(journal, SNAPSHOT_EVERY - 1)
        late = events + SNAPSHOT_EVERY - 1
        rows.append(
            (f"{SNAPSHOT_EVERY - 1} events after it", median_of(lambda: whole_process(FOLD, folder, str(late))))
        )
        rows.append((f"reference: python -c '{REFERENCE}'", reference))
        title = f"Opening a run of {events:,} events, {size:.0f} MB, whole processes"
        cells: list[list[Cell]] = [[what, took * 1000, took / reference] for what, took in rows]
        opened = Table(title, ["opened", "ms", "to the reference"], cells)
        durable = written(journal, Path(folder))
    return Report([opened, durable])


def written(journal: SqliteJournal, folder: Path) -> Table:
    bare, ours, synced = bare_appends(folder / "bare.db"), appends(journal), bare_fsyncs(folder / "bare.txt")
    rows = {
        "cutover": ours,
        "reference: the same row by bare sqlite3, WAL, FULL": bare,
        "reference: fsync of a file": synced,
    }
    return Table("Writing an event, durable", ["written by", "ms", "to bare sqlite3"],
                 [[what, took * 1000, took / bare] for what, took in rows.items()])  # fmt: skip


def fill(journal: SqliteJournal, count: int) -> None:
    data = json.dumps(EVENT)
    with journal.transaction() as connection:
        connection.executemany(
            "INSERT INTO events (plan, run, at, kind, data) VALUES ('bench', 'r1', 0, 'GateEvaluated', ?)",
            ((data,) for _ in range(count)),
        )


def appends(journal: SqliteJournal) -> float:
    return median_of(lambda: timed(lambda: journal.append("bench", "r2", "GateEvaluated", EVENT)), APPENDS)


def bare_appends(file: Path) -> float:
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE events (seq INTEGER PRIMARY KEY, data TEXT)")
    data = json.dumps(EVENT)
    took = median_of(
        lambda: timed(lambda: connection.execute("INSERT INTO events (data) VALUES (?)", (data,))), APPENDS
    )
    connection.close()
    return took


def bare_fsyncs(file: Path) -> float:
    data = json.dumps(EVENT).encode()
    with file.open("ab", buffering=0) as log:

        def write() -> None:
            log.write(data)
            os.fsync(log.fileno())

        return median_of(lambda: timed(write), APPENDS)


def whole_process(code: str, *arguments: str) -> float:
    return timed(lambda: subprocess.run([sys.executable, "-c", code, *arguments], check=True, timeout=300))


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def median_of(measure: Callable[[], float], runs: int = RUNS) -> float:
    return median(measure() for _ in range(runs))


if __name__ == "__main__":
    main(__file__, __doc__, measure, events=1_000_000)
