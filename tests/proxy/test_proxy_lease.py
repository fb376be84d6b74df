"""A lease on a live nginx, on both versions: what nginx does with it when nobody is there any more."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutover.errors import ProxyError
from cutover.proxy import NginxProxy, ProxySpec, lease
from tests.support.nginx import Bench, Clients, fetch

SHORT_S = 1.0
"""What is left of a lease of a second is what is left of the ten seconds in which it ends."""
LONG_S = 60.0


def by_client(bench: Bench, **split: object) -> ProxySpec:
    return bench.spec(split={"by": "client", **split})


async def until(proxy: NginxProxy, state: str | None) -> float:
    """When the proxy says that the lease is so, by its clock."""
    async with asyncio.timeout(2 * lease.SLOT_S):
        while (live := await proxy.live()).lease != state:
            await asyncio.sleep(0.01)
    assert live.clock is not None
    return live.clock


@given(now=st.floats(1e9, 4e9), seconds=st.floats(10, 3600))
def test_the_slots_of_a_lease_begin_now_and_end_less_than_a_slot_late(now: float, seconds: float) -> None:
    slots = lease.slots(now, seconds)
    assert slots.start * lease.SLOT_S <= now < (slots.start + 1) * lease.SLOT_S
    assert now + seconds - 1e-3 <= slots.stop * lease.SLOT_S < now + seconds + lease.SLOT_S


async def test_only_a_split_by_client_that_is_not_settled_asks_for_leases(new_bench: Bench) -> None:
    by_request, split = new_bench.proxy(), new_bench.proxy(by_client(new_bench))
    for proxy, settled in ((by_request, False), (by_request, True), (split, True)):
        assert "lease" not in (await proxy.render(100, settled=settled)).text.lower()
    text = (await split.render(50)).text
    assert text.count(f"if (-f {split.spec.lease_link}/required)") == 1
    assert text == (await split.render(0)).text


async def test_when_a_lease_ends_nginx_returns_everybody_to_old_and_nobody_notices(new_bench: Bench) -> None:
    proxy = await new_bench.ready(by_client(new_bench))
    granted = await lease.grant(proxy, SHORT_S)
    await proxy.change(100, new_bench.guard)
    async with Clients(new_bench.port) as clients:
        await clients.more(100)
        clients.answered.clear()
        await clients.more(100)
        assert set(clients.answered) == {"new"}
        ended = await until(proxy, "ended")
        assert 0 <= ended - granted.until < 1.5
        await clients.more(100)
        clients.answered.clear()
        await clients.more(200)
        assert set(clients.answered) == {"old"}
    assert clients.failed == []
    live = await proxy.live()
    assert live.weight == 0
    with pytest.raises(lease.LeaseEndedError, match="the lease ended at "):
        await proxy.drift(type(live)(100, live.revision))


def expire(proxy: NginxProxy) -> None:
    """As if the time of the lease were over: no file says that it goes on."""
    for file in Path(proxy.spec.lease_link).iterdir():
        if file.name.isdigit():
            file.unlink()


async def test_a_renewed_lease_goes_on(bench: Bench) -> None:
    proxy = await bench.ready(by_client(bench))
    first = await lease.grant(proxy, LONG_S)
    await proxy.change(50, bench.guard)
    renewed = await lease.renew(proxy, LONG_S + lease.SLOT_S)
    assert renewed.until == first.until + lease.SLOT_S
    known = await lease.read(proxy, await proxy.live())
    assert known is not None
    assert known.until == renewed.until
    assert 0 < known.left_s <= LONG_S + 2 * lease.SLOT_S
    assert (await proxy.live()).weight == 50


async def test_what_ended_is_neither_renewed_nor_granted_anew_and_a_release_moves_nobody(bench: Bench) -> None:
    proxy = await bench.ready(by_client(bench))
    await lease.grant(proxy, LONG_S)
    await proxy.change(100, bench.guard)
    expire(proxy)
    for again in (lease.renew, lease.grant):
        with pytest.raises(lease.LeaseEndedError, match="nginx returned all traffic to old"):
            await again(proxy, LONG_S)
    assert await bench.share(20) == Counter(old=20)
    with pytest.raises(lease.LeaseEndedError):
        await lease.release(proxy)
    await lease.release(proxy, ended_too=True)
    assert (await proxy.live()).lease is None
    assert await bench.share(20) == Counter(old=20)


async def test_a_released_lease_leaves_traffic_and_no_files(bench: Bench) -> None:
    proxy = await bench.ready(by_client(bench))
    await proxy.change(100, bench.guard)
    workers = await proxy.host.workers()
    await lease.grant(proxy, LONG_S)
    assert (await proxy.live()).lease == "held"
    await lease.release(proxy)
    live = await proxy.live()
    assert (live.weight, live.lease) == (100, None)
    assert {file.name for file in Path(proxy.spec.switch_dir, lease.FOLDER).iterdir()} == {"required"}
    assert await lease.read(proxy, live) is None
    assert await proxy.host.workers() == workers, "something was reloaded"


async def test_a_shorter_lease_ends_as_it_says_whatever_a_killed_one_left(new_bench: Bench) -> None:
    proxy = await new_bench.ready(by_client(new_bench))
    await lease.grant(proxy, 3600)
    shorter = await lease.grant(proxy, SHORT_S)
    assert (last_slot(proxy) + 1) * lease.SLOT_S == shorter.until


class KilledError(Exception):
    pass


@pytest.mark.parametrize("writes", [0, 1])
async def test_a_process_that_is_killed_while_it_grants_a_shorter_lease_leaves_none_that_ends_later_than_known(
    new_bench: Bench, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    proxy = await new_bench.ready(by_client(new_bench))
    await lease.grant(proxy, 3600)
    put, done = proxy.host.put_files, 0

    async def killed(*args: Any, **kwargs: Any) -> None:
        nonlocal done
        if done == writes:
            raise KilledError
        done += 1
        await put(*args, **kwargs)

    monkeypatch.setattr(proxy.host, "put_files", killed)
    with pytest.raises(KilledError):
        await lease.grant(proxy, LONG_S)
    monkeypatch.undo()
    known = await lease.read(proxy, await proxy.live())
    assert known is not None
    assert last_slot(proxy) * lease.SLOT_S < known.until
    renewed = await lease.renew(proxy, LONG_S, anew=True)
    assert (last_slot(proxy) + 1) * lease.SLOT_S == renewed.until < time.time() + LONG_S + lease.SLOT_S + 1


def last_slot(proxy: NginxProxy) -> int:
    return max(int(file.name) for file in Path(proxy.spec.lease_link).iterdir() if file.name.isdigit())


async def test_a_span_that_was_lost_costs_nothing_and_leaves_no_slot_behind(new_bench: Bench) -> None:
    proxy = await new_bench.ready(by_client(new_bench))
    await lease.grant(proxy, 3600)
    span = Path(proxy.spec.switch_dir, lease.FOLDER, "span")
    span.write_text("")
    async with asyncio.timeout(5):
        await lease.renew(proxy, LONG_S)
        assert (await proxy.live()).lease == "held"
        span.unlink()
        granted = await lease.grant(proxy, LONG_S)
    assert (last_slot(proxy) + 1) * lease.SLOT_S == granted.until


async def test_a_release_that_was_killed_leaves_nothing_that_lengthens_the_next_lease(
    new_bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = await new_bench.ready(by_client(new_bench))
    await lease.grant(proxy, 3600)

    async def killed(*_args: Any, **_kwargs: Any) -> None:
        raise KilledError

    monkeypatch.setattr(proxy.host, "put_files", killed)
    with pytest.raises(KilledError):
        await lease.release(proxy)
    monkeypatch.undo()
    assert (await proxy.live()).lease is None
    granted = await lease.grant(proxy, LONG_S)
    assert (last_slot(proxy) + 1) * lease.SLOT_S == granted.until


async def test_at_its_end_sidecars_go_and_testers_keep_their_side(bench: Bench) -> None:
    routes = [{"path": "/api/"}, {"path": "/sidecar/", "to": "new"}]
    spec = bench.spec(split={"by": "client", "override": {"header": "X-Cutover"}}, routes=routes)
    proxy = await bench.ready(spec)
    await lease.grant(proxy, LONG_S)
    await proxy.change(100, bench.guard)
    assert (await fetch(bench.port, "/sidecar/")).body == "new"
    expire(proxy)
    assert (await fetch(bench.port, "/sidecar/")).status == 404
    assert (await fetch(bench.port, "/api/")).body == "old"
    assert (await fetch(bench.port, "/api/", headers={"X-Cutover": "new"})).body == "new"


async def test_a_server_block_of_your_own_falls_back_as_well_and_the_status_says_so(bench: Bench) -> None:
    edge = bench.somebodys_nginx(start=False)
    spec = bench.spec(control=edge.control, config=str(edge.config), server=None, split={"by": "client"})
    (edge.folder / "conf.d" / "own.conf").write_text(
        f"server {{ listen 127.0.0.1:{bench.port}; include conf.d/medical-api.server.inc;\n"
        f"location / {{ proxy_pass http://${spec.variable}_pool; }} }}\n"
    )
    proxy = bench.proxy(spec)
    edge.config.write_text((await proxy.render(0)).text)
    Path(spec.include_path(str(edge.config))).write_text(await proxy.render_include())
    edge.start()
    await lease.grant(proxy, LONG_S)
    await proxy.change(100, bench.guard)
    assert await bench.share(20) == Counter(new=20)
    expire(proxy)
    assert await bench.share(20) == Counter(old=20)
    live = await proxy.live()
    assert (live.weight, live.lease) == (0, "ended")


async def test_a_lease_that_the_workers_can_not_see_is_refused(new_bench: Bench) -> None:
    proxy = await new_bench.ready(by_client(new_bench))
    elsewhere = NginxProxy(
        proxy.spec.model_copy(
            update={
                "proxy": proxy.spec.proxy.model_copy(
                    update={"split": proxy.spec.proxy.split.model_copy(update={"dir": f"{proxy.spec.switch_dir}-2"})}
                )
            }
        ),
        proxy.host, proxy.config, proxy.state,
    )  # fmt: skip
    with pytest.raises(ProxyError, match="does not see the files"):
        await lease.grant(elsewhere, LONG_S)


async def test_a_proxy_whose_clock_differs_gets_no_lease(new_bench: Bench) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 200 OK\r\nX-Cutover-Revision: 0123456789abcdef\r\n"
            b"X-Cutover-Time: %.3f\r\n\r\n50\n" % (time.time() - 60)
        )
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as elsewhere:
        address = f"127.0.0.1:{elsewhere.sockets[0].getsockname()[1]}"
        status = {"listen": address, "url": f"http://{address}"}
        proxy = new_bench.proxy(new_bench.spec(split={"by": "client"}, status=status))
        with pytest.raises(ProxyError, match=r"the proxy's clock is (1m|[56]\d[.\d]*s) behind this machine's"):
            await lease.grant(proxy, LONG_S)
        assert not Path(proxy.spec.switch_dir).exists()


@pytest.mark.parametrize(("clock", "expected"), [(95.0, -5.0), (100.5, 0.0), (104.0, 3.0)])
def test_a_skew_is_what_the_time_of_the_answer_does_not_explain(clock: float, expected: float) -> None:
    assert lease.skew(sent=100.0, answered=101.0, clock=clock) == expected


@pytest.mark.parametrize(("skewed", "told"), [(-5.0, "5s behind"), (61.0, "1m1s ahead of")])
def test_clocks_that_differ_are_refused(skewed: float, told: str) -> None:
    lease.refuse_skew(2.0)
    with pytest.raises(ProxyError, match=told):
        lease.refuse_skew(skewed)
