"""What goes wrong around a change, and where traffic is afterwards."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cutover.errors import ProxyError, UnsafeError
from cutover.hosts import base
from cutover.hosts.managed import ManagedHost
from cutover.proxy import apply, by_hand, emergency, switch, verify
from cutover.proxy.base import Intent, Live
from cutover.proxy.nginx import NginxProxy
from tests.support.nginx import Bench, Clients, fetch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


async def at(bench: Bench, weight: int, by: str = "request") -> NginxProxy:
    proxy = await bench.ready(bench.spec(split={"by": by}))
    await emergency.write(proxy, bench.state)
    if weight:
        await proxy.change(weight, bench.guard)
    return proxy


async def test_a_configuration_that_fails_its_test_never_stands_at_the_live_path(new_bench: Bench) -> None:
    templates = broken_templates(new_bench.folder / "broken", "    no_such_directive on;\n")
    proxy = await at(new_bench, 20)
    before = await proxy.current()
    intents = len(new_bench.intents)
    with pytest.raises(ProxyError, match=r'unknown directive "no_such_directive" in .*/cutover\.conf:\d+'):
        await new_bench.proxy(templates=templates).change(50, new_bench.guard)
    assert await proxy.current() == before
    assert len(new_bench.intents) == intents
    assert (await proxy.live()).weight == 20


async def test_a_busy_port_is_named_and_the_change_is_taken_back(bench: Bench) -> None:
    proxy = await at(bench, 10)
    before = await proxy.current()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        listen = [f"127.0.0.1:{bench.port}", f"127.0.0.1:{port}"]
        greedy = bench.proxy(bench.spec(server={"listen": listen}))
        async with Clients(bench.port, count=3) as clients:
            with pytest.raises(ProxyError, match=rf"127\.0\.0\.1:{port} is in use.*traffic is at weight 10, as before"):
                await greedy.change(50, bench.guard)
            await clients.more(20)
    assert await proxy.current() == before
    assert (await proxy.live()).weight == 10
    await proxy.change(30, bench.guard)
    assert await bench.share(10) == Counter(old=7, new=3)


@pytest.mark.parametrize("by", ["request", "client"])
async def test_toward_new_a_file_of_somebody_else_is_drift(bench: Bench, by: str) -> None:
    proxy = await at(bench, 10, by)
    live = await proxy.live()
    assert await proxy.drift(live) is None
    config = Path(proxy.config)
    for text, complaint in (
        ((await proxy.current() or "").replace("keepalive 64", "keepalive 65"), "was edited"),
        ("# mine\n", "is not a file of cutover's"),
        (None, "is gone"),
    ):
        config.unlink() if text is None else config.write_text(text)
        assert complaint in (await proxy.drift(live) or "")
        with pytest.raises(ProxyError, match=complaint):
            await proxy.change(50, bench.guard)
    assert (await proxy.live()).weight == 10


async def test_another_configuration_that_runs_is_drift(bench: Bench) -> None:
    proxy = await at(bench, 10)
    expected = await proxy.live()
    Path(proxy.config).write_text((await proxy.render(70)).text)
    assert "has revision" in (await proxy.drift(expected) or "")
    before = await proxy.host.workers()
    await proxy.host.reload()
    async with asyncio.timeout(10):
        while (await proxy.host.workers()).active & before.active:
            await asyncio.sleep(0.01)
    assert "runs instead of" in (await proxy.drift(expected) or "")


@pytest.mark.parametrize("by", ["request", "client"])
@pytest.mark.parametrize("harm", ["edited", "gone"])
async def test_back_to_old_goes_past_what_somebody_else_did(bench: Bench, by: str, harm: str) -> None:
    proxy = await at(bench, 50, by)
    if harm == "gone":
        Path(proxy.config).unlink()
    else:
        Path(proxy.config).write_text("# mine\n")
    changed = await proxy.change(0, bench.guard)
    assert changed.live.weight == 0
    assert bench.intents[-1].previous == (None if harm == "gone" else "# mine\n")
    assert await bench.share(10) == Counter(old=10)


async def test_back_to_old_works_when_nothing_can_be_written(new_bench: Bench) -> None:
    """As on a full disk: neither a scratch copy nor the new file, but a rename."""
    proxy = await at(new_bench, 50)

    class Full(ManagedHost):
        async def replace(self, path: str, text: str) -> None:
            raise ProxyError(f"{path}: No space left on device ({len(text)} bytes)")

        async def test(self, path: str, text: str | None) -> base.Tested:
            raise ProxyError(f"no scratch folder for {path}: No space left on device ({text is None})")

    assert isinstance(proxy.host, ManagedHost)
    proxy.host.__class__ = Full
    assert (await proxy.change(0, new_bench.guard)).live.weight == 0
    assert await new_bench.share(10) == Counter(old=10)
    with pytest.raises(ProxyError, match="No space left"):
        await proxy.change(50, new_bench.guard)


async def test_back_to_old_works_without_templates(new_bench: Bench) -> None:
    proxy = await at(new_bench, 50)
    proxy.templates = new_bench.folder / "gone"
    assert (await proxy.change(0, new_bench.guard)).live.weight == 0


@pytest.mark.parametrize("by", ["request", "client"])
async def test_back_to_old_starts_a_stopped_managed_nginx_at_weight_0(bench: Bench, by: str) -> None:
    proxy = await at(bench, 50, by)
    await proxy.host.stop()
    assert (await proxy.live()).weight is None
    assert (await proxy.change(0, bench.guard)).live.weight == 0
    assert await bench.share(5) == Counter(old=5)


@pytest.mark.parametrize("by", ["request", "client"])
async def test_a_stopped_managed_nginx_comes_back_at_its_weight(bench: Bench, by: str) -> None:
    proxy = await at(bench, 50, by)
    await proxy.host.stop()
    assert (await proxy.ensure(bench.guard)).weight == 50


@pytest.mark.parametrize("to", [90, 10])
async def test_a_cancelled_change_is_taken_back_or_finished(bench: Bench, to: int) -> None:
    proxy = await at(bench, 50)
    entered = asyncio.Event()

    @asynccontextmanager
    async def guard(intent: Intent) -> AsyncIterator[None]:
        entered.set()
        yield

    task = asyncio.create_task(proxy.change(to, guard))
    await entered.wait()
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    expected = 10 if to < 50 else 50
    live = await proxy.live()
    assert live.weight == expected
    assert await proxy.drift(live) is None
    assert (await bench.share(20))["new"] == 20 * expected // 100


async def test_what_cannot_be_restored_is_unsafe_and_says_what_to_type(new_bench: Bench) -> None:
    proxy = await at(new_bench, 10)
    master = proxy.host.master()  # type: ignore[attr-defined]

    @asynccontextmanager
    async def guard(intent: Intent) -> AsyncIterator[None]:
        # The proxy dies between the intent and the change, and nothing listens any more.
        workers = (await proxy.host.workers()).active
        for process in (master, *workers):
            os.kill(process, signal.SIGKILL)
        taken.append(await occupy(new_bench.port))
        yield

    taken: list[socket.socket] = []
    try:
        with pytest.raises(UnsafeError) as raised:
            await proxy.change(50, guard)
    finally:
        for each in taken:
            each.close()
    assert raised.value.hint is not None
    # A signal would reach nobody.
    assert "kill -HUP" not in raised.value.hint
    assert raised.value.hint.splitlines()[-1].endswith(f"-c {new_bench.state.nginx}/nginx.conf")


async def occupy(port: int) -> socket.socket:
    async with asyncio.timeout(10):
        while True:
            try:
                return socket.create_server(("127.0.0.1", port))
            except OSError:
                await asyncio.sleep(0.01)


class Died(BaseException):
    """What SIGKILL is to a process."""


STAGES = ["before the file", "before the reload", "before the answer", "before the link"]


@pytest.mark.parametrize("to", [80, 20])
@pytest.mark.parametrize("by", ["request", "client"])
@pytest.mark.parametrize("stage", STAGES)
async def test_a_change_that_was_cut_short_is_finished_or_restored(
    new_bench: Bench, monkeypatch: pytest.MonkeyPatch, stage: str, by: str, to: int
) -> None:
    proxy = await at(new_bench, 50, by)
    place = {
        "before the file": ("put", apply),
        "before the reload": ("reload", apply),
        "before the answer": ("reloaded" if by == "request" else "answered", verify),
        "before the link": ("point", switch),
    }[stage]

    async def die(*args: object, **kwargs: object) -> None:
        raise Died

    with monkeypatch.context() as patched:
        patched.setattr(place[1], place[0], die)
        task = asyncio.create_task(proxy.change(to, new_bench.guard))
        ended = (await asyncio.gather(task, return_exceptions=True))[0]
    intent = new_bench.intents[-1]
    assert intent.weight == to
    if not isinstance(ended, Died):
        assert (await proxy.live()).weight == to
    later = new_bench.proxy(proxy.spec)
    live = await later.recover(Intent(**asdict(intent)), new_bench.guard)
    assert live.weight in {50, to}
    assert await later.live() == live
    assert await later.drift(live) is None
    assert (await later.change(0, new_bench.guard)).live.weight == 0


async def test_recovery_after_a_change_that_was_done_changes_nothing(bench: Bench) -> None:
    proxy = await at(bench, 50)
    intent, count = bench.intents[-1], len(bench.intents)
    assert (await proxy.recover(intent, bench.guard)).weight == 50
    assert len(bench.intents) == count


async def test_recovery_also_starts_a_proxy_that_died(bench: Bench) -> None:
    proxy = await at(bench, 20)
    rendered = await proxy.render(60)
    live = await proxy.live()
    intent = Intent(60, rendered.revision, 20, live.revision, "request", proxy.config, await proxy.current())
    Path(proxy.config).write_text(rendered.text)
    await proxy.host.stop()
    recovered = await proxy.recover(intent, bench.guard)
    assert recovered == await proxy.live()
    assert recovered in (live, Live(60, rendered.revision))


class TestTheEmergencyFiles:
    """Written when a run starts: a rollback needs neither the plan nor the journal."""

    async def test_bring_traffic_back_without_a_plan(self, bench: Bench) -> None:
        await at(bench, 50)
        proxy = emergency.load(bench.state)
        assert (await proxy.change(0, bench.guard)).live.weight == 0
        assert await bench.share(5) == Counter(old=5)

    async def test_know_where_old_was_but_no_userinfo(self, new_bench: Bench) -> None:
        proxy = await new_bench.ready()
        await emergency.write(proxy, new_bench.state, "http://user:secret-word@127.0.0.1:1/base")
        assert emergency.old_url(new_bench.state) == "http://127.0.0.1:1/base"
        for path in new_bench.state.emergency.iterdir():
            assert "secret-word" not in path.read_text()
            assert path.stat().st_mode & 0o777 == 0o600

    async def test_are_missed_with_a_reason(self, new_bench: Bench) -> None:
        assert emergency.old_url(new_bench.state) == ""
        with pytest.raises(ProxyError, match="no settings of a run"):
            emergency.load(new_bench.state)

    async def test_lie_ready_where_no_include_finds_them(self, bench: Bench) -> None:
        proxy = await at(bench, 50)
        spare = Path(proxy.spare)
        assert spare.read_text() == (await proxy.render(0)).text
        assert spare not in spare.parent.glob("*.conf")
        assert spare.name.startswith(".")


async def test_the_commands_for_doing_it_by_hand_do_it(bench: Bench) -> None:
    for by in ("request", "client"):
        proxy = await at(bench, 50, by)
        script = "\n".join(by_hand.commands(proxy.spec, 0, proxy.config))
        await asyncio.to_thread(subprocess.run, ["/bin/sh", "-ec", script], check=True, timeout=20)
        async with asyncio.timeout(10):
            while (await proxy.live()).weight != 0:
                await asyncio.sleep(0.01)


async def test_a_proxy_of_another_plan_is_not_taken_for_ours(bench: Bench) -> None:
    await at(bench, 50)
    other = bench.proxy(bench.spec(name="other"))
    live = await other.live()
    assert live.weight is None
    assert "no configuration of this plan" in live.reason


async def test_clients_lose_nothing_when_a_change_is_taken_back(new_bench: Bench) -> None:
    proxy = await at(new_bench, 10)
    async with Clients(new_bench.port) as clients:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            listen = [f"127.0.0.1:{new_bench.port}", f"127.0.0.1:{taken.getsockname()[1]}"]
            with pytest.raises(ProxyError):
                await new_bench.proxy(new_bench.spec(server={"listen": listen})).change(50, new_bench.guard)
        await clients.more(100)
    assert clients.failed == []
    assert (await proxy.live()).weight == 10
    assert (await fetch(new_bench.port)).status == 200


def broken_templates(folder: Path, line: str) -> Path:
    source = Path(__file__).parents[2] / "templates" / "nginx"
    folder.mkdir()
    for template in source.iterdir():
        text = template.read_text()
        (folder / template.name).write_text(
            text.replace("    proxy_redirect off;\n", f"    proxy_redirect off;\n{line}")
        )
    return folder
