"""Shifts on a live nginx, on both versions: the split, the rules of a change, and what is lost (nothing)."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from cutover.proxy.base import Live
from tests.support.nginx import Backend, Bench, Clients, fetch


async def test_by_request_splits_exactly_as_asked(bench: Bench) -> None:
    proxy = await bench.ready()
    for weight, requests in ((1, 200), (10, 1000), (50, 100), (99, 200)):
        await proxy.change(weight, bench.guard)
        served = await bench.share(requests)
        assert served["new"] * 100 == requests * weight
        assert served.total() == requests


async def test_reloads_leave_as_many_workers_as_there_were(bench: Bench) -> None:
    """The earlier ones are told to go before the master tells them; it must not make up for them."""
    proxy = await bench.ready()
    async with asyncio.timeout(20):
        while len(before := (await proxy.host.workers()).active) < (os.cpu_count() or 1):
            await asyncio.sleep(0.01)
        for weight in (10, 90, 20, 80, 30):
            await proxy.change(weight, bench.guard)
        while (now := await proxy.host.workers()).draining:
            await asyncio.sleep(0.01)
    # The master ends its own part of a reload after 100 ms.
    await asyncio.sleep(0.3)
    now = await proxy.host.workers()
    assert len(now.active) == len(before)
    assert not now.active & before
    assert "[alert]" not in (bench.state.nginx / "error.log").read_text()


async def test_sides_share_as_asked_whatever_the_number_of_servers(new_bench: Bench) -> None:
    third = await new_bench.backend("old")
    second = await new_bench.backend("old")
    proxy = await new_bench.ready(new_bench.spec(old=[new_bench.old.server, second.server, third.server]))
    await proxy.change(30, new_bench.guard)
    assert await new_bench.share(100) == Counter(old=70, new=30)


@pytest.mark.parametrize("by", ["request", "client"])
async def test_the_ends_leave_the_other_side_alone(bench: Bench, by: str) -> None:
    proxy = await bench.ready(bench.spec(split={"by": by}))
    assert await bench.share(30) == Counter(old=30)
    await proxy.change(100, bench.guard)
    assert await bench.share(30) == Counter(new=30)
    await proxy.change(0, bench.guard)
    assert await bench.share(30) == Counter(old=30)


async def test_by_client_keeps_clients_and_grows_monotonously(bench: Bench) -> None:
    proxy = await bench.ready(bench.spec(split={"by": "client"}))
    moved: set[int] = set()
    for weight in (5, 20, 60):
        await proxy.change(weight, bench.guard)
        now = {
            agent
            for agent in range(300)
            if (await fetch(bench.port, headers={"User-Agent": f"agent {agent}"})).body == "new"
        }
        assert moved <= now
        assert abs(len(now) / 300 - weight / 100) < 0.1
        moved = now


async def test_by_client_shifts_touch_no_file_but_the_link(bench: Bench) -> None:
    proxy = await bench.ready(bench.spec(split={"by": "client"}))
    workers = await proxy.host.workers()
    text = await proxy.current()
    await proxy.change(40, bench.guard)
    assert await proxy.host.workers() == workers
    assert await proxy.current() == text
    assert Path(bench.intents[-1].path).readlink() == Path("w40")


async def test_a_lost_link_sends_everybody_to_old_and_the_status_says_so(bench: Bench) -> None:
    proxy = await bench.ready(bench.spec(split={"by": "client"}))
    await proxy.change(100, bench.guard)
    Path(proxy.spec.link).unlink()
    assert (await proxy.live()).weight == 0
    assert await bench.share(20) == Counter(old=20)


async def test_an_empty_key_falls_back_to_address_and_agent(bench: Bench) -> None:
    proxy = await bench.ready(bench.spec(split={"by": "client", "key": "$http_x_user|$http_x_tenant"}))
    await proxy.change(50, bench.guard)
    assert set(await bench.share(40)) == {"old", "new"}
    named = {"X-User": "me"}
    assert len(await bench.share(40, **named)) == 1


async def test_keep_alive_clients_lose_nothing_over_a_whole_run_by_request(new_bench: Bench) -> None:
    await lose_nothing_over_a_whole_run(new_bench, "request")


async def test_keep_alive_clients_lose_nothing_over_a_whole_run_by_client(bench: Bench) -> None:
    await lose_nothing_over_a_whole_run(bench, "client")


async def lose_nothing_over_a_whole_run(bench: Bench, by: str) -> None:
    proxy = await bench.ready(bench.spec(split={"by": by}))
    async with Clients(bench.port) as clients:
        for weight in (10, 50, 100, 0):
            await proxy.change(weight, bench.guard)
            await clients.more(200)
    assert clients.failed == []
    assert {"old", "new"} == set(clients.answered)


@pytest.mark.parametrize("by", ["request", "client"])
async def test_settled_needs_neither_old_nor_the_link(bench: Bench, by: str) -> None:
    proxy = await bench.ready(bench.spec(split={"by": by}))
    await proxy.change(100, bench.guard)
    changed = await proxy.change(100, bench.guard, settle=True)
    text = await proxy.current() or ""
    assert "# mode: settled" in text
    assert bench.old.server not in text
    assert "/current" not in text
    Path(proxy.spec.link).unlink(missing_ok=True)
    assert await proxy.live() == changed.live
    assert await bench.share(10) == Counter(new=10)
    await proxy.change(0, bench.guard)
    assert await bench.share(10) == Counter(old=10)


async def test_settled_keeps_old_for_routes_that_stay_there(new_bench: Bench) -> None:
    routes = [{"path": "/api/"}, {"path": "/", "to": "old"}]
    proxy = await new_bench.ready(new_bench.spec(routes=routes))
    await proxy.change(100, new_bench.guard, settle=True)
    assert (await fetch(new_bench.port, "/api/x")).body == "new"
    assert (await fetch(new_bench.port, "/x")).body == "old"


@pytest.mark.parametrize("by", ["request", "client"])
async def test_routes_go_where_the_plan_says(bench: Bench, by: str) -> None:
    routes = [{"path": "/api/v1/"}, {"path": "/api-dj/", "to": "new"}, {"path": "/", "to": "old"}]
    proxy = await bench.ready(bench.spec(split={"by": by}, routes=routes))
    assert (await fetch(bench.port, "/api-dj/x")).body == "old"
    await proxy.change(50, bench.guard)
    assert await bench.share(10, "/api-dj/x") == Counter(new=10)
    assert await bench.share(10, "/else") == Counter(old=10)
    assert set(await bench.share(60, "/api/v1/x")) == {"old", "new"}
    # nginx alone would answer these two with a redirect.
    assert (await fetch(bench.port, "/api-dj")).body == "old"
    assert (await fetch(bench.port, "/api/v1")).body == "old"


@pytest.mark.parametrize("by", ["request", "client"])
async def test_a_sidecar_with_nothing_around_it_is_absent_at_weight_0(bench: Bench, by: str) -> None:
    routes = [{"path": "/api/v1/"}, {"path": "/api-dj/", "to": "new"}]
    proxy = await bench.ready(bench.spec(split={"by": by}, routes=routes))
    assert (await fetch(bench.port, "/api-dj/x")).status == 404
    assert (await fetch(bench.port, "/")).status == 404
    await proxy.change(1, bench.guard)
    assert (await fetch(bench.port, "/api-dj/x")).body == "new"


@pytest.mark.parametrize("by", ["request", "client"])
async def test_testers_pick_a_side_and_are_marked_in_the_log(bench: Bench, by: str) -> None:
    split = {"by": by, "override": {"header": "X-Cutover", "cookie": "cutover-side"}}
    proxy = await bench.ready(bench.spec(split=split))
    assert (await fetch(bench.port, headers={"X-Cutover": "new"})).body == "new"
    await proxy.change(100, bench.guard)
    assert (await fetch(bench.port, headers={"X-Cutover": "old"})).body == "old"
    assert (await fetch(bench.port, headers={"Cookie": "a=b; cutover-side=old"})).body == "old"
    assert (await fetch(bench.port, headers={"Cookie": "xcutover-side=old"})).body == "new"
    lines = await log_lines(bench, proxy.state.nginx, 4)
    assert [(line["side"], line["override"]) for line in lines] == [
        ("new", "new"), ("old", "old"), ("old", "old"), ("new", ""),
    ]  # fmt: skip


@pytest.mark.parametrize("by", ["request", "client"])
async def test_the_log_has_what_a_gate_needs(bench: Bench, by: str) -> None:
    proxy = await bench.ready(bench.spec(split={"by": by}, routes=[{"path": "/api/"}, {"path": "/", "to": "old"}]))
    await proxy.change(100, bench.guard)
    await fetch(bench.port, "/api/x?token=secret", headers={"X-Cutover-Probe": "gate"})
    await fetch(bench.port, '/a"b\\c')
    first, second = await log_lines(bench, proxy.state.nginx, 2)
    assert first["uri"] == "/api/x"
    assert (first["method"], first["status"], first["route"], first["side"]) == ("GET", 200, "/api/", "new")
    assert (first["upstream_addr"], first["upstream_status"]) == (bench.new.server, "200")
    assert float(first["upstream_response_time"]) >= 0
    assert first["msec"] > 1_600_000_000
    assert first["request_time"] >= 0
    assert (first["probe"], second["probe"]) == ("gate", "")
    assert (second["side"], second["uri"], second["override"]) == ("old", '/a"b\\c', "")


async def test_the_status_answers_those_who_know_its_header_and_is_not_logged(bench: Bench) -> None:
    proxy = await bench.ready()
    rendered = await proxy.render(0)
    assert await proxy.live() == Live(0, rendered.revision)
    assert (await fetch(bench.port, "/.cutover/medical-api")).status == 404
    answer = await fetch(bench.port, "/.cutover/medical-api", headers={"X-Cutover-Probe": "1"})
    assert answer.body == "0\n"
    assert f"X-Cutover-Revision: {rendered.revision}" in answer.head
    await fetch(bench.port, "/last")
    lines = await log_lines(bench, proxy.state.nginx, 1)
    assert "/.cutover/medical-api" not in {line["uri"] for line in lines}


async def test_websockets_and_headers_pass(bench: Bench) -> None:
    bench.old.how = "upgrade"
    await bench.ready()
    async with asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", bench.port)
        writer.write(b"GET /ws HTTP/1.1\r\nHost: api.example:8443\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
        writer.write(b"ping")
        assert await reader.readexactly(4) == b"ping"
        writer.close()
    head = bench.old.head.lower()
    assert "\r\nhost: api.example:8443\r\n" in head
    assert "\r\nupgrade: websocket\r\n" in head
    assert "\r\nx-forwarded-for: 127.0.0.1\r\n" in head
    assert "\r\nx-forwarded-proto: http\r\n" in head


async def test_large_bodies_pass(bench: Bench) -> None:
    await bench.ready()
    body = b"x" * 1_500_000
    assert (await fetch(bench.port, method="POST", body=body)).status == 200
    assert bench.old.body == body


async def test_names_that_do_not_resolve_break_nothing_at_weight_0(bench: Bench) -> None:
    for by in ("request", "client"):
        proxy = bench.proxy(bench.spec(new=["not-yet.invalid:80"], split={"by": by}))
        assert (await proxy.ensure(bench.guard)).weight == 0
        assert await bench.share(5) == Counter(old=5)


async def test_names_are_drawn_anew_for_each_request(bench: Bench) -> None:
    """This machine's own name may stand for several addresses; the share of its side stays the same."""
    everywhere = Backend("new")
    await everywhere.start("0.0.0.0")  # noqa: S104 - the name of this machine may stand for any of its addresses
    try:
        proxy = await bench.ready(bench.spec(new=[f"{socket.gethostname()}:{everywhere.port}"]))
        await proxy.change(50, bench.guard)
        assert 20 <= (await bench.share(100))["new"] <= 80
        lines = await log_lines(bench, proxy.state.nginx, 100)
        assert {line["side"] for line in lines} == {"old", "new"}
    finally:
        await everywhere.stop()


async def log_lines(bench: Bench, folder: Path, last: int) -> list[dict[str, Any]]:
    async with asyncio.timeout(10):
        while True:
            text = (folder / "access.log").read_text()
            lines = [json.loads(line) for line in text.splitlines()]
            if len(lines) >= last and text.endswith("\n"):
                return lines[-last:]
            await asyncio.sleep(0.01)
