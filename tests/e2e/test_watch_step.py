"""A watch for hours: interrupted, gone on with, and what happens to nginx meanwhile."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from cutover.engine import commands
from cutover.engine import events as e
from cutover.engine.opening import Options
from cutover.engine.state import RunState
from cutover.errors import CheckFailedError, CutoverError
from cutover.journal.base import Recorded
from tests.support.forks import Forks
from tests.support.nginx import kill_all, kill_master
from tests.support.site import Site, Traffic
from tests.support.trouble import Edge, edge_site

GATES = "gates: [{http: {backend: proxy, path: /health}}, {http: {backend: new, path: /health}}]"
LIMIT_S = 60.0


class Watching:
    """A run that prints NDJSON, and is read until something has happened."""

    def __init__(self, site: Site) -> None:
        self.process = site.start("run", "--json")
        self.events: list[dict[str, Any]] = []

    def until(self, kind: str, limit_s: float = LIMIT_S, **least: float) -> dict[str, Any]:
        """The next event of a kind in which these numbers are reached."""
        assert self.process.stdout is not None
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline and (line := self.process.stdout.readline()):
            event = json.loads(line)
            self.events.append(event)
            if event["event"] == kind and all(event[name] >= value for name, value in least.items()):
                return dict(event)
        pytest.fail(f"no {kind}: {self.events[-5:]}")

    def end(self) -> tuple[int, str]:
        out, err = self.process.communicate(timeout=LIMIT_S)
        self.events += [json.loads(line) for line in out.splitlines()]
        return self.process.returncode, err

    def all(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["event"] == kind]


def watch(site: Site, length: str, every: str = "100ms", gates: str = GATES) -> None:
    site.write_plan(f"shift:\n  - shift: {{to: 50}}\nsoak:\n  - watch: {{for: {length}, every: {every}, {gates}}}\n")
    site.cutover("proxy", "start")


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM])
def test_an_interrupted_watch_goes_on_with_the_time_that_is_left(site: Site, signum: int) -> None:
    watch(site, "6s")
    first = Watching(site)
    first.until("HoldStarted")
    # By the run's own clock: it may be ahead of its reader.
    began = datetime.fromisoformat(first.until("HoldStarted")["at"]).timestamp()
    first.until("GateEvaluated", held=2.5)
    first.process.send_signal(signum)
    first.end()
    watched = time.time() - began
    time.sleep(1)
    assert site.status()["weight"] == {"intended": 50, "live": 50}
    second = Watching(site)
    resumed = second.until("HoldStarted")
    began = time.monotonic()
    assert second.end()[0] == 0
    rest = time.monotonic() - began
    assert 2.5 <= resumed["held"] <= watched
    assert 6 - resumed["held"] - 0.5 <= rest < 5.5
    assert site.status()["state"] == "done"


def test_a_killed_hold_without_gates_goes_on_with_the_time_that_is_left(quick: Site) -> None:
    quick.write_plan("shift:\n  - shift: {to: 50, hold: 3s, every: 100ms}\n")
    first = Watching(quick)
    first.until("HoldWatched", held=1.5)
    first.process.kill()
    first.end()
    second = Watching(quick)
    assert 1.5 <= second.until("HoldStarted")["held"] < 2.9
    assert second.end()[0] == 0
    assert quick.status()["weight"] == {"intended": 50, "live": 50}


def test_a_watch_whose_step_was_edited_begins_anew(site: Site) -> None:
    watch(site, "20s")
    run = Watching(site)
    run.until("HoldStarted", seconds=20)
    run.until("GateEvaluated", held=1)
    run.process.kill()
    run.end()
    watch(site, "300ms")
    again = Watching(site)
    assert again.until("HoldStarted")["held"] == 0
    assert again.end()[0] == 0


def kill_managed(site: Site) -> None:
    """Master and workers at once, as a crash of the machine's would."""
    master = int((site.state / "nginx" / "nginx.pid").read_text())
    workers = Path(f"/proc/{master}/task/{master}/children").read_text().split()
    for pid in (master, *map(int, workers)):
        os.kill(pid, signal.SIGKILL)


ALL_THROUGH_THE_PROXY = """\
gates: [{http: {backend: proxy, path: /health}}, {load: {backend: proxy, count: 5, requests: ["GET /health"]}}, \
{diff: {requests: ["GET /health"], against: {old: old, new: proxy}}}]"""


def test_a_managed_nginx_that_is_killed_is_started_again_and_ends_no_watch(site: Site) -> None:
    watch(site, "5s", gates=ALL_THROUGH_THE_PROXY)
    run = Watching(site)
    run.until("GateEvaluated", held=1)
    kill_managed(site)
    run.until("ProxyLost")
    run.until("ProxyStarting")
    run.until("ProxyFound")
    code, err = run.end()
    assert code == 0, err
    for number in (1, 2, 3):
        verdicts = {event["verdict"] for event in run.all("GateEvaluated") if event["number"] == number}
        assert "pass" in verdicts <= {"pass", "unknown"}, number
    assert site.status()["weight"] == {"intended": 50, "live": 50}
    said = site.cutover("report").stdout
    assert "nginx has ended, and is started again at 50 %" in said
    assert "the proxy answers again" in said


def test_a_managed_nginx_that_can_not_be_started_again_is_tried_until_it_can(site: Site) -> None:
    """What its main configuration includes was moved away."""
    watch(site, "5s", gates=ALL_THROUGH_THE_PROXY)
    run = Watching(site)
    run.until("GateEvaluated", held=1)
    conf = site.state / "nginx" / "cutover.conf"
    # It must not look in between: that the file is gone would be drift.
    run.process.send_signal(signal.SIGSTOP)
    conf.rename(site.folder / "moved")
    kill_managed(site)
    run.process.send_signal(signal.SIGCONT)
    run.until("ProxyStarting")
    assert "nginx did not start" in run.until("ProxyLost")["reason"]
    (site.folder / "moved").rename(conf)
    run.until("ProxyFound")
    code, err = run.end()
    assert code == 0, err


def test_another_configuration_is_drift_at_once(site: Site) -> None:
    watch(site, "30s")
    run = Watching(site)
    run.until("GateEvaluated", held=0.5)
    (conf,) = [file for file in (site.state / "nginx").rglob("*.conf") if file.name != "nginx.conf"]
    began = time.monotonic()
    edited = conf.with_name("edited")
    edited.write_text(conf.read_text() + "# mine\n")
    edited.replace(conf)
    code, err = run.end()
    assert code == 1
    assert time.monotonic() - began < 5
    assert "was edited" in err
    assert site.status()["state"] == "rolled_back"


class Killing:
    """A sink that does something at the first evaluation of a gate."""

    on_lost: Callable[[], None]
    folder_of: Callable[[str], Path] | None = None

    def __init__(self, then: Callable[[], None]) -> None:
        self._then: Callable[[], None] | None = then
        self.ended: list[e.Event] = []

    def handle(self, recorded: Recorded, event: e.Event, state: RunState) -> None:  # noqa: ARG002 - a sink's form
        self.ended.append(event)
        then = self._then
        if isinstance(event, e.GateEvaluated) and then is not None:
            self._then = None
            then()

    def close(self) -> None:
        return


def test_a_proxy_that_stays_away_fails_the_watch_when_patience_is_over(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cutover.engine.holding.PATIENCE_S", 1.5)
    monkeypatch.setattr("cutover.engine.holding.MOST_STARTS", 0)
    watch(site, "10m", gates="gates: [{http: {backend: new, path: /health}}]")
    sink = Killing(lambda: kill_managed(site))
    options = Options(plan_file=site.plan_file, store=str(site.state.parent), sinks=[sink])
    began = time.monotonic()
    with pytest.raises(CutoverError):
        asyncio.run(commands.run(options, only=None, first=None, last=None))
    assert time.monotonic() - began < LIMIT_S
    (ended,) = [event for event in sink.ended if isinstance(event, e.HoldEnded) and not event.passed]
    assert ended.reason.startswith("for 2s the proxy can't be asked what it runs")


def test_a_master_that_is_gone_fails_the_watch_though_its_workers_answer_and_traffic_goes_back(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cutover.engine.holding.PATIENCE_S", 1.5)
    watch(site, "10m")
    workers: set[int] = set()
    sink = Killing(lambda: workers.update(kill_master(site.state / "nginx" / "nginx.pid")))
    options = Options(plan_file=site.plan_file, store=str(site.state.parent), sinks=[sink])
    try:
        with pytest.raises(CheckFailedError, match="brought back"):
            asyncio.run(commands.run(options, only=None, first=None, last=None))
        (ended,) = [event for event in sink.ended if isinstance(event, e.HoldEnded) and not event.passed]
        assert re.match(r"for \d+s nginx's master process is gone, but its workers \(process ", ended.reason)
        assert site.status()["weight"] == {"intended": 0, "live": 0}
        assert site.share_of_new(10) == 0
    finally:
        kill_all(frozenset(workers))


def test_a_breach_while_the_master_is_gone_is_rolled_back_at_once(site: Site) -> None:
    watch(site, "10m")
    run = Watching(site)
    run.until("GateEvaluated", held=0.3)
    workers = kill_master(site.state / "nginx" / "nginx.pid")
    try:
        run.until("ProxyLost")
        site.new.status = 500
        code, err = run.end()
        assert code == 1, err
        assert site.share_of_new(10) == 0
    finally:
        kill_all(workers)


def test_a_breach_is_rolled_back_within_two_intervals(site: Site) -> None:
    watch(site, "10m", every="1s", gates="gates: [{traffic: {thresholds: ['errors <= 5%'], window: 2s}}]")
    with Traffic(site.port):
        run = Watching(site)
        run.until("GateEvaluated", held=4)
        site.new.status = 500
        began = time.monotonic()
        run.until("RolledBack")
        took = time.monotonic() - began
        assert run.end()[0] == 1
    assert took <= 2 + 1


@pytest.fixture
def edge(tmp_path: Path, new_nginx: str, forks: Forks) -> Iterator[Edge]:
    with edge_site(tmp_path, new_nginx, forks) as made:
        made.nginx.start()
        yield made


def test_a_restart_of_a_local_nginx_ends_no_watch(edge: Edge) -> None:
    edge.plan(f"shift:\n  - shift: {{to: 50}}\nsoak:\n  - watch: {{for: 4s, every: 100ms, {GATES}}}\n")
    run = Watching(edge)
    run.until("GateEvaluated", held=1)
    edge.kill_nginx()
    run.until("ProxyLost")
    edge.nginx.start()
    run.until("ProxyFound")
    edge.reload()
    code, err = run.end()
    assert code == 0, err
    assert edge.status()["weight"] == {"intended": 50, "live": 50}


MANY = """\
gates: [{name: traffic, traffic: {thresholds: ["errors <= 50%"], min_requests: 1, window: 1s}, unknown: pause}, \
{http: {backend: new, path: /health}}, {name: broken, tcp: {address: "127.0.0.1:1"}, on_fail: continue}]"""


@pytest.mark.timeout(300)
def test_a_watch_of_many_evaluations_stays_small_in_memory_on_disk_and_in_reports(site: Site) -> None:
    watch(site, "10m", every="5ms", gates=MANY)
    with Traffic(site.port, clients=1):
        run = Watching(site)
        run.until("GateEvaluated", limit_s=3 * LIMIT_S, number=1, passed=1000)
        run.events.clear()
        # By then what is cached has its size.
        before = resident_kb(run.process.pid)
        run.until("GateEvaluated", number=1, passed=1600)
        grown = resident_kb(run.process.pid) - before
        run.process.kill()
        run.end()
    assert grown < 2560
    assert sum(1 for _ in (site.state / "runs").rglob("gates/*")) <= 2 * (20 + 1)
    assert len(site.cutover("report").stdout.splitlines()) < 50
    assert len(site.cutover("history", site.status()["run"]).stdout.splitlines()) < 50


def resident_kb(pid: int) -> int:
    (line,) = [row for row in Path(f"/proc/{pid}/status").read_text().splitlines() if row.startswith("VmRSS")]
    return int(line.split()[1])
