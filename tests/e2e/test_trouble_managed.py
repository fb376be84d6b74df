"""What goes wrong with an nginx of cutover's own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import time
from pathlib import Path

import pytest

from tests.support.nginx import kill_all, kill_master, living
from tests.support.site import Site
from tests.support.trouble import fill, small_disk, wait_until

PHASES = "shift:\n  - shift: {to: 50}\n"


def at_50(site: Site) -> None:
    site.write_plan(PHASES)
    site.cutover("shift", "--weight", "50")


def test_a_busy_port_is_named_with_who_has_it_and_nothing_moves(quick: Site) -> None:
    quick.write_plan(PHASES)
    with socket.create_server(("127.0.0.1", quick.port)):
        failed = quick.cutover("run", expect=1)
        assert f"127.0.0.1:{quick.port} is in use by" in failed.stderr
        assert f"process {os.getpid()}" in failed.stderr
        assert quick.status()["weight"] == {"intended": 0, "live": None}
    quick.cutover("run")
    assert 0 < quick.share_of_new(20) < 100


@pytest.mark.parametrize(
    ("binary", "says"),
    [(None, "no nginx at"), ("exit 3", "failed with status 3"), ("kill -9 $$", "failed with status -9")],
    ids=["missing", "exits", "dies"],
)
def test_an_nginx_that_cannot_run_stops_before_traffic_moves(quick: Site, binary: str | None, says: str) -> None:
    program = quick.folder / "nginx"
    if binary is not None:
        program.write_text(f"#!/bin/sh\n{binary}\n")
        program.chmod(0o755)
    quick.control = f"managed: {{binary: {program}}}"
    quick.write_plan(PHASES)
    failed = quick.cutover("run", expect=1)
    assert says in failed.stderr
    quick.control = "managed: {}"
    quick.write_plan(PHASES)
    quick.cutover("run")


def test_an_nginx_that_was_killed_comes_back_at_old(quick: Site) -> None:
    at_50(quick)
    pid = int((quick.state / "nginx/nginx.pid").read_text())
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    for process in (pid, *map(int, children)):
        os.kill(process, signal.SIGKILL)
    wait_until(lambda: quick.status()["weight"]["live"] is None)
    quick.cutover("rollback")
    assert quick.share_of_new(10) == 0


@pytest.mark.parametrize("by", ["request", "client"])
def test_a_master_that_was_killed_alone_is_told_and_keeps_nobody_from_old(quick: Site, by: str) -> None:
    quick.write_plan(PHASES, split=f"{{by: {by}}}")
    quick.cutover("shift", "--weight", "50")
    workers = kill_master(quick.state / "nginx/nginx.pid")
    try:
        named = f"process {', '.join(map(str, sorted(workers)))}"
        for command in (["status"], ["proxy", "status"], ["doctor"]):
            said = quick.cutover(*command, expect=None).stdout
            assert "master process is gone" in said, said
            assert named in said
        assert quick.status()["weight"] == {"intended": 50, "live": 50}
        assert json.loads(quick.cutover("proxy", "status", "--json").stdout)["running"] is False
        back = quick.cutover("rollback")
        assert quick.share_of_new(10) == 0
        # By client they follow the link: to end them would only cost connections.
        assert (living(workers) == workers) == (by == "client")
        assert ("master process is gone" in back.stderr) == (by == "client")
        quick.cutover("run")
        assert "master" not in quick.cutover("status").stdout
        assert quick.status()["weight"] == {"intended": 50, "live": 50}
        wait_until(lambda: not living(workers))
    finally:
        kill_all(workers)


def test_workers_without_a_master_are_started_anew_or_stopped_by_the_commands_for_that(quick: Site) -> None:
    at_50(quick)
    first = kill_master(quick.state / "nginx/nginx.pid")
    try:
        assert "weight 50 %" in quick.cutover("proxy", "start").stdout
        wait_until(lambda: not living(first))
        second = kill_master(quick.state / "nginx/nginx.pid")
        first |= second
        assert "is stopped" in quick.cutover("proxy", "stop", "--yes").stdout
        assert not living(second)
        assert quick.status()["weight"]["live"] is None
    finally:
        kill_all(first)


def test_a_state_folder_that_is_gone_leaves_nginx_to_be_found_and_brought_back(quick: Site) -> None:
    at_50(quick)
    pid = int((quick.state / "nginx/nginx.pid").read_text())
    shutil.rmtree(quick.state)
    quick.cutover("rollback")
    assert quick.share_of_new(10) == 0
    assert quick.status()["weight"] == {"intended": 0, "live": 0}
    quick.cutover("run")
    assert 0 < quick.share_of_new(20) < 100
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not Path(f"/proc/{pid}/cmdline").exists() or not Path(f"/proc/{pid}/cmdline").read_bytes())


def test_on_a_full_disk_a_shift_fails_where_it_was_and_a_rollback_works(quick: Site) -> None:
    with small_disk(quick.state):
        quick.write_plan(f"{PHASES}rollback:\n  - command: {{run: [touch, restored]}}\n")
        quick.cutover("shift", "--weight", "50")
        filler = fill(quick.state)
        assert "full" in quick.cutover("shift", "--weight", "80", expect=1).stderr
        assert quick.status()["weight"]["live"] == 50
        quick.cutover("rollback")
        assert quick.share_of_new(10) == 0
        assert (quick.folder / "restored").exists()
        filler.unlink()
        # The journal never heard of the rollback: for it, somebody else changed the proxy.
        assert "somebody else changed" in quick.cutover("run", expect=1).stderr
        assert quick.status()["state"] == "rolled_back"
        quick.cutover("run")
        assert 0 < quick.share_of_new(20) < 100
        quick.stop()


def test_an_old_that_never_answers_is_given_up_soon(quick: Site) -> None:
    quick.write_plan(f"preflight:\n  - http: {{backend: old, path: /health}}\n{PHASES}")
    quick.cutover("shift", "--weight", "50")
    quick.old.delay_s = 20
    started = time.monotonic()
    assert "old does not answer" in quick.cutover("rollback", expect=5).stderr
    assert time.monotonic() - started < 10
    assert quick.status()["weight"] == {"intended": 50, "live": 50}
    quick.old.delay_s = 0
    quick.cutover("rollback")
    assert quick.share_of_new(10) == 0
