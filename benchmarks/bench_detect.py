"""From a breach to traffic back on old, verified: a new backend that starts to fail under load, at weight 50.

    python benchmarks/bench_detect.py [--rounds 3] [--settled 120]

In each round a run holds weight 50 under keep-alive clients, with a gate on what the proxy saw, and at a moment that
nobody chose new answers 500 to everything, or nothing at all. Measured is the time from then until cutover has verified
that the proxy sends everybody to old, and what clients lost that new did not fail. ``settled`` is for how many seconds
all was well before the breach in the last rows, all of which is within the gate's window.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.clients import Clients, Seen
from benchmarks.figures import Budget, Cell, Report, Table, main, say
from benchmarks.machine import Nginx, nginxes
from benchmarks.stage import LIMIT_S, Backends, Site, fetch, free_port, scratch, serving, site, write_conf

CLIENTS = 50
PAUSE_S = 0.02
SEEDS_LIMIT_S = 30.0
BEYOND_INTERVAL_S = 1.0
LEAST_HEALTHY_S = 1.0
FAILED_BY_NEW = ("HTTP/1.1 500", "TimeoutError")
OF_WHAT = """\
New fails whole, the limit is `errors <= 1%`, and the window is the default of 5 minutes. A new that hangs takes
requests and answers none; the clients give up after 15 s, and by request all of them wait for new by then."""
COLUMNS = ["a breach at weight 50", "rounds", "median, s", "slowest, s", "answers", "failed by new", "lost otherwise"]


@dataclass(frozen=True)
class Case:
    """``every`` in seconds."""

    by: str
    every: float

    def __str__(self) -> str:
        return f"by {self.by}, every {self.every:g}s"

    @property
    def phases(self) -> str:
        gate = '{traffic: {thresholds: ["errors <= 1%"]}}'
        return f"  shift:\n    - shift: {{to: 50, hold: 10m, every: {self.every:g}s, gates: [{gate}]}}\n"


Breaks = Callable[[], AbstractContextManager[None]]
Stage = Callable[[Nginx, Path], AbstractContextManager[tuple[Backends, Breaks]]]


@dataclass(frozen=True)
class Round:
    seconds: float
    seen: Seen

    @property
    def failed_by_new(self) -> int:
        return sum(count for what, count in self.seen.lost.items() if what.startswith(FAILED_BY_NEW))


def measure(rounds: int, settled: float) -> Report:
    cases = [Case(by, every) for by in ("request", "client") for every in (1.0, 5.0)]
    at_once = {case: measured(case, rounds, LEAST_HEALTHY_S) for case in cases}
    later = {case: measured(case, 1, settled) for case in cases if case.every == LEAST_HEALTHY_S}
    hung = {case: measured(case, 1, settled / 10, hangable) for case in later}
    both = [("at once", at_once), (f"after {settled:g} s", later)]
    budgets = [
        Budget(f"slowest, {case}, {when}", case.every + BEYOND_INTERVAL_S, max(one.seconds for one in rounds), " s")
        for when, taken in both
        for case, rounds in taken.items()
    ]
    every_round = [one for taken in (at_once, later, hung) for rounds in taken.values() for one in rounds]
    slowest = max(one.seconds for one in every_round)
    lost = sum(one.seen.losses - one.failed_by_new for one in every_round)
    return Report(
        [
            Table(f"{CLIENTS} clients, breached at once or within an interval", COLUMNS, rows(at_once)),
            Table(f"After {settled:g} s in which all was well", COLUMNS, rows(later)),
            Table("A new that hangs", COLUMNS, rows(hung)),
        ],
        [
            *budgets,
            Budget("the seeds' limit", SEEDS_LIMIT_S, slowest, " s"),
            Budget("lost for other reasons than new's failing", 0, lost, ""),
        ],
        [OF_WHAT],
    )


def rows(taken: dict[Case, list[Round]]) -> list[list[Cell]]:
    return [
        [
            str(case),
            len(rounds),
            median(one.seconds for one in rounds),
            max(one.seconds for one in rounds),
            sum(one.seen.requests for one in rounds),
            sum(one.failed_by_new for one in rounds),
            sum(one.seen.losses - one.failed_by_new for one in rounds),
        ]
        for case, rounds in taken.items()
    ]


def measured(case: Case, rounds: int, healthy_s: float, stage: Stage | None = None) -> list[Round]:
    say(str(case))
    nginx = nginxes()[0]
    with (
        scratch() as folder,
        (stage or breakable)(nginx, folder) as (backends, breaks),
        site(folder / "site", nginx, backends, case.by, case.phases) as place,
    ):
        place.cutover("proxy", "start")
        return [one_round(place, case, breaks, healthy_s) for _ in range(rounds)]


@contextmanager
def hangable(nginx: Nginx, folder: Path) -> Iterator[tuple[Backends, Breaks]]:
    """Two backends; the processes of new are stopped."""
    made = Backends(free_port(), free_port())
    with serving(backend(nginx, folder / "old", made.old, "old"), made.old):
        new = backend(nginx, folder / "new", made.new, "new")
        with serving(new, made.new):
            master = int(Path(new[new.index("-p") + 1], "nginx.pid").read_text())
            processes = [*map(int, Path(f"/proc/{master}/task/{master}/children").read_text().split()), master]

            @contextmanager
            def stopped() -> Iterator[None]:
                for process in processes:
                    os.kill(process, signal.SIGSTOP)
                try:
                    yield
                finally:
                    for process in processes:
                        os.kill(process, signal.SIGCONT)

            yield made, stopped


def backend(nginx: Nginx, folder: Path, port: int, name: str) -> list[str]:
    """The command that serves one."""
    conf = write_conf(
        folder,
        f"keepalive_requests 1000000000;\n"
        f'server {{ listen 127.0.0.1:{port}; location / {{ return 200 "{name}\\n"; }} }}\n',
        workers="1",
    )
    return [nginx.binary, "-p", str(conf.parent), "-c", str(conf), "-g", "daemon off;"]


@contextmanager
def breakable(nginx: Nginx, folder: Path) -> Iterator[tuple[Backends, Breaks]]:
    """Two backends; new answers 500 while a file exists."""
    made, broken = Backends(free_port(), free_port()), folder / "broken"
    conf = write_conf(
        folder / "backends",
        "keepalive_requests 1000000000;\n"
        f'server {{ listen 127.0.0.1:{made.old}; location / {{ return 200 "old\\n"; }} }}\n'
        f"server {{ listen 127.0.0.1:{made.new}; location / {{ if (-f {broken}) {{ return 500; }} "
        'return 200 "new\\n"; } }\n',
        workers="1",
    )
    with serving([nginx.binary, "-p", str(conf.parent), "-c", str(conf), "-g", "daemon off;"], made.new):

        @contextmanager
        def failing() -> Iterator[None]:
            broken.touch()
            yield
            broken.unlink()

        yield made, failing


def one_round(place: Site, case: Case, breaks: Breaks, healthy_s: float) -> Round:
    with Clients(place.port, CLIENTS, PAUSE_S) as clients, running(place) as run:
        wait_for(run, "HoldStarted")
        time.sleep(healthy_s + random.random() * case.every)  # noqa: S311 - any moment will do
        with breaks():
            began = time.perf_counter()
            wait_for(run, "RolledBack")
            took = time.perf_counter() - began
        assert all(fetch(place.port).endswith("old\n") for _ in range(20)), "new still answers"
    return Round(took, clients.seen)


@contextmanager
def running(place: Site) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        place.command("run", "--json"), cwd=place.folder, env=place.env, text=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        try:
            yield process
            process.communicate(timeout=LIMIT_S)
        finally:
            process.kill()
    assert process.returncode == 1, f"a run that was rolled back left with {process.returncode}"


def wait_for(run: subprocess.Popen[str], event: str) -> None:
    assert run.stdout is not None
    for line in run.stdout:
        if json.loads(line)["event"] == event:
            return
    raise RuntimeError(f"the run ended without {event}")


if __name__ == "__main__":
    main(__file__, __doc__, measure, rounds=3, settled=120.0)
