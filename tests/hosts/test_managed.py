"""cutover's own nginx: it starts once, says why it does not, outlives its starter, and holds nothing of its."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from cutover.errors import ProxyError
from cutover.hosts import managed, processes
from cutover.hosts.managed import ManagedHost
from tests.support.nginx import Bench, fetch


def host_of(bench: Bench, port: int | None = None) -> ManagedHost:
    proxy = bench.proxy(bench.spec(server={"listen": f"127.0.0.1:{port or bench.port}"}))
    assert isinstance(proxy.host, ManagedHost)
    return proxy.host


async def test_it_starts_once_and_stops_for_good(bench: Bench) -> None:
    proxy = await bench.ready()
    host = proxy.host
    assert isinstance(host, ManagedHost)
    master = host.master()
    await asyncio.gather(host.start(), host.start())
    assert host.master() == master
    await host.stop()
    assert not await host.running()
    await host.stop()
    with pytest.raises(OSError, match="Connect call failed"):
        await fetch(bench.port)


async def test_two_starters_at_once_make_one_nginx(bench: Bench) -> None:
    proxy = await bench.ready()
    await proxy.host.stop()
    others = [bench.proxy(proxy.spec).host for _ in range(3)]
    await asyncio.gather(*(host.start() for host in others))
    assert len({host.master() for host in others if isinstance(host, ManagedHost)}) == 1


async def test_a_busy_port_is_named_with_who_has_it(new_bench: Bench) -> None:
    bench = new_bench
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        proxy = bench.proxy(bench.spec(server={"listen": f"127.0.0.1:{port}"}, url=f"http://127.0.0.1:{port}"))
        with pytest.raises(ProxyError, match=rf"127\.0\.0\.1:{port} is in use by .*\(process {os.getpid()}\)"):
            await proxy.ensure(bench.guard)
    assert (await proxy.ensure(bench.guard)).weight == 0


async def test_a_stale_pid_file_is_no_obstacle(bench: Bench) -> None:
    proxy = await bench.ready()
    host = proxy.host
    assert isinstance(host, ManagedHost)
    master = host.master()
    assert master is not None
    workers = processes.children(master)
    for process in (master, *workers):
        os.kill(process, signal.SIGKILL)
    async with asyncio.timeout(10):
        while any(Path(f"/proc/{p}/exe").exists() for p in (master, *workers)):
            await asyncio.sleep(0.01)
    assert host.pid_file.exists()
    assert not await host.running()
    assert (await proxy.ensure(bench.guard)).weight == 0


async def test_it_stops_though_a_client_never_ends(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(managed, "QUIT_TIMEOUT_S", 0.2)
    bench.old.how = "hang"
    proxy = await bench.ready()
    _, writer = await asyncio.open_connection("127.0.0.1", bench.port)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    async with asyncio.timeout(10):
        while not bench.old.seen:
            await asyncio.sleep(0.01)
    await proxy.host.stop()
    assert not await proxy.host.running()
    writer.close()


async def test_it_outlives_its_starter_and_holds_none_of_its_pipes(bench: Bench) -> None:
    spec = bench.spec()
    starter = f"""
import asyncio, sys
from contextlib import asynccontextmanager
from pathlib import Path
from cutover.paths import StateFolder
from cutover.proxy import ProxySpec, open_proxy

@asynccontextmanager
async def guard(intent):
    yield

spec = ProxySpec.model_validate_json(sys.stdin.read())
asyncio.run(open_proxy(spec, StateFolder(Path({str(bench.state.path)!r}))).ensure(guard))
print("started")
"""
    bench.folder.chmod(0o755)
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", starter], input=spec.model_dump_json(by_alias=True, exclude_none=True),
        capture_output=True, text=True, timeout=60, check=False, env={**os.environ, "MARKED": "secret-of-the-starter"},
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    host = bench.proxy(spec).host
    assert isinstance(host, ManagedHost)
    assert done.stdout == "started\n", done.stderr
    master = host.master()
    assert master is not None
    assert os.getsid(master) != os.getsid(0)
    assert b"secret-of-the-starter" not in Path(f"/proc/{master}/environ").read_bytes()
    assert (await bench.proxy(spec).live()).weight == 0


async def test_its_folder_is_closed_to_others(bench: Bench) -> None:
    proxy = await bench.ready()
    assert bench.state.nginx.stat().st_mode & 0o777 == 0o700
    assert Path(proxy.config).stat().st_mode & 0o777 == 0o600


async def test_an_nginx_that_is_not_there_is_named(tmp_path: Path) -> None:
    host = ManagedHost(tmp_path / "nginx", lambda: "", "/nowhere/nginx")
    with pytest.raises(ProxyError, match="no nginx at /nowhere/nginx"):
        await host.start()


async def test_what_nginx_says_when_it_does_not_start_is_passed_on(bench: Bench) -> None:
    host = host_of(bench)
    host.lay_out()
    Path(bench.state.nginx, "cutover.conf").write_text("nonsense;\n")
    with pytest.raises(ProxyError, match='unknown directive "nonsense"'):
        await host.start()


def test_the_package_has_a_binary_that_runs(new_nginx: str) -> None:
    assert managed.default_binary() == new_nginx
    assert os.access(new_nginx, os.X_OK)
