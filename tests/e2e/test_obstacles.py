"""What would keep a gate unknown whatever traffic there is, is found before traffic moves."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from cutover.engine.holding import PATIENCE_S
from tests.support.accesslog import line
from tests.support.forks import Forks
from tests.support.ports import free_port
from tests.support.site import Site, Traffic
from tests.support.trouble import Edge, edge_site

GATE = 'traffic: {thresholds: ["errors <= 50%"], min_requests: 5}'
NEVER_MOVED = "traffic never moved"


def shift(gate: str, hold: str = "2s") -> str:
    return f"shift:\n  - shift: {{to: 50, hold: {hold}, every: 200ms, gates: [{{{gate}}}]}}\n"


def metrics(port: int) -> str:
    return f"metrics: {{prometheus: 'http://127.0.0.1:{port}', query: up, threshold: '<= 1'}}"


@pytest.fixture
def edge(tmp_path: Path, new_nginx: str, forks: Forks) -> Iterator[Edge]:
    """An nginx whose server block is not cutover's, and a plan that leaves it so."""
    with edge_site(tmp_path, new_nginx, forks) as made:
        made.nginx.start()
        yield made


def own_block(edge: Edge, gate: str, access_log: str) -> None:
    edge.plan(shift(gate))
    kept = [line for line in edge.plan_file.read_text().splitlines() if not line.strip().startswith("server:")]
    edge.plan_file.write_text("\n".join(kept) + "\n")
    edge.cutover("run", "--until", "shift", expect=1)
    (edge.conf_d / "z-own.conf").write_text(
        f"server {{ listen 127.0.0.1:{edge.port}; include conf.d/site.server.inc; {access_log}\n"
        f"location / {{ proxy_pass http://site; }} }}\n"
    )
    assert edge.nginx.run("-s", "reload").returncode == 0
    deadline = time.monotonic() + 10
    while access_log and not Path(access_log.split()[1]).exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("access_log", "said"),
    [
        ("", "there is no access log at "),
        ("access_log {log} combined;", "the access log is not in the format that cutover reads"),
    ],
)
def test_a_server_block_without_the_log_that_a_gate_reads_moves_nobody(edge: Edge, access_log: str, said: str) -> None:
    log = edge.nginx.folder / "cutover-site.log"
    own_block(edge, GATE, access_log.format(log=log))
    with Traffic(edge.port, clients=2) as traffic:
        deadline = time.monotonic() + 30
        while traffic.requests < 20:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        failed = edge.cutover("run", expect=1).stderr
        told = edge.cutover("doctor", expect=1).stdout
    assert said in failed
    assert f"access_log {log} cutover_site;" in failed
    assert NEVER_MOVED in failed
    assert edge.new.seen.total() == 0
    assert f"problem  log       {said}" in told


def test_with_the_log_that_it_needs_it_is_judged(edge: Edge) -> None:
    log = edge.nginx.folder / "cutover-site.log"
    own_block(edge, GATE, f"access_log {log} cutover_site;")
    with Traffic(edge.port, clients=4):
        edge.cutover("run")
    assert edge.status()["weight"] == {"intended": 50, "live": 50}


def test_a_prometheus_that_does_not_answer_moves_nobody(quick: Site) -> None:
    quick.write_plan(shift(metrics(port := free_port())))
    failed = quick.cutover("run", expect=1).stderr
    assert f": unknown: http://127.0.0.1:{port}: can't be reached" in failed
    assert NEVER_MOVED in failed
    assert quick.status()["weight"] == {"intended": 0, "live": 0}
    by_hand = quick.cutover("shift", "--weight", "10", "--hold", "1s", expect=1).stderr
    assert "can't be reached" in by_hand
    assert quick.status()["weight"] == {"intended": 0, "live": 0}
    assert f"problem  metrics   up <= 1: http://127.0.0.1:{port}" in quick.cutover("doctor", expect=1).stdout


def test_doctor_names_the_recordings_that_are_not_there(quick: Site) -> None:
    (quick.folder / "here.log").touch()
    quick.write_plan(
        "validate:\n  - diff: {access_log: [here.log, gone.log]}\n  - load: {backend: new, har: gone.har, count: 10}\n"
    )
    quick.cutover("check")
    told = quick.cutover("doctor", expect=1).stdout
    assert [line for line in told.splitlines() if "draws requests" in line] == [
        f"problem  requests  {file} can't be read, and a step draws requests from it: No such file or directory"
        for file in ("gone.log", "gone.har")
    ]


def test_an_obstacle_above_weight_0_ends_the_step_as_the_gate_says(quick: Site) -> None:
    gate = f"{metrics(free_port())}, unknown: pause"
    quick.write_plan(f"begin:\n  - shift: {{to: 10}}\n{shift(gate)}")
    began = time.monotonic()
    paused = quick.start("run")
    _, err = paused.communicate(timeout=90)
    assert paused.returncode == 4, err
    assert time.monotonic() - began >= PATIENCE_S
    assert "traffic stays at weight 10" in err
    assert quick.status()["weight"] == {"intended": 10, "live": 10}


def test_a_new_log_without_a_line_is_no_obstacle(edge: Edge) -> None:
    log = edge.nginx.folder / "cutover-site.log"
    own_block(edge, GATE, f"access_log {log} cutover_site;")
    assert log.stat().st_size == 0
    failed = edge.cutover("run", expect=1).stderr
    assert "unknown: new had 0 of the 5 requests it takes" in failed
    assert "traffic was brought back from weight 50 to old" in failed


def test_a_gate_that_only_looks_on_holds_nothing_up(quick: Site) -> None:
    quick.write_plan(shift(f"{metrics(free_port())}, on_fail: continue", hold="0s"))
    quick.cutover("run")
    assert quick.status()["weight"] == {"intended": 50, "live": 50}


def test_a_gate_on_traffic_without_time_to_see_any_moves_nobody(quick: Site) -> None:
    quick.write_plan(shift(GATE, hold="0s"))
    failed = quick.cutover("run", expect=1).stderr
    assert "give the shift a hold" in failed
    assert NEVER_MOVED in failed
    assert quick.status()["weight"] == {"intended": 0, "live": 0}


@pytest.mark.parametrize(
    ("clients", "told"),
    [
        (
            range(100),
            "ok       clients   of 400 requests in 100 of 100 buckets of clients, the fullest has 1 %",
        ),
        (
            [*range(100), *[7] * 60],
            "note     clients   of 640 requests in 100 of 100 buckets of clients, the fullest has 38",
        ),
        ([7], "note     clients   of 400 requests in 1 of 100 buckets of clients, the fullest has 100 %; at weights "),
    ],
)
def test_doctor_says_how_even_the_buckets_of_clients_are(quick: Site, clients: Sequence[int], told: str) -> None:
    """As they are behind a CDN, say, where many are one."""
    quick.write_plan("shift:\n  - shift: {to: 50}\n", split=f"{{by: client, dir: {quick.folder}/switch}}")
    quick.cutover("run")
    address = f"127.0.0.1:{quick.new.port}"
    with (quick.state / "nginx" / "access.log").open("ab") as log:
        for bucket in [*clients] * max(4, 400 // len(clients)):
            log.write(line(upstream_addr=address, bucket=str(bucket)))
    assert told in quick.cutover("doctor").stdout


def test_a_weight_that_is_live_is_held_once_more_by_hand_under_its_gates(quick: Site) -> None:
    quick.write_plan(shift("http: {backend: new, path: /gate}"))
    quick.cutover("shift", "--weight", "10")
    quick.new.seen.clear()
    held = quick.cutover("shift", "--weight", "10", "--hold", "600ms", "--json").stdout
    events = [json.loads(line)["event"] for line in held.splitlines()]
    assert {"HoldStarted", "HoldEnded"} <= set(events)
    assert quick.new.seen["/gate"] >= 3
    quick.new.failing = frozenset({"/gate"})
    quick.cutover("shift", "--weight", "10", "--hold", "600ms", expect=1)
    assert quick.status()["weight"] == {"intended": 0, "live": 0}
