"""What a container's nginx logged: through the engine, and in error log files inside the container."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from cutover.errors import ProxyError
from cutover.hosts.docker_archive import read_file
from cutover.hosts.docker_mounts import follow, stat
from cutover.hosts.nginx_conf import emergencies_in

if TYPE_CHECKING:
    from docker.models.containers import Container

LOG_LINES_MAX = 20_000
"""The engine reads its log from the end: a container that logs for years is as quick as a new one."""

TAIL_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class LogMark:
    """``stamp`` is the engine's own time of its last line, so that no clock is compared with another."""

    stamp: str
    sizes: dict[str, int] = field(default_factory=dict)


def mark(container: Container, files: Iterable[str]) -> LogMark:
    last = _engine_lines(container, lines=1)
    return LogMark(last[-1][0] if last else "", {path: _size(container, path) for path in files})


def emergencies(container: Container, since: LogMark) -> list[str]:
    lines = [line for _, line in _engine_lines(container, lines=LOG_LINES_MAX, since=since.stamp)]
    for path, size in since.sizes.items():
        now = _size(container, path)
        if now != size:
            lines += _lines(container, path, skip=size if now > size else 0)
    return emergencies_in("\n".join(lines))


def tails(container: Container, files: Iterable[str], *, lines: int) -> dict[str, str]:
    found = {f"docker logs {container.name}": "\n".join(line for _, line in _engine_lines(container, lines=lines))}
    for path in files:
        if _size(container, path):
            found[path] = "\n".join(_lines(container, path, skip=0)[-lines:])
    return found


def _engine_lines(container: Container, *, lines: int, since: str = "") -> list[tuple[str, str]]:
    """Lines of standard error (of both, with a terminal) after ``since``, each with the engine's time stamp."""
    from docker.errors import APIError  # noqa: PLC0415 - start-up time

    seconds = int(datetime.fromisoformat(since).timestamp()) if since else None
    try:
        raw: bytes = container.logs(
            stdout=bool(container.attrs["Config"]["Tty"]), stderr=True, timestamps=True, tail=lines, since=seconds
        )
    except APIError as error:
        if "does not support reading" in str(error.explanation):
            return []
        raise
    split = [line.partition(" ") for line in raw.decode(errors="replace").splitlines()]
    return [(stamp, text.rstrip("\r")) for stamp, _, text in split if stamp > since]


def _lines(container: Container, path: str, *, skip: int) -> list[str]:
    """The lines of a log file after ``skip`` bytes, and of a long one the last."""
    skip = max(skip, _size(container, path) - TAIL_BYTES)
    content = read_file(container, follow(container, path), skip=skip) or b""
    return content.decode(errors="replace").splitlines()


def _size(container: Container, path: str) -> int:
    """Bytes of a log file; 0 for none, and for a link to the container's own output, which the engine has."""
    try:
        entry = stat(container, follow(container, path))
    except ProxyError:
        return 0
    return 0 if entry is None else entry.size
