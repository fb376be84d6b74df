"""What goes wrong with a new backend, or with the log that tells of it, on real nginx with real requests.

Each says the verdict, the exit code, where traffic is then, and the sentence that people read.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.support.site import Backend, Site, Traffic

WAIT_S = 40.0
BACK = re.compile(r"traffic was brought back from weight (\d+) to old, verified")


def shift(through: str, gate: str, *, hold: str = "3s", every: str = "500ms") -> str:
    return (
        f"shift:\n  - shift:\n      through: [{through}]\n      hold: {hold}\n      every: {every}\n"
        f"      gates:\n        - traffic: {gate}\n"
    )


class Running:
    """``cutover run --json`` while a test does things to the backends or the log."""

    def __init__(self, site: Site, *args: str) -> None:
        self.events: list[dict[str, Any]] = []
        self.code: int | None = None
        self.told = ""
        self._process = site.start("run", "--json", *args)
        self._threads = [threading.Thread(target=read, daemon=True) for read in (self._read_events, self._read_told)]
        for thread in self._threads:
            thread.start()

    def _read_events(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.events.append(json.loads(line))

    def _read_told(self) -> None:
        assert self._process.stderr is not None
        self.told = self._process.stderr.read()

    def wait_for(self, wanted: Callable[[dict[str, Any]], bool], times: int = 1) -> None:
        """Until there were so many such events from now on."""
        begun, deadline = len(self.events), time.monotonic() + WAIT_S
        while sum(map(wanted, self.events[begun:])) < times:
            assert time.monotonic() < deadline, self.events[-5:]
            assert self._process.poll() is None, self.told
            time.sleep(0.01)

    def ended(self) -> int:
        self.code = self._process.wait(timeout=WAIT_S)
        for thread in self._threads:
            thread.join(timeout=WAIT_S)
        return self.code

    @property
    def evaluated(self) -> list[dict[str, Any]]:
        return [event for event in self.events if event["event"] == "GateEvaluated"]


def evaluation(event: dict[str, Any]) -> bool:
    return bool(event["event"] == "GateEvaluated")


def passed_at(weight: int) -> Callable[[dict[str, Any]], bool]:
    return lambda event: evaluation(event) and event["weight"] == weight and event["verdict"] == "pass"


@contextmanager
def running(site: Site, *args: str, clients: int = 12, paths: tuple[str, ...] = ("/studies",)) -> Iterator[Running]:
    """With traffic, until the run is over."""
    site.cutover("proxy", "start")
    with Traffic(site.port, clients=clients, paths=paths):
        run = Running(site, *args)
        yield run
        if run.code is None:
            run.ended()


def require_rolled_back(site: Site, run: Running, from_weight: int) -> None:
    assert run.code == 1, run.told
    told = BACK.search(run.told)
    assert told is not None, run.told
    assert int(told[1]) == from_weight
    assert site.status()["state"] == "rolled_back"
    assert site.status()["weight"]["live"] == 0
    assert site.share_of_new(10) == 0


def test_a_new_that_is_slow_from_half_of_the_traffic_on_is_rolled_back_from_there(site: Site) -> None:
    site.old.delay_s = site.new.delay_s = 0.04
    site.write_plan(shift("20, 50", '{thresholds: ["p95 <= 2x old"]}', hold="1500ms"))
    with running(site) as run:
        run.wait_for(lambda event: event["event"] == "HoldStarted" and event["weight"] == 50)
        site.new.delay_s = 0.4
    require_rolled_back(site, run, from_weight=50)
    assert "at weight 50: fail: " in run.told
    assert re.search(r"fail: p95 <= 2x old \(p95 \d{3}ms, old \d{2,3}(\.\d)?ms\)", run.told)
    assert {one["weight"] for one in run.evaluated if one["verdict"] == "pass"} >= {20}


def test_two_percent_of_errors_that_a_fallback_hides_are_seen(site: Site) -> None:
    fallback = Backend("fallback")
    site.new.drops_one_of = 50
    site.write_plan(shift("50", '{thresholds: ["errors <= 0.2%"]}', hold="30s"))
    new = f'new: {{url: "http://127.0.0.1:{site.new.port}"}}'
    plan = site.plan_file.read_text()
    site.plan_file.write_text(plan.replace(new, f'{new}\n  fallback: {{url: "http://127.0.0.1:{fallback.port}"}}'))
    try:
        site.cutover("proxy", "start")
        with Traffic(site.port, clients=12) as traffic:
            run = Running(site)
            run.ended()
        assert traffic.failed == []
        require_rolled_back(site, run, from_weight=50)
    finally:
        fallback.stop()
    assert re.search(r"fail: errors <= 0\.2% \(errors [1-4](\.\d+)?%\)", run.told)
    assert re.search(r"\d+ of its failures were hidden from clients by a retry", run.told)
    assert fallback.seen["/studies"] > 0


def test_errors_on_one_route_only_are_seen_by_that_route(site: Site) -> None:
    paths = ("/search", *["/studies"] * 8)  # an odd number: sides alternate
    site.new.failing = frozenset({"/search"})
    gate = '{thresholds: ["errors <= 20%"], routes: {/search: ["errors <= 1%"]}, min_requests: 10}'
    site.write_plan(shift("50", gate, hold="30s"))
    with running(site, paths=paths) as run:
        run.ended()
    require_rolled_back(site, run, from_weight=50)
    assert "/search: fail: errors <= 1% (errors 100%)" in run.told
    assert "fail: errors <= 20%" not in run.told


def test_a_leak_that_grows_ends_the_watch_when_it_is_too_much(site: Site) -> None:
    watch = '{for: 5m, every: 500ms, gates: [{traffic: {window: 2s, thresholds: ["p95 <= 300ms"], min_requests: 10}}]}'
    site.write_plan(f"shift:\n  - shift: {{to: 50}}\nsoak:\n  - watch: {watch}\n")
    with running(site) as run:
        run.wait_for(passed_at(50))
        for _ in range(1000):
            site.new.delay_s += 0.02
            time.sleep(0.2)
            if any(one["verdict"] == "fail" for one in run.evaluated):
                break
        run.ended()
    require_rolled_back(site, run, from_weight=50)
    assert re.search(r"at weight 50: fail: p95 <= 300ms \(p95 3\d\dms\); new: ", run.told), run.told
    grew = [one["figures"]["p95"] for one in run.evaluated if "p95" in one["figures"]]
    assert grew[-1] > grew[len(grew) // 2] > grew[0]


@pytest.mark.parametrize("gate", ["{judge: {}}", '{thresholds: ["errors <= 5%"]}', '{thresholds: ["rps <= 5"]}'])
def test_no_traffic_at_all_never_passes_and_a_plan_may_ask_for_a_person(quick: Site, gate: str) -> None:
    quick.write_plan(shift("10", f"{gate}\n          unknown: pause", hold="1s"))
    quick.cutover("proxy", "start")
    done = quick.cutover("run", "--json", expect=4)
    verdicts = {e["verdict"] for e in map(json.loads, done.stdout.splitlines()) if evaluation(e)}
    assert verdicts == {"unknown"}
    assert "unknown: new: no requests" in done.stderr
    assert quick.status()["weight"] == {"intended": 10, "live": 10}


def test_both_equally_slow_pass_the_comparison(site: Site) -> None:
    site.old.delay_s = site.new.delay_s = 0.15
    site.write_plan(shift("50", '{judge: {}, thresholds: ["p95 <= 1.5x old"]}', hold="4s", every="1s"))
    with running(site, clients=24) as run:
        run.ended()
    assert run.code == 0, run.told
    assert site.status()["weight"] == {"intended": 50, "live": 50}
    assert "not shown to be worse than old: " in run.evaluated[-1]["summary"]


def test_both_equally_slow_break_the_limit(site: Site) -> None:
    site.old.delay_s = site.new.delay_s = 0.15
    site.write_plan(shift("50", '{judge: {}, thresholds: ["p95 <= 1.5x old", "p95 <= 100ms"]}', hold="30s", every="1s"))
    with running(site, clients=24) as run:
        run.ended()
    require_rolled_back(site, run, from_weight=50)
    assert re.search(r"fail: p95 <= 100ms \(p95 \d{3}ms\)", run.told)
    assert "fail: p95 <= 1.5x old" not in run.told


def test_an_old_that_fails_is_no_fault_of_new_and_is_said(site: Site) -> None:
    site.old.status = 500
    site.write_plan(shift("50", '{judge: {}, thresholds: ["errors <= 1%"]}', every="1s"))
    with running(site) as run:
        run.ended()
    assert run.code == 0, run.told
    assert site.status()["weight"] == {"intended": 50, "live": 50}
    assert not [one for one in run.evaluated if one["verdict"] == "fail"]
    said = run.evaluated[-1]["summary"]
    assert "0% errors (old 100%)" in said
    assert "old has 100 % errors, new 0 %" in said


@contextmanager
def people(port: int, per_second: int = 25, patience_s: float = 4.0) -> Iterator[None]:
    """Each asks once, and waits for no one else: while one backend hangs, the other is asked all the same."""
    over = threading.Event()
    asking: list[threading.Thread] = []

    def ask(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=patience_s)
        with suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/studies", headers={"User-Agent": f"person {number % 200}"})
            connection.getresponse().read()
        connection.close()

    def arrive() -> None:
        for number in count():
            if over.wait(1 / per_second):
                return
            asking.append(threading.Thread(target=ask, args=(number,), daemon=True))
            asking[-1].start()

    arrivals = threading.Thread(target=arrive, daemon=True)
    arrivals.start()
    try:
        yield
    finally:
        over.set()
        arrivals.join(timeout=WAIT_S)
        for one in asking:
            one.join(timeout=WAIT_S)


@pytest.mark.parametrize("by", ["request", "client"])
def test_a_new_that_hangs_is_seen_before_any_request_has_timed_out(site: Site, by: str) -> None:
    split = {
        "request": "{by: request}",
        "client": f'{{by: client, key: $http_user_agent, dir: "{site.folder}/switch"}}',
    }
    site.write_plan(shift("50", '{thresholds: ["errors <= 1%"]}', hold="2m", every="1s"), split=split[by])
    site.cutover("proxy", "start")
    with people(site.port):
        run = Running(site)
        run.wait_for(passed_at(50))
        site.new.delay_s = 90
        hung = time.monotonic()
        run.ended()
        took = time.monotonic() - hung
        require_rolled_back(site, run, from_weight=50)
        site.new.delay_s = 0
    assert re.search(r"fail: new answered nothing for 1\ds, while old answered \d+ requests", run.told), run.told
    assert took < 30


def test_a_new_that_hangs_with_all_traffic_on_it_is_seen_when_clients_give_up(site: Site) -> None:
    site.write_plan(shift("100", '{thresholds: ["errors <= 1%"], min_requests: 20}', hold="2m", every="1s"))
    with running(site) as run:
        run.wait_for(passed_at(100))
        site.new.delay_s = 90
        hung = time.monotonic()
        run.ended()
        took = time.monotonic() - hung
        site.new.delay_s = 0
    require_rolled_back(site, run, from_weight=100)
    assert re.search(r"new answered nothing for 1\ds, while clients gave up on \d+ requests of new's", run.told), (
        run.told
    )
    assert took < 30


def log_of(site: Site) -> Path:
    found = [path for path in site.state.rglob("*.log") if b'"upstream_addr"' in path.read_bytes()[:4096]]
    assert len(found) == 1, found
    return found[0]


def reopen(site: Site) -> None:
    """As logrotate does."""
    pid = next((site.folder / "state").rglob("nginx.pid"))
    os.kill(int(pid.read_text()), signal.SIGUSR1)


def rotate(site: Site, log: Path) -> None:
    log.rename(log.with_name(f"{log.name}.1"))
    reopen(site)


def truncate(_site: Site, log: Path) -> None:
    os.truncate(log, 0)


def delete(site: Site, log: Path) -> None:
    log.unlink()
    time.sleep(0.7)
    reopen(site)


def fill_with_garbage(_site: Site, log: Path) -> None:
    whole = log.read_bytes().splitlines()[-1]
    with log.open("ab") as file:
        file.write(b"\x00\xff garbage\n" * 5000 + whole[:80] + b"\n" + b"[" * 50_000 + b"\n{}\nnull\n\n")


def set_the_clock_back(_site: Site, log: Path) -> None:
    """The lines that nginx would write then: its own, a day before and from then on."""
    _set_clock(log, -86_400.0)


def set_the_clock_forward(_site: Site, log: Path) -> None:
    _set_clock(log, 86_400.0)


def _set_clock(log: Path, seconds: float) -> None:
    lines = log.read_bytes().splitlines(keepends=True)[-200:]
    moved = [re.sub(rb'"msec":([\d.]+)', lambda at: b'"msec":%.3f' % (float(at[1]) + seconds), line) for line in lines]
    with log.open("ab") as file:
        file.write(b"".join(moved))


TROUBLES = [rotate, truncate, delete, fill_with_garbage, set_the_clock_back, set_the_clock_forward]
SAID: dict[Callable[[Site, Path], None], str] = {
    truncate: "the log was truncated or made anew",
    fill_with_garbage: "of the log's lines could not be read",
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_whatever_happens_to_the_log_fails_nothing_and_hides_nothing(
    site: Site, trouble: Callable[[Site, Path], None]
) -> None:
    site.write_plan(shift("50", '{thresholds: ["errors <= 1%", "p95 <= 5s"]}', hold="40s", every="300ms"))
    with running(site, clients=8) as run:
        run.wait_for(passed_at(50))
        trouble(site, log_of(site))
        run.wait_for(passed_at(50), times=2)
        assert not [one for one in run.evaluated if one["verdict"] == "fail"]
        site.new.status = 503
        broken = time.monotonic()
        run.ended()
        took = time.monotonic() - broken
    require_rolled_back(site, run, from_weight=50)
    assert "fail: errors <= 1%" in run.told
    assert SAID.get(trouble, "") in run.told
    assert took < 10


def test_a_log_that_is_gone_is_unknown_and_never_passes(site: Site) -> None:
    gate = '{thresholds: ["errors <= 1%"]}'
    site.write_plan(shift("50", gate, hold="2s", every="300ms"), split=f'{{by: client, dir: "{site.folder}/switch"}}')
    site.cutover("proxy", "start")
    log = next(site.state.rglob("access.log"))
    with Traffic(site.port, clients=8):
        log.unlink()
        run = Running(site)
        run.ended()
    assert not log.exists(), "nginx made it anew"
    require_rolled_back(site, run, from_weight=50)
    assert {one["verdict"] for one in run.evaluated} == {"unknown"}
    assert "unknown: the proxy's log can't be read: there is no access log at " in run.told
