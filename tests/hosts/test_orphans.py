"""An nginx whose master alone was killed: what is noticed, who is ended for a successor, and who is not."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from cutover.errors import ProxyError, UnsafeError
from cutover.hosts import orphans
from cutover.hosts.managed import ManagedHost
from cutover.paths import StateFolder
from cutover.proxy import NginxProxy, emergency, open_proxy
from tests.support.nginx import Bench, fetch, kill_all, kill_master, living
from tests.support.ports import free_port

LIMIT_S = 15.0
SAYS_SO = "master process is gone"


@pytest.fixture
def left() -> Iterator[list[frozenset[int]]]:
    """Workers without a master, which end with the test."""
    made: list[frozenset[int]] = []
    yield made
    for workers in made:
        kill_all(workers)


async def at_50(bench: Bench, by: str = "request") -> NginxProxy:
    proxy = await bench.ready(bench.spec(split={"by": by}))
    await proxy.change(50, bench.guard)
    await emergency.write(proxy, bench.state)
    return proxy


def managed(proxy: NginxProxy) -> ManagedHost:
    assert isinstance(proxy.host, ManagedHost)
    return proxy.host


def without_master(proxy: NginxProxy, left: list[frozenset[int]]) -> frozenset[int]:
    left.append(kill_master(managed(proxy).pid_file))
    return left[-1]


async def ended(workers: frozenset[int]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while living(workers):
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("by", ["request", "client"])
async def test_a_master_that_is_gone_is_no_drift_but_a_proxy_that_is_away(
    bench: Bench, left: list[frozenset[int]], by: str
) -> None:
    proxy = await at_50(bench, by)
    expected = await proxy.live()
    assert await proxy.drift(expected) is None
    workers = without_master(proxy, left)
    assert (await proxy.live()).weight == 50
    with pytest.raises(ProxyError, match=SAYS_SO) as noticed:
        await proxy.drift(expected)
    assert all(str(worker) in noticed.value.message for worker in workers)
    assert "cutover rollback" in (noticed.value.hint or "")


async def test_back_to_old_puts_an_nginx_in_place_of_the_workers_and_what_they_had_begun_is_answered(
    bench: Bench, left: list[frozenset[int]]
) -> None:
    proxy = await at_50(bench)
    workers = without_master(proxy, left)
    bench.old.delay_s = bench.new.delay_s = 0.5
    begun = [asyncio.create_task(fetch(bench.port)) for _ in range(4)]
    async with asyncio.timeout(LIMIT_S):
        while bench.old.seen.total() + bench.new.seen.total() < len(begun):
            await asyncio.sleep(0.005)
    changed = await proxy.change(0, bench.guard)
    assert changed.live.weight == 0
    assert {answer.status for answer in await asyncio.gather(*begun)} == {200}
    bench.old.delay_s = 0
    assert await bench.share(10) == Counter(old=10)
    await ended(workers)
    assert await proxy.host.absence() is None
    assert (await proxy.change(50, bench.guard)).live.weight == 50


async def test_a_start_keeps_the_weight_that_the_workers_had(bench: Bench, left: list[frozenset[int]]) -> None:
    proxy = await at_50(bench)
    workers = without_master(proxy, left)
    assert (await proxy.ensure(bench.guard)).weight == 50
    assert await proxy.host.absence() is None
    await ended(workers)


async def test_a_worker_that_hears_no_signal_does_not_keep_the_port(bench: Bench, left: list[frozenset[int]]) -> None:
    proxy = await at_50(bench)
    workers = without_master(proxy, left)
    os.kill(min(workers), signal.SIGSTOP)
    assert (await proxy.change(0, bench.guard)).live.weight == 0
    assert await bench.share(10) == Counter(old=10)
    await ended(workers)


async def test_nobody_else_is_ended(bench: Bench, left: list[frozenset[int]]) -> None:
    """Neither workers of another nginx, with a master or without, nor what merely bears the name of one."""
    proxy = await at_50(bench)
    other_spec = bench.spec(server={"listen": f"127.0.0.1:{(port := free_port())}"}, url=f"http://127.0.0.1:{port}")
    # A name that begins as ours does: a part of a path is not the path.
    other = open_proxy(other_spec, StateFolder(Path(f"{bench.state.path}-2")))
    await other.ensure(bench.guard)
    edge = bench.somebodys_nginx()
    strangers = without_master(other, left)
    named = await asyncio.create_subprocess_exec(
        "bash", "-c", f'exec -a "nginx: worker process" sleep 60 3>>{bench.folder}/mine.log', stdin=subprocess.DEVNULL
    )
    try:
        without_master(proxy, left)
        assert (await proxy.change(0, bench.guard)).live.weight == 0
        assert living(strangers) == strangers
        assert (await fetch(port)).body == "old"
        assert named.returncode is None
        assert edge.run("-s", "reload").returncode == 0
    finally:
        named.kill()
        await named.wait()
        await other.host.stop()


@pytest.mark.parametrize("harm", ["no folder", "other logs"])
async def test_workers_are_known_though_their_folder_or_its_logs_are_gone(
    bench: Bench, left: list[frozenset[int]], harm: str
) -> None:
    proxy = await at_50(bench)
    workers = without_master(proxy, left)
    if harm == "no folder":
        shutil.rmtree(bench.state.path)
    else:
        managed(proxy).pid_file.unlink()
        (bench.state.nginx / "access.log").unlink()
        (bench.state.nginx / "error.log").rename(bench.state.nginx / "error.log.1")
    assert (await proxy.change(0, bench.guard)).live.weight == 0
    assert await bench.share(5) == Counter(old=5)
    await ended(workers)


async def test_an_nginx_that_would_not_start_costs_the_workers_nothing(
    bench: Bench, left: list[frozenset[int]]
) -> None:
    proxy = await at_50(bench)
    workers = without_master(proxy, left)
    kept = Path(proxy.config).read_text()
    Path(proxy.config).write_text("nonsense;\n")
    with pytest.raises(ProxyError, match=r'no other nginx would start.*unknown directive "nonsense"'):
        await proxy.host.start()
    assert living(workers) == workers
    assert set(await bench.share(20)) == {"old", "new"}
    Path(proxy.config).write_text(kept)


async def test_where_a_successor_fails_after_all_the_weight_from_before_is_served_again(
    bench: Bench, left: list[frozenset[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = await at_50(bench)
    without_master(proxy, left)
    spawn, tries = ManagedHost._spawn, []

    def failing(host: ManagedHost) -> str:
        tries.append(host)
        if len(tries) == 1:
            raise ProxyError("nginx did not start: no memory")
        return spawn(host)

    monkeypatch.setattr(ManagedHost, "_spawn", failing)
    with pytest.raises(ProxyError, match="no memory; traffic is at weight 50, as before"):
        await proxy.change(0, bench.guard)
    assert (await proxy.live()).weight == 50
    assert await proxy.host.absence() is None


async def test_by_client_the_way_back_is_a_rename_that_touches_no_worker(
    bench: Bench, left: list[frozenset[int]]
) -> None:
    proxy = await at_50(bench, "client")
    workers = without_master(proxy, left)
    changed = await proxy.change(0, bench.guard)
    assert "test" not in changed.timings
    assert living(workers) == workers
    assert await bench.share(10) == Counter(old=10)
    assert (await proxy.change(10, bench.guard)).live.weight == 10
    assert await proxy.host.absence() is None


async def test_a_stop_ends_them_too(bench: Bench, left: list[frozenset[int]]) -> None:
    proxy = await at_50(bench)
    workers = without_master(proxy, left)
    await proxy.host.stop()
    assert not living(workers)
    with pytest.raises(OSError, match="Connect call failed"):
        await fetch(bench.port)


@pytest.mark.parametrize("by", ["request", "client"])
async def test_the_commands_to_type_work_for_a_managed_one(bench: Bench, left: list[frozenset[int]], by: str) -> None:
    proxy = await at_50(bench, by)
    without_master(proxy, left)
    await type_them(await proxy.by_hand(0))
    assert (await proxy.live()).weight == 0
    assert await bench.share(10) == Counter(old=10)
    assert await proxy.host.absence() is None


async def test_of_somebodys_nginx_the_workers_are_named_and_left_alone(
    bench: Bench, left: list[frozenset[int]]
) -> None:
    edge = bench.somebodys_nginx()
    proxy = bench.proxy(bench.spec(control=edge.control, config=str(edge.config)))
    await proxy.ensure(bench.guard)
    await emergency.write(proxy, bench.state)
    live = (await proxy.change(50, bench.guard)).live
    left.append(kill_master(edge.pid_file))
    workers = left[-1]
    with pytest.raises(ProxyError, match=SAYS_SO):
        await proxy.drift(live)
    with pytest.raises(ProxyError, match=SAYS_SO):
        await proxy.change(60, bench.guard)
    lines = await proxy.by_hand(0)
    with pytest.raises(UnsafeError, match=f"{SAYS_SO}.*weight 0 for its start") as back:
        await proxy.change(0, bench.guard)
    quit_them = f"kill -QUIT {' '.join(map(str, sorted(workers)))}"
    assert (back.value.hint or "").startswith(f"{quit_them}; then start it: ")
    assert quit_them in lines
    assert living(workers) == workers
    assert (await proxy.live()).weight == 50
    await emergency.write(proxy, bench.state)
    await type_them(lines)
    assert (await proxy.live()).weight == 0
    assert await bench.share(10) == Counter(old=10)
    assert await proxy.drift(await proxy.live()) is None


async def type_them(lines: list[str]) -> None:
    process = await asyncio.create_subprocess_exec(
        "sh", "-e", "-c", "\n".join(lines), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    async with asyncio.timeout(LIMIT_S):
        assert await process.wait() == 0


def test_a_number_that_another_process_got_is_signalled_by_nobody(tmp_path: Path) -> None:
    stranger = subprocess.Popen(["sleep", "60"], stdin=subprocess.DEVNULL)
    try:
        workers = frozenset({stranger.pid})
        assert orphans.end(workers, [(signal.SIGKILL, 0.1)], orphans.logging_to(tmp_path)) == frozenset()
        orphans._signal(stranger.pid, signal.SIGKILL, lambda _: True)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait(LIMIT_S)
