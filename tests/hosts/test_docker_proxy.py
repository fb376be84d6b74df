"""Weight changes of an nginx in a container, end to end, under keep-alive traffic."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from cutover.errors import CutoverError, ProxyError, UnsafeError
from cutover.paths import StateFolder
from cutover.plan.model import Control, Docker, Proxy, ProxyServer, Split
from cutover.proxy import NginxProxy, ProxySpec, lease, open_proxy
from cutover.proxy.base import Intent
from tests.support.site import Backend, Traffic

if TYPE_CHECKING:
    from docker.models.containers import Container

pytestmark = pytest.mark.docker

Run = Callable[..., "Container"]

FOLDER = "/etc/nginx/conf.d"
WEIGHTS = (0, 10, 50, 100, 0)
CLIENTS = 400
CONCURRENT = 20
TOLERANCE = 6.0
"""Percentage points: three standard deviations of a share of 50 % among 400 would be 7.5, of 10 % 4.5; neither is drawn
with that much freedom, for round robin deals evenly and the clients are always the same."""
ANSWER_TIMEOUT_S = 10.0


@asynccontextmanager
async def guard(intent: Intent) -> AsyncIterator[None]:
    yield


@pytest.fixture
def old() -> Iterator[Backend]:
    backend = Backend("old")
    yield backend
    backend.stop()


@pytest.fixture
def new() -> Iterator[Backend]:
    backend = Backend("new")
    yield backend
    backend.stop()


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    folder = StateFolder(tmp_path / "state")
    folder.make()
    return folder


@pytest.fixture(params=["image", "mount"])
def placed(request: pytest.FixtureRequest, run: Run, tmp_path: Path) -> Container:
    """A container with its config in the image, or in a folder of this machine."""
    if request.param == "image":
        return run()
    folder = tmp_path / "conf.d"
    folder.mkdir()
    folder.chmod(0o755)
    return run(volumes={str(folder): {"bind": FOLDER, "mode": "ro"}})


@pytest.fixture
def opened(old: Backend, new: Backend, state: StateFolder, free_port: int) -> Callable[..., NginxProxy]:
    def open_it(container: str, **split: Any) -> NginxProxy:
        proxy = Proxy(
            url=f"http://127.0.0.1:{free_port}",
            control=Control(docker=Docker(container=container)),
            config=f"{FOLDER}/site.conf",
            server=ProxyServer(listen=f"127.0.0.1:{free_port}"),
            split=Split(**split),
        )
        spec = ProxySpec(name="site", proxy=proxy, old=[f"127.0.0.1:{old.port}"], new=[f"127.0.0.1:{new.port}"])
        return open_proxy(spec, state)

    return open_it


async def served(url: str) -> dict[str, str]:
    """Which side serves each of many clients, told apart by their agent, each on a connection of its own."""
    connector = aiohttp.TCPConnector(limit=CONCURRENT, force_close=True)
    timeout = aiohttp.ClientTimeout(total=ANSWER_TIMEOUT_S)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, raise_for_status=True) as session:

        async def ask(agent: str) -> str:
            async with session.get(f"{url}/whoami", headers={"User-Agent": agent}) as answer:
                return str((await answer.json())["served_by"])

        agents = [f"agent {number}" for number in range(CLIENTS)]
        return dict(zip(agents, await asyncio.gather(*map(ask, agents)), strict=True))


def share(sides: dict[str, str]) -> float:
    return 100 * list(sides.values()).count("new") / len(sides)


async def test_requests_are_split_as_asked_and_none_fails(
    placed: Container, opened: Callable[..., NginxProxy], free_port: int
) -> None:
    proxy = opened(str(placed.name), by="request")
    await proxy.ensure(guard)
    with Traffic(free_port) as traffic:
        for weight in WEIGHTS:
            changed = await proxy.change(weight, guard)
            assert changed.live.weight == weight
            assert abs(share(await served(proxy.spec.proxy.url)) - weight) <= (TOLERANCE if 0 < weight < 100 else 0)
            assert await proxy.drift(changed.live) is None
    assert traffic.requests > 100
    assert traffic.failed == []


async def test_clients_are_split_as_asked_keep_their_side_and_none_fails(
    placed: Container, opened: Callable[..., NginxProxy], free_port: int
) -> None:
    inside = placed.attrs["HostConfig"]["Binds"] is not None
    proxy = opened(str(placed.name), by="client", dir=f"{FOLDER}/switch" if inside else None)
    await proxy.ensure(guard)
    moved: set[str] = set()
    with Traffic(free_port) as traffic:
        for weight in WEIGHTS:
            changed = await proxy.change(weight, guard)
            assert changed.live.weight == weight
            sides = await served(proxy.spec.proxy.url)
            assert abs(share(sides) - weight) <= (TOLERANCE if 0 < weight < 100 else 0)
            assert await served(proxy.spec.proxy.url) == sides
            on_new = {agent for agent, side in sides.items() if side == "new"}
            assert on_new >= moved or weight == 0
            moved = on_new
    assert traffic.requests > 100
    assert traffic.failed == []


async def test_a_lease_that_nobody_renews_returns_all_clients_to_old_and_none_fails(
    placed: Container, opened: Callable[..., NginxProxy], free_port: int
) -> None:
    """Also in an image without a shell and without rm, by the container's clock."""
    inside = placed.attrs["HostConfig"]["Binds"] is not None
    proxy = opened(str(placed.name), by="client", dir=f"{FOLDER}/switch" if inside else None)
    await proxy.ensure(guard)
    with Traffic(free_port) as traffic:
        longer = await lease.grant(proxy, 3 * lease.SLOT_S)
        await proxy.change(100, guard)
        granted = await lease.grant(proxy, lease.SLOT_S)
        assert granted.until < longer.until
        assert share(await served(proxy.spec.proxy.url)) == 100
        await lease.grant(proxy, 1)
        renewed = await lease.renew(proxy, 1)
        known = await lease.read(proxy, await proxy.live())
        assert known is not None
        assert known.until == renewed.until
        async with asyncio.timeout(2 * lease.SLOT_S):
            while (live := await proxy.live()).lease == "held":
                await asyncio.sleep(0.05)
        assert live.weight == 0
        assert live.clock is not None
        assert 0 <= live.clock - renewed.until < 1
        assert share(await served(proxy.spec.proxy.url)) == 0
        with pytest.raises(lease.LeaseEndedError):
            await lease.renew(proxy, 1)
        await lease.release(proxy, ended_too=True)
        assert (await proxy.live()).lease is None
        assert share(await served(proxy.spec.proxy.url)) == 0
    assert traffic.failed == []


async def test_a_container_made_anew_from_its_image_is_brought_to_a_known_weight(
    run: Run, opened: Callable[..., NginxProxy]
) -> None:
    container = run()
    proxy = opened(str(container.name))
    await proxy.ensure(guard)
    await proxy.change(50, guard)
    container.remove(force=True)
    run(name=container.name)
    live = await proxy.ensure(guard)
    assert live.weight == 0
    assert share(await served(proxy.spec.proxy.url)) == 0


async def test_a_stopped_container_fails_a_change_and_says_how_to_start_it(
    run: Run, opened: Callable[..., NginxProxy]
) -> None:
    container = run()
    proxy = opened(str(container.name))
    await proxy.ensure(guard)
    await proxy.change(10, guard)
    container.kill("KILL")
    container.wait(timeout=ANSWER_TIMEOUT_S)
    with pytest.raises(CutoverError):
        await proxy.change(50, guard)
    with pytest.raises(UnsafeError) as raised:
        await proxy.change(0, guard)
    assert f"docker start {container.name}" in str(raised.value.hint)
    container.start()
    live = await proxy.ensure(guard)
    assert live.weight == 0
    assert share(await served(proxy.spec.proxy.url)) == 0


async def test_without_an_engine_the_weight_is_still_known_and_a_change_fails_at_once(
    run: Run, opened: Callable[..., NginxProxy], monkeypatch: pytest.MonkeyPatch
) -> None:
    container = run()
    proxy = opened(str(container.name))
    await proxy.ensure(guard)
    await proxy.change(10, guard)
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    cut_off = opened(str(container.name))
    assert (await cut_off.live()).weight == 10
    with pytest.raises(ProxyError, match="can't be reached"):
        await asyncio.wait_for(cut_off.change(50, guard), ANSWER_TIMEOUT_S)
    assert (await cut_off.live()).weight == 10
