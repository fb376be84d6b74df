"""The access log of a container's nginx: in a folder of this machine, with the container's ``dd``, or by the engine."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, cast

from cutover.errors import ProxyError
from cutover.hosts.base import LogCursor, LogRead
from cutover.hosts.docker_archive import read_slice
from cutover.hosts.docker_engine import NO_PROGRAM
from cutover.hosts.docker_mounts import follow, on_this_machine, require_reachable, stat
from cutover.hosts.logs import Entry, LocalLogs, LogFiles, end, read_on

if TYPE_CHECKING:
    from docker.models.containers import Container

BLOCK_BYTES = 64 * 1024
_without_dd: set[str] = set()


def log_end(container: Container, path: str) -> LogCursor:
    return end(*_found(container, path))


def read_log(container: Container, path: str, cursor: LogCursor, limit: int) -> LogRead:
    files, found = _found(container, path)
    return read_on(files, found, cursor, limit)


def _found(container: Container, path: str) -> tuple[LogFiles, str]:
    """Where the log is best read, and its path there."""
    require_reachable(container, path)
    path = follow(container, path)
    whole = PurePosixPath(path)
    here = on_this_machine(container, str(whole.parent))
    return (LocalLogs(), str(here / whole.name)) if here is not None else (ContainerLogs(container), path)


class ContainerLogs:
    """Implements ``LogFiles`` for files that only the container has. The engine tells no inodes."""

    def __init__(self, container: Container) -> None:
        self._container = container

    def look(self, path: str) -> Entry | None:
        entry = stat(self._container, path)
        return None if entry is None or entry.is_folder else Entry(0, entry.size)

    def read(self, path: str, offset: int, limit: int) -> bytes:
        """About 100 ms; where the image has no ``dd`` the engine sends the whole file."""
        if limit == 0:
            return b""
        content = self._dd(path, offset, limit)
        return read_slice(self._container, path, offset, limit) if content is None else content

    def rotated(self, path: str) -> list[str]:
        return [f"{path}.1"]

    def _dd(self, path: str, offset: int, limit: int) -> bytes | None:
        """Whole blocks around what is asked; None where the container can't run it."""
        from docker.errors import APIError  # noqa: PLC0415 - start-up time

        container = self._container
        if container.status != "running" or container.id in _without_dd:
            return None
        first, last = offset // BLOCK_BYTES, (offset + limit - 1) // BLOCK_BYTES
        command = ["dd", f"if={path}", f"bs={BLOCK_BYTES}", f"skip={first}", f"count={last - first + 1}"]
        try:
            ran = container.exec_run(command, stderr=False)
        except APIError:
            _without_dd.add(str(container.id))
            return None
        if ran.exit_code in NO_PROGRAM:
            _without_dd.add(str(container.id))
            return None
        if ran.exit_code != 0:
            raise ProxyError(f"{path} in container {container.name} can't be read: dd ended with {ran.exit_code}")
        start = offset - first * BLOCK_BYTES
        return cast("bytes", ran.output)[start : start + limit]
