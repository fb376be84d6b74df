"""Somebody's nginx on this machine: tested in a scratch copy, changed without breaking it, and never started."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from pathlib import Path

import pytest

from cutover.errors import ProxyError, UnsafeError
from cutover.hosts.local import LocalHost
from cutover.hosts.nginx_conf import directives, main_value, mirror
from cutover.proxy import NginxProxy, emergency
from tests.support.nginx import Bench, Clients, SomebodysNginx, fetch
from tests.support.ports import free_port


def host_of(edge: SomebodysNginx) -> LocalHost:
    return LocalHost(edge.binary, str(edge.pid_file), str(edge.conf))


async def proxied(bench: Bench, edge: SomebodysNginx, **proxy: object) -> NginxProxy:
    made = bench.proxy(bench.spec(control=edge.control, config=str(edge.config), **proxy))
    await made.ensure(bench.guard)
    return made


@pytest.mark.parametrize("by", ["request", "client"])
async def test_a_whole_run_beside_sites_of_others(bench: Bench, by: str) -> None:
    edge = bench.somebodys_nginx()
    proxy = await proxied(bench, edge, split={"by": by})
    await emergency.write(proxy, bench.state)
    async with Clients(bench.port, count=5) as clients:
        for weight in (10, 100, 0):
            assert (await proxy.change(weight, bench.guard)).live.weight == weight
            await clients.more(50)
    assert (await bench.share(10)) == Counter(old=10)
    assert "medical-api" in await proxy.access_log()
    assert "[emerg]" not in edge.log


@pytest.mark.parametrize("by", ["request", "client"])
async def test_the_server_block_may_be_the_users_own(bench: Bench, by: str) -> None:
    edge = bench.somebodys_nginx()
    proxy = await proxied(bench, edge, server=None, split={"by": by})
    target = "medical_api" if by == "request" else f"${proxy.spec.variable}_pool"
    mine = edge.folder / "conf.d" / "mine.conf"
    mine.write_text(
        f"server {{\nlisten 127.0.0.1:{bench.port};\ninclude {edge.folder}/conf.d/medical-api.server.inc;\n"
        f"location / {{ proxy_pass http://{target}; access_log {edge.folder}/mine.log {proxy.spec.variable}; }}\n}}\n"
    )
    await proxy.host.reload()
    async with asyncio.timeout(10):
        while True:
            try:
                await fetch(bench.port)
                break
            except OSError:
                await asyncio.sleep(0.01)
    await proxy.change(50, bench.guard)
    served = await bench.share(40)
    assert served == Counter(old=20, new=20) if by == "request" else set(served) == {"old", "new"}
    assert set(await bench.share(20, **{"User-Agent": "one"})) == {"old", "new"} or by == "client"
    assert (await proxy.change(100, bench.guard, settle=True)).live.weight == 100
    assert await bench.share(10) == Counter(new=10)
    await proxy.change(0, bench.guard)
    assert await bench.share(10) == Counter(old=10)
    assert '"side":"old"' in (edge.folder / "mine.log").read_text().splitlines()[-1]


async def test_a_weight_that_no_server_block_follows_is_refused(bench: Bench) -> None:
    edge = bench.somebodys_nginx()
    proxy = await proxied(bench, edge, server=None)
    (edge.folder / "conf.d" / "mine.conf").write_text(
        f"server {{\nlisten 127.0.0.1:{bench.port};\nlocation / {{ proxy_pass http://127.0.0.1:1; }}\n}}\n"
    )
    with pytest.raises(ProxyError, match="no server block of this nginx passes requests to medical_api"):
        await proxy.change(10, bench.guard)
    assert (await proxy.live()).weight == 0
    assert (await proxy.change(0, bench.guard)).live.weight == 0


async def test_the_status_may_have_an_address_of_its_own(bench: Bench) -> None:
    port = free_port()
    status = {"listen": f"127.0.0.1:{port}", "url": f"http://127.0.0.1:{port}"}
    edge = bench.somebodys_nginx()
    proxy = await proxied(bench, edge, server=None, status=status)
    assert (await proxy.live()).weight == 0
    assert (await fetch(port, "/.cutover/medical-api", headers={"X-Cutover-Probe": "1"})).body == "0\n"
    assert (await fetch(port, "/")).status == 404


async def test_a_stopped_nginx_gets_weight_0_for_its_start_and_a_clear_error(bench: Bench) -> None:
    edge = bench.somebodys_nginx()
    proxy = await proxied(bench, edge)
    await proxy.change(50, bench.guard)
    await edge.stop()
    with pytest.raises(ProxyError, match="nginx is not running") as toward_new:
        await proxy.change(60, bench.guard)
    assert "start it" in (toward_new.value.hint or "")
    with pytest.raises(UnsafeError, match="weight 0 for its start"):
        await proxy.change(0, bench.guard)
    edge.start()
    assert (await proxy.live()).weight == 0


async def test_the_test_names_the_real_file_and_touches_none(bench: Bench) -> None:
    edge = bench.somebodys_nginx()
    host = host_of(edge)
    before = sorted(edge.folder.rglob("*"))
    tested = await host.test(str(edge.config), "upstream a {\n  server 127.0.0.1:1;\n  nonsense 1;\n}\n")
    assert not tested.ok
    assert f"{edge.config}:3" in tested.output
    assert "cutover-test-" not in tested.output
    assert (await host.test(str(edge.config), "upstream a { server 127.0.0.1:1; }\n")).ok
    assert sorted(edge.folder.rglob("*")) == before


async def test_the_test_takes_the_file_as_absent_where_that_is_asked(bench: Bench) -> None:
    edge = bench.somebodys_nginx()
    edge.config.write_text("nonsense;\n")
    assert not (await host_of(edge).test(str(edge.config), "nonsense;\n")).ok
    assert (await host_of(edge).test(str(edge.config), None)).ok


async def test_a_file_that_nothing_includes_is_told(bench: Bench) -> None:
    edge = bench.somebodys_nginx()
    tested = await host_of(edge).test(str(edge.folder / "elsewhere.conf"), "upstream a { server 127.0.0.1:1; }")
    assert not tested.ok
    assert "no include" in tested.output


async def test_the_scratch_copy_follows_includes_as_nginx_does(bench: Bench) -> None:
    """Relative names, quotes, comments, globs in globs, a certificate beside the main file, a link to the file."""
    edge = bench.somebodys_nginx(
        conf="include 'more/*.conf'; # include nowhere.conf;\n"
        'map $uri $a { default "include x;"; }\n'
        "auth_basic_user_file users;\n",
        start=False,
    )
    (edge.folder / "users").write_text("")
    (edge.folder / "more").mkdir()
    (edge.folder / "more" / "site.conf").write_text("include deep/[ab].conf;\n")
    (edge.folder / "deep").mkdir()
    real = edge.folder / "real.conf"
    real.write_text("upstream b { server 127.0.0.1:2; }\n")
    (edge.folder / "deep" / "a.conf").symlink_to(real)
    edge.start()
    host = host_of(edge)
    wrong = await host.test(str(edge.folder / "deep" / "a.conf"), "nonsense;\n")
    assert not wrong.ok
    assert f"{edge.folder}/deep/a.conf:1" in wrong.output
    assert not (await host.test(str(real), "nonsense;\n")).ok
    assert (await host.test(str(real), "upstream c { server 127.0.0.1:3; }\n")).ok


async def test_a_replaced_file_keeps_its_mode_and_its_links(tmp_path: Path) -> None:
    host = LocalHost("nginx", str(tmp_path / "pid"), str(tmp_path / "conf"))
    real, link = tmp_path / "real.conf", tmp_path / "link.conf"
    real.write_text("a")
    real.chmod(0o640)
    link.symlink_to(real)
    await host.replace(str(link), "b")
    assert link.is_symlink()
    assert real.read_text() == "b"
    assert real.stat().st_mode & 0o777 == 0o640
    await host.replace(str(tmp_path / "new.conf"), "c")
    assert (tmp_path / "new.conf").stat().st_mode & 0o777 == 0o644
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link.conf", "new.conf", "real.conf"]


async def test_what_cannot_be_written_is_named(tmp_path: Path) -> None:
    host = LocalHost("nginx", str(tmp_path / "pid"), str(tmp_path / "conf"))
    with pytest.raises(ProxyError, match=r"missing.*No such file or directory") as raised:
        await host.replace(str(tmp_path / "missing" / "x.conf"), "a")
    assert raised.value.hint == "that folder has to exist"


async def test_a_pid_file_that_names_no_nginx_is_not_believed(tmp_path: Path) -> None:
    host = LocalHost("nginx", str(tmp_path / "pid"), str(tmp_path / "conf"))
    for content in ("", "nonsense", str(os.getpid()), "999999999"):
        (tmp_path / "pid").write_text(content)
        assert not await host.running()


async def test_workers_that_leave_are_told_from_those_that_serve(bench: Bench) -> None:
    edge = bench.somebodys_nginx(conf=f"server {{ listen 127.0.0.1:{bench.port}; return 200 hi; }}")
    host = host_of(edge)
    async with asyncio.timeout(10):
        while len((first := await host.workers()).active) < 2:
            await asyncio.sleep(0.01)
    reader, writer = await asyncio.open_connection("127.0.0.1", bench.port)
    writer.write(b"GET / HT")
    await writer.drain()
    await asyncio.sleep(0.05)
    await host.reload()
    async with asyncio.timeout(10):
        while (now := await host.workers()).active & first.active or not now.draining:
            await asyncio.sleep(0.01)
    assert now.draining <= first.active
    writer.close()
    del reader
    async with asyncio.timeout(10):
        while (await host.workers()).draining:
            await asyncio.sleep(0.01)


async def test_emergencies_since_a_mark_are_found(bench: Bench) -> None:
    edge = bench.somebodys_nginx()
    host = host_of(edge)
    edge.config.write_text("nonsense;\n")
    mark = await host.log_mark()
    assert await host.emergencies(mark) == []
    os.kill(int(edge.pid_file.read_text()), signal.SIGHUP)
    async with asyncio.timeout(10):
        while not (lines := await host.emergencies(mark)):
            await asyncio.sleep(0.01)
    assert 'unknown directive "nonsense"' in lines[0]
    assert await host.emergencies(await host.log_mark()) == []
    assert "nonsense" in (await host.log_tail(5))["error.log"]


async def test_switch_files_are_whole_readable_to_all_and_left_alone(tmp_path: Path) -> None:
    host = LocalHost("nginx", str(tmp_path / "pid"), str(tmp_path / "conf"))
    before = os.umask(0o077)
    try:
        await host.write_tree(str(tmp_path / "switch" / "w2"), {"0": "", "1": "", "weight": "2\n"})
        await host.write_tree(str(tmp_path / "switch" / "w2"), {"weight": "other"})
    finally:
        os.umask(before)
    folder = tmp_path / "switch" / "w2"
    assert (folder / "weight").read_text() == "2\n"
    assert folder.stat().st_mode & 0o777 == 0o755
    assert folder.parent.stat().st_mode & 0o777 == 0o755
    assert (folder / "0").stat().st_mode & 0o777 == 0o644
    assert [p.name for p in folder.parent.iterdir()] == ["w2"]


async def test_a_switch_folder_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    host = LocalHost("nginx", str(tmp_path / "pid"), str(tmp_path / "conf"))
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(ProxyError, match=r"open is open to all.*moves traffic"):
        await host.write_tree(str(tmp_path / "open" / "w1"), {"0": ""})
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(ProxyError, match="is a symbolic link"):
        await host.write_tree(str(tmp_path / "link" / "w1"), {"0": ""})


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's nginx has workers of another user")
async def test_a_folder_that_workers_may_not_enter_is_named(bench: Bench) -> None:
    edge = bench.somebodys_nginx()
    async with asyncio.timeout(10):
        while not (await host_of(edge).workers()).active:
            await asyncio.sleep(0.01)
    closed = bench.folder / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(ProxyError, match="workers may not enter /"):
        await host_of(edge).write_tree(str(closed / "switch" / "w1"), {"0": ""})


def test_directives_are_read_as_nginx_reads_them() -> None:
    text = """\
# include no.conf;
events { worker_connections 1; } # }
error_log "/a b/error.log"; pid /x#y;
http {
    log_format m '$a; include no.conf; {'; set $x ${y}z;
    include a\\ b.conf;
    server { location ~ "^/x{2}$" { return 200; } }
}
"""
    found = list(directives(text))
    assert [d.args for d in found if d.name == "include"] == [("a\\ b.conf",)]
    assert main_value(text, "error_log") == "/a b/error.log"
    assert main_value(text, "pid") == "/x#y"
    assert [d.depth for d in found if d.name == "server"] == [1]
    assert [d.args for d in found if d.name == "set"] == [("$x", "${y}z")]


def test_files_that_include_each_other_end() -> None:
    class Loop:
        def read(self, path: str) -> str | None:
            return f"include a.conf; # in {path}"

        def glob(self, pattern: str) -> list[str]:
            return [pattern]

        def real(self, path: str) -> str:
            return path

    with pytest.raises(ProxyError, match="without end"):
        mirror(Loop(), "/etc/nginx.conf", "/etc/x.conf", "", "/tmp/scratch")
