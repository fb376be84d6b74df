"""Requests that keep-alive clients lose while weights go 0 -> 10 -> 50 -> 100 -> 0: cutover beside sed and a reload.

    python benchmarks/bench_lost.py [--clients 50] [--seconds 6]

cutover's runs are its commands, `cutover run` and `cutover rollback`. By hand, the same nginx with the same upstream
gets the same weights from `sed -i` and `nginx -s reload`, with and without `keepalive_min_timeout`. Each way is
repeated for so many seconds, and at least once.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from benchmarks.clients import Clients, Seen
from benchmarks.figures import Budget, Cell, Report, Table, main, say
from benchmarks.machine import Nginx, nginxes
from benchmarks.stage import LIMIT_S, Backends, backends, fetch, free_port, scratch, serving, site, write_conf

HOLD_S = 0.4
PAUSE_S = 0.001
WEIGHTS = (10, 50, 100, 0)
PHASES = f"""\
  shift:
    - shift: {{through: [10, 50], hold: {HOLD_S * 1000:.0f}ms}}
  cutover:
    - shift: {{to: 100, hold: {HOLD_S * 1000:.0f}ms}}
"""
COLUMNS = ["way", "changes", "requests", "by new, %", "lost", "lost per change"]
NOTE = "By request, an nginx before 1.27.4 loses what its reload loses: it has no `keepalive_min_timeout`."

# The port, and what makes all changes of one run.
Way = tuple[int, Callable[[], None]]


def measure(clients: int, seconds: float) -> Report:
    rows: list[list[Cell]] = []
    budgets = []
    for nginx in nginxes():
        with scratch() as folder, backends(nginx, folder) as pair:
            for name, way in ways(nginx, pair, folder).items():
                say(f"{name}, {nginx}")
                changes, seen = seen_over(way, clients, seconds)
                rows.append([f"{name}, {nginx}", *figures(changes, seen)])
                if name.startswith("cutover") and (nginx.keeps_connections or "client" in name):
                    budgets.append(Budget(f"lost, {name}, {nginx}", 0, seen.losses, ""))
    title = f"{clients} keep-alive clients over whole runs of {len(WEIGHTS)} changes each"
    return Report([Table(title, COLUMNS, rows)], budgets, [NOTE])


def ways(nginx: Nginx, pair: Backends, folder: Path) -> dict[str, AbstractContextManager[Way]]:
    """Reference and subject by turns; each makes and ends an nginx of its own."""
    made: dict[str, AbstractContextManager[Way]] = {}
    made["by hand"] = by_hand(nginx, pair, folder / "hand", "")
    if nginx.keeps_connections:
        made["by hand, keepalive_min_timeout"] = by_hand(nginx, pair, folder / "kept", "keepalive_min_timeout 2s;")
    for by in ("request", "client"):
        made[f"cutover, by {by}"] = by_cutover(nginx, pair, folder / by, by)
    return made


def seen_over(way: AbstractContextManager[Way], clients: int, seconds: float) -> tuple[int, Seen]:
    """How many changes were made, and what the clients saw of them."""
    changes, end = 0, time.monotonic() + seconds
    with way as (port, run), Clients(port, clients, PAUSE_S) as asking:
        while not changes or time.monotonic() < end:
            run()
            changes += len(WEIGHTS)
    return changes, asking.seen


def figures(changes: int, seen: Seen) -> list[Cell]:
    by_new = 100 * seen.answered.get("new", 0) / seen.requests
    return [changes, seen.requests, by_new, seen.losses, seen.losses / changes]


@contextmanager
def by_cutover(nginx: Nginx, pair: Backends, folder: Path, by: str) -> Iterator[Way]:
    with site(folder, nginx, pair, by, PHASES) as made:
        made.cutover("proxy", "start")

        def run() -> None:
            made.cutover("run")
            assert fetch(made.port).endswith("new\n")
            made.cutover("rollback")
            assert fetch(made.port).endswith("old\n")

        yield made.port, run


@contextmanager
def by_hand(nginx: Nginx, pair: Backends, folder: Path, directive: str) -> Iterator[Way]:
    """As an administrator does it: a line per server, edited in place."""
    port = free_port()
    conf = write_conf(
        folder,
        f"upstream api {{\nserver 127.0.0.1:{pair.old}; # old\nserver 127.0.0.1:{pair.new} down; # new\n"
        "zone api 128k;\nkeepalive 64;\n}\n"
        f"server {{\nlisten 127.0.0.1:{port};\n{directive}\nlocation / {{\nproxy_pass http://api;\n"
        'proxy_http_version 1.1;\nproxy_set_header Connection "";\n}\n}\n',
    )
    command = [nginx.binary, "-p", str(folder), "-c", str(conf)]

    def change(weight: int) -> None:
        edits = [
            f"s/^server .* # {side}$/server 127.0.0.1:{server} {share(weight)}; # {side}/"
            for side, server, weight in (("old", pair.old, 100 - weight), ("new", pair.new, weight))
        ]
        subprocess.run(["sed", "-i", "-e", edits[0], "-e", edits[1], str(conf)], timeout=LIMIT_S, check=True)
        subprocess.run([*command, "-s", "reload"], timeout=LIMIT_S, check=True, capture_output=True)
        time.sleep(HOLD_S)

    def run() -> None:
        for weight in WEIGHTS:
            change(weight)

    with serving([*command, "-g", "daemon off;"], port):
        yield port, run


def share(weight: int) -> str:
    return f"weight={weight}" if weight else "down"


if __name__ == "__main__":
    main(__file__, __doc__, measure, clients=50, seconds=6.0)
