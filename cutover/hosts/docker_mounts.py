"""Where a container's path lies: in the container, in a folder of this machine, or where the engine can't write."""

from __future__ import annotations

import base64
import json
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from cutover.errors import ProxyError

if TYPE_CHECKING:
    from docker.models.containers import Container

_GO_MODE_DIR = 1 << 31
_GO_MODE_SYMLINK = 1 << 27
_PERMISSIONS = 0o777
_OK, _NOT_FOUND = 200, 404
_LINKS_FOLLOWED_MAX = 8
_US_PER_S = 1_000_000


@dataclass(frozen=True)
class Stat:
    """What the engine says about a path without sending its content. ``target`` is absolute, empty for no link."""

    size: int
    mode: int
    mtime_us: int
    target: str
    is_folder: bool
    is_link: bool


def stat(container: Container, path: str) -> Stat | None:
    """The entry at ``path``, itself even if a link; None where there is none. About 2 ms."""
    from docker.errors import APIError  # noqa: PLC0415 - start-up time

    api = container.client.api  # type: ignore[union-attr] # a container from the SDK has its client
    url = f"{api.base_url}/v{api.api_version}/containers/{container.id}/archive"
    answer = api.head(url, params={"path": path}, timeout=api.timeout)
    if answer.status_code == _NOT_FOUND:
        return None
    if answer.status_code != _OK:
        raise APIError(f"{path}: {answer.status_code} {answer.reason}", answer)
    entry: dict[str, Any] = json.loads(base64.b64decode(answer.headers["X-Docker-Container-Path-Stat"]))
    return Stat(
        size=entry["size"],
        mode=entry["mode"] & _PERMISSIONS,
        mtime_us=round(datetime.fromisoformat(entry["mtime"]).timestamp() * _US_PER_S),
        target=entry["linkTarget"],
        is_folder=bool(entry["mode"] & _GO_MODE_DIR),
        is_link=bool(entry["mode"] & _GO_MODE_SYMLINK),
    )


def follow(container: Container, path: str) -> str:
    """The file behind links, as in ``sites-enabled``: replacing it leaves the links as they are."""
    for _ in range(_LINKS_FOLLOWED_MAX):
        entry = stat(container, path)
        if entry is None or not entry.is_link:
            return path
        path = entry.target
    raise ProxyError(f"{path} in container {container.name} is a link in a circle")


@dataclass(frozen=True)
class Mount:
    """A mount of the container: ``source`` is a path where the engine runs, empty for tmpfs."""

    kind: str
    source: str
    destination: str
    writable: bool

    def holds(self, path: str) -> bool:
        return PurePosixPath(path).is_relative_to(self.destination)


def mounts(container: Container) -> list[Mount]:
    found = [Mount(m["Type"], m.get("Source", ""), m["Destination"], bool(m["RW"])) for m in container.attrs["Mounts"]]
    tmpfs = container.attrs["HostConfig"].get("Tmpfs") or {}
    return found + [Mount("tmpfs", "", destination, writable=True) for destination in tmpfs]


def mount_of(container: Container, path: str) -> Mount | None:
    """The innermost mount that holds ``path``; None in the image's own layers."""
    holding = [m for m in mounts(container) if m.holds(path)]
    return max(holding, key=lambda m: len(m.destination), default=None)


def require_reachable(container: Container, path: str) -> None:
    """Raise where the engine would read and write beside what the container sees: it knows no tmpfs."""
    mount = mount_of(container, path)
    if mount is not None and mount.kind == "tmpfs":
        raise ProxyError(
            f"{path} in container {container.name} lies on a tmpfs, which the Docker engine can't reach",
            hint=mount_the_folder(path),
        )


def require_replaceable(container: Container, path: str) -> None:
    """Raise where a file can't be replaced: a single mounted file keeps its inode, whatever is put in its place."""
    require_reachable(container, path)
    mount = mount_of(container, path)
    if mount is not None and mount.destination == path:
        raise ProxyError(
            f"{path} is mounted into container {container.name} as a single file: the container would keep the old one",
            hint=mount_the_folder(path),
        )


def mount_the_folder(path: str) -> str:
    folder = PurePosixPath(path).parent
    return f"mount the folder instead, as in docker run -v ./{folder.name}:{folder}"


def on_this_machine(container: Container, folder: str) -> Path | None:
    """The folder of this machine that the container sees as ``folder``; None where there is none or it isn't ours.

    Only with an engine behind a local socket, and only if both ends show the same mode and time of change: the engine
    may run in a virtual machine, or this process in a container of its own.
    """
    mount = mount_of(container, folder)
    api = container.client.api  # type: ignore[union-attr] # a container from the SDK has its client
    if mount is None or not mount.source or not api.base_url.startswith("http+docker://localhost"):
        return None
    here = Path(mount.source) / PurePosixPath(folder).relative_to(mount.destination)
    try:
        ours = here.lstat()
        inside = here.resolve(strict=True).is_relative_to(Path(mount.source).resolve(strict=True))
    except OSError:
        return None
    theirs = stat(container, folder)
    same = theirs is not None and theirs.is_folder and theirs.mtime_us == ours.st_mtime_ns // 1000
    return here if inside and same and os.access(here, os.R_OK | os.W_OK | os.X_OK) else None
