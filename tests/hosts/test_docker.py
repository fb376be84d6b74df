"""A container's nginx, asked and changed through a real engine."""

from __future__ import annotations

import asyncio
import io
import tarfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import pytest
from docker.errors import NotFound

from cutover.errors import ProxyError
from cutover.hosts.docker import DockerHost
from cutover.plan.model import Docker

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

pytestmark = pytest.mark.docker

Run = Callable[..., "Container"]

FOLDER = "/etc/nginx/conf.d"
FILE = f"{FOLDER}/api.conf"
WAIT_S = 15.0


def answers(port: int, text: str) -> str:
    return f"server {{ listen 127.0.0.1:{port}; return 200 {text}; }}\n"


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not await condition():
        assert time.monotonic() < deadline, "it did not come to pass in time"
        await asyncio.sleep(0.02)


async def serving(port: int, text: str, path: str = "") -> bool:
    async with aiohttp.ClientSession() as client:
        try:
            async with client.get(f"http://127.0.0.1:{port}/{path}") as answer:
                return await answer.text() == text
        except aiohttp.ClientError:
            return False


async def started(container: Container) -> DockerHost:
    """The host of a container whose nginx has its workers."""
    host = DockerHost(Docker(container=str(container.name)))

    async def up() -> bool:
        return await host.running() and bool((await host.workers()).active)

    await until(up)
    return host


@pytest.fixture
def volume(engine: DockerClient, run: Run) -> Iterator[str]:
    """An empty volume that goes after the containers of the test."""
    made = engine.volumes.create()
    yield str(made.name)
    for container in engine.containers.list(all=True, filters={"volume": made.name}):
        container.remove(force=True)
    made.remove()


@pytest.fixture
def mounted(tmp_path: Path) -> Path:
    """A folder that the workers may enter, once it is mounted."""
    tmp_path.chmod(0o755)
    return tmp_path


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    """A folder that the workers may not enter, once it is mounted."""
    tmp_path.chmod(0o700)
    return tmp_path


@pytest.fixture(params=["image", "mount"])
async def edge(request: pytest.FixtureRequest, run: Run, mounted: Path) -> tuple[DockerHost, Container]:
    """An nginx whose config lies in the image, in a folder of this machine, in a volume, or beside a shell."""
    if request.param == "mount":
        container = run(volumes={str(mounted): {"bind": FOLDER, "mode": "ro"}})
    elif request.param == "volume":
        container = run(volumes={request.getfixturevalue("volume"): {"bind": FOLDER}})
    elif request.param == "furnished":
        container = run(image=request.getfixturevalue("furnished_image"))
    else:
        container = run()
    return await started(container), container


Edge = tuple[DockerHost, "Container"]
everywhere = pytest.mark.parametrize("edge", ["image", "mount", "volume", "furnished"], indirect=True)


@everywhere
async def test_a_replaced_file_is_read_back_and_served_after_a_reload(edge: Edge, free_port: int) -> None:
    host, _ = edge
    assert await host.read(FILE) is None
    mark = await host.log_mark()
    for word in ("one", "two"):
        await host.replace(FILE, answers(free_port, word))
        assert await host.read(FILE) == answers(free_port, word)
        before = await host.workers()
        await host.reload()
        await until(lambda word=word: serving(free_port, word))  # type: ignore[misc]

        async def replaced(before: frozenset[int] = before.active) -> bool:
            return not before & (await host.workers()).active

        await until(replaced)
    assert await host.emergencies(mark) == []


async def test_a_test_finds_the_mistake_at_its_line_and_leaves_the_place_as_it_was(edge: Edge, free_port: int) -> None:
    host, _ = edge
    good, bad = answers(free_port, "x"), f"server {{\n  listen 127.0.0.1:{free_port};\n  retrun 200;\n}}\n"
    await host.replace(FILE, good)
    refused = await host.test(FILE, bad)
    assert not refused.ok
    assert f'unknown directive "retrun" in {FILE}:3' in refused.output
    assert ".cutover-test" not in refused.output
    accepted = await host.test(FILE, good)
    assert accepted.ok, accepted.output
    absent = await host.test(FILE, None)
    assert not absent.ok or "successful" in absent.output
    assert await host.read(FILE) == good


async def test_a_file_that_is_not_included_fails_its_test(edge: Edge) -> None:
    host, _ = edge
    tested = await host.test("/etc/nginx/elsewhere.conf", "# nothing\n")
    assert not tested.ok
    assert "include" in tested.output


async def test_an_error_since_the_mark_is_found_and_one_before_it_is_not(edge: Edge, free_port: int) -> None:
    host, _ = edge
    first = await host.log_mark()
    await host.replace(FILE, "first_mistake;")
    await host.reload()

    async def found() -> bool:
        return any("first_mistake" in line for line in await host.emergencies(first))

    await until(found)
    second = await host.log_mark()
    assert await host.emergencies(second) == []
    assert any("first_mistake" in text for text in (await host.log_tail(20)).values())


async def test_a_written_file_takes_the_place_of_another(edge: Edge, free_port: int) -> None:
    host, _ = edge
    await host.replace(FILE, answers(free_port, "now"))
    await host.replace(f"{FOLDER}/.before", answers(free_port, "before"))
    await host.rename(f"{FOLDER}/.before", FILE)
    assert await host.read(FILE) == answers(free_port, "before")
    with pytest.raises(ProxyError):
        await host.rename(f"{FOLDER}/.nothing", FILE)


@everywhere
async def test_a_removed_file_is_gone_for_readers_and_for_nginx(edge: Edge, free_port: int) -> None:
    host, _ = edge
    await host.remove(FILE)
    await host.replace(FILE, answers(free_port, "x"))
    await host.reload()
    await until(lambda: serving(free_port, "x"))
    await host.remove(FILE)
    assert await host.read(FILE) is None
    await host.reload()

    async def silent() -> bool:
        return not await serving(free_port, "x")

    await until(silent)


async def test_a_link_switches_what_nginx_finds_without_a_reload(edge: Edge, free_port: int) -> None:
    host, _ = edge
    folder = f"{FOLDER}/switch"
    await host.write_tree(f"{folder}/w0", {"README": "none\n"})
    await host.write_tree(f"{folder}/w1", {"7": "", "README": "one\n"})
    await host.replace(
        FILE,
        f"server {{ listen 127.0.0.1:{free_port};"
        f" set $side old; if (-f {folder}/current/7) {{ set $side new; }} return 200 $side; }}\n",
    )
    await host.reload()
    await until(lambda: serving(free_port, "old"))
    for target, side in (("w1", "new"), ("w0", "old"), ("w1", "new")):
        await host.link(f"{folder}/current", target)
        assert await serving(free_port, side)
    await host.remove(f"{folder}/current")
    assert await serving(free_port, "old")


async def test_a_tree_is_made_once(edge: Edge) -> None:
    host, _ = edge
    await host.write_tree(f"{FOLDER}/tree", {"a": "first"})
    await host.write_tree(f"{FOLDER}/tree", {"a": "second"})
    assert await host.read(f"{FOLDER}/tree/a") == "first"


async def test_a_folder_that_the_workers_may_not_enter_is_refused(run: Run, closed: Path) -> None:
    host = await started(run(volumes={str(closed): {"bind": "/switches"}}))
    with pytest.raises(ProxyError, match="may not enter /switches") as raised:
        await host.write_tree("/switches/api/w1", {"7": ""})
    assert "chmod o+x /switches" in str(raised.value.hint)


async def test_a_tree_whose_making_was_cut_off_is_made_again(run: Run) -> None:
    container = run()
    host = await started(container)
    partial = io.BytesIO()
    with tarfile.open(fileobj=partial, mode="w") as tar:
        folder = tarfile.TarInfo("tree")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(folder)
    container.put_archive(FOLDER, partial.getvalue())
    await host.write_tree(f"{FOLDER}/tree", {"a": "whole"})
    assert await host.read(f"{FOLDER}/tree/a") == "whole"


async def test_nobody_ever_reads_half_a_file(run: Run, free_port: int) -> None:
    host = await started(run())
    data = f"{FOLDER}/data.txt"
    texts = {letter: letter * 8_000_000 for letter in "ab"}
    await host.replace(data, texts["a"])
    await host.replace(FILE, f"server {{ listen 127.0.0.1:{free_port}; location = /data.txt {{ root {FOLDER}; }} }}\n")
    await host.reload()
    await until(lambda: serving(free_port, texts["a"], "data.txt"))
    writing = asyncio.create_task(_alternate(host, data, texts))
    sizes: set[tuple[int, int]] = set()
    async with aiohttp.ClientSession() as client:
        while not writing.done():
            async with client.head(f"http://127.0.0.1:{free_port}/data.txt") as answer:
                sizes.add((answer.status, int(answer.headers["Content-Length"])))
    await writing
    assert {size for status, size in sizes if status == 200} == {8_000_000}
    assert {status for status, _ in sizes} <= {200, 404}


async def _alternate(host: DockerHost, path: str, texts: dict[str, str]) -> None:
    for letter in "babab":
        await host.replace(path, texts[letter])


async def test_a_link_in_place_of_the_file_is_kept(run: Run, tmp_path: Path) -> None:
    (tmp_path / "available").mkdir()
    (tmp_path / "available" / "api.conf").write_text("# before\n")
    (tmp_path / "api.conf").symlink_to("available/api.conf")
    host = await started(run(volumes={str(tmp_path): {"bind": FOLDER}}))
    assert await host.read(FILE) == "# before\n"
    await host.replace(FILE, "# after\n")
    assert (tmp_path / "api.conf").is_symlink()
    assert (tmp_path / "available" / "api.conf").read_text() == "# after\n"


async def test_an_error_log_that_is_a_file_in_the_container_is_read(run: Run, mounted: Path) -> None:
    (mounted / "conf.d").mkdir()
    (mounted / "nginx.conf").write_text(
        "error_log /tmp/error.log notice;\npid /run/nginx.pid;\nevents {}\nhttp { include conf.d/*.conf; }\n"
    )
    host = await started(run(volumes={str(mounted): {"bind": "/etc/nginx"}}))
    mark = await host.log_mark()
    await host.replace(FILE, "in_a_file;")
    tested = await host.test(FILE, "# an include by a relative name is found\n")
    assert tested.ok, tested.output
    await host.reload()

    async def found() -> bool:
        return any("in_a_file" in line for line in await host.emergencies(mark))

    await until(found)
    assert "in_a_file" in (await host.log_tail(50))["/tmp/error.log"]


async def test_a_container_that_does_not_run_as_root_is_tested_and_reloaded(
    run: Run, mounted: Path, free_port: int
) -> None:
    (mounted / "conf.d").mkdir()
    (mounted / "nginx.conf").write_text("pid /tmp/nginx.pid;\nevents {}\nhttp { include conf.d/*.conf; }\n")
    host = await started(
        run(user="65534", volumes={str(mounted): {"bind": "/etc/nginx", "mode": "ro"}}, working_dir="/tmp")
    )
    tested = await host.test(FILE, answers(free_port, "x"))
    assert tested.ok, tested.output
    await host.replace(FILE, answers(free_port, "x"))
    await host.reload()
    await until(lambda: serving(free_port, "x"))


async def test_where_pid_1_is_a_shell_nginx_is_still_reloaded(run: Run, furnished_image: str, free_port: int) -> None:
    command = ["sh", "-c", "nginx -c /etc/nginx/nginx.conf -g 'daemon off;' & wait; sleep 60"]
    host = await started(run(image=furnished_image, command=command))
    await host.replace(FILE, answers(free_port, "x"))
    await host.reload()
    await until(lambda: serving(free_port, "x"))
    assert await host.running()


async def test_workers_whose_master_is_gone_are_told_with_the_command_that_helps(
    run: Run, furnished_image: str
) -> None:
    command = ["sh", "-c", "nginx -c /etc/nginx/nginx.conf -g 'daemon off;' & wait; sleep 60"]
    container = run(image=furnished_image, command=command)
    host = await started(container)
    assert await host.orphans() == frozenset()
    assert await host.absence() is None
    workers = (await host.workers()).active
    container.exec_run(["sh", "-c", "read master < /run/nginx.pid; kill -9 $master"])

    async def noticed() -> bool:
        return await host.absence() is not None

    await until(noticed)
    assert await host.orphans() == workers
    why = await host.absence()
    assert why is not None
    assert "master process is gone" in why.message
    assert why.hint == f"docker restart {container.name}"


async def test_the_version_is_that_of_the_container_which_stands_there_now(
    run: Run, image: str, furnished_image: str
) -> None:
    container = run()
    host = await started(container)
    first = await host.version()
    assert first == await host.version()
    container.remove(force=True)
    again = run(name=container.name, image=furnished_image)
    assert await started(again)
    assert await host.version() != first


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"read_only": True, "tmpfs": {"/run": "", "/var/cache/nginx": ""}}, "read-only"),
        ({"tmpfs": {FOLDER: ""}}, "tmpfs"),
    ],
)
async def test_a_place_that_the_engine_cannot_write_is_named_with_its_cure(
    run: Run, options: dict[str, object], said: str
) -> None:
    host = await started(run(**options))
    for change in (
        host.replace(FILE, "# x\n"),
        host.test(FILE, "# x\n"),
        host.link(f"{FOLDER}/current", "w1"),
        host.write_tree(f"{FOLDER}/w1", {"a": ""}),
    ):
        with pytest.raises(ProxyError, match=said) as raised:
            await change
        assert FOLDER in raised.value.message
        assert "docker run -v" in str(raised.value.hint)


async def test_a_file_mounted_alone_is_refused_because_it_would_keep_its_inode(run: Run, tmp_path: Path) -> None:
    single = tmp_path / "api.conf"
    single.write_text("# before\n")
    host = await started(run(volumes={str(single): {"bind": FILE}}))
    assert await host.read(FILE) == "# before\n"
    with pytest.raises(ProxyError, match="single file") as raised:
        await host.replace(FILE, "# after\n")
    assert f":{FOLDER}" in str(raised.value.hint)
    assert single.read_text() == "# before\n"


async def test_a_stopped_container_can_be_written_but_not_asked(run: Run) -> None:
    container = run()
    host = await started(container)
    container.kill("KILL")
    container.wait(timeout=WAIT_S)
    assert not await host.running()
    await host.replace(FILE, "# for its next start\n")
    assert await host.read(FILE) == "# for its next start\n"
    for asked in (host.start(), host.reload(), host.workers(), host.test(FILE, "# x\n")):
        with pytest.raises(ProxyError, match="exited") as raised:
            await asked
        assert raised.value.hint == f"docker start {container.name}"


async def test_a_paused_container_says_so(run: Run) -> None:
    container = run()
    host = await started(container)
    container.pause()
    try:
        assert not await host.running()
        with pytest.raises(ProxyError, match="paused") as raised:
            await host.reload()
        assert raised.value.hint == f"docker unpause {container.name}"
    finally:
        container.unpause()


async def test_a_container_that_keeps_restarting_says_so(run: Run) -> None:
    container = run(command=["nginx", "-c", "/nowhere"], restart_policy={"Name": "always"})
    host = DockerHost(Docker(container=str(container.name)))

    async def restarting() -> bool:
        container.reload()
        return bool(container.status == "restarting")

    await until(restarting)
    with pytest.raises(ProxyError) as raised:
        await host.start()
    assert f"docker logs {container.name}" in str(raised.value.hint)


async def test_a_container_without_nginx_says_so(run: Run, furnished_image: str) -> None:
    container = run(image=furnished_image, command=["sleep", "60"])
    host = DockerHost(Docker(container=str(container.name), binary="nginx-of-another-name"))
    assert not await host.running()
    with pytest.raises(ProxyError, match="no nginx master"):
        await host.reload()
    with pytest.raises(ProxyError, match="no program nginx-of-another-name"):
        await host.version()


async def test_an_unknown_container_is_named(engine: DockerClient) -> None:
    with pytest.raises(NotFound):
        engine.containers.get("cutover-nobody")
    with pytest.raises(ProxyError, match="no container cutover-nobody"):
        await DockerHost(Docker(container="cutover-nobody")).running()
