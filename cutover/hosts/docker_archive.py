"""The engine's archives: tars that it makes of a container's files, and extracts in a container."""

from __future__ import annotations

import io
import tarfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cutover.errors import ProxyError
from cutover.hosts.docker_engine import explanation

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from docker.models.containers import Container

FILE_MODE = 0o644
FOLDER_MODE = 0o755
FILE_BYTES_MAX = 16 * 1024 * 1024
"""More than any file of a configuration, and than the part of a log that matters."""

_READ_ONLY = "read-only"


@dataclass(frozen=True)
class Entry:
    """One entry to extract. ``path`` is relative; ``target`` is that of a symbolic link, or of a hard link."""

    path: str
    kind: bytes
    data: bytes = b""
    mode: int = FILE_MODE
    target: str = ""


def file(path: str, text: str, mode: int = FILE_MODE) -> Entry:
    return Entry(path, tarfile.REGTYPE, text.encode(), mode)


def folder(path: str) -> Entry:
    return Entry(path, tarfile.DIRTYPE, mode=FOLDER_MODE)


def symbolic_link(path: str, target: str) -> Entry:
    return Entry(path, tarfile.SYMTYPE, target=target)


def hard_link(path: str, target: str) -> Entry:
    return Entry(path, tarfile.LNKTYPE, target=target)


def extract(container: Container, into: str, entries: Iterable[Entry]) -> None:
    """Extract entries in their order into a folder that exists. Each entry that is there already is made anew."""
    from docker.errors import APIError  # noqa: PLC0415 - start-up time

    try:
        container.put_archive(into, _tar(entries))
    except APIError as error:
        said = explanation(error)
        if _READ_ONLY in said:
            raise ProxyError(
                f"{into} in container {container.name} is read-only: {said}",
                hint=f"mount a folder or a volume there that can be written, as in docker run -v NAME:{into}",
            ) from error
        raise ProxyError(f"{into} in container {container.name} can't be written: {said}") from error


def _tar(entries: Iterable[Entry]) -> bytes:
    buffer, now = io.BytesIO(), int(time.time())
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for entry in entries:
            member = tarfile.TarInfo(entry.path)
            member.type, member.mode, member.linkname = entry.kind, entry.mode, entry.target
            member.size, member.mtime = len(entry.data), now
            tar.addfile(member, io.BytesIO(entry.data))
    return buffer.getvalue()


@contextmanager
def _archived(container: Container, path: str) -> Iterator[tarfile.TarFile | None]:
    """The tar of a file or folder as it comes; None where there is nothing."""
    from docker.errors import NotFound  # noqa: PLC0415 - start-up time

    try:
        chunks, _ = container.get_archive(path)
    except NotFound:
        yield None
        return
    with tarfile.open(fileobj=_Stream(chunks), mode="r|") as tar:
        yield tar


class _Stream(io.RawIOBase):
    """The chunks of an answer as a file."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        if not self._rest:
            self._rest = next(self._chunks, b"")
        view = memoryview(buffer)
        length = min(len(view), len(self._rest))
        view[:length], self._rest = self._rest[:length], self._rest[length:]
        return length


@dataclass(frozen=True)
class Folder:
    """What lies under a folder, by path: the content of files up to ``FILE_BYTES_MAX``, the targets of links."""

    files: dict[str, bytes] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)

    @property
    def paths(self) -> list[str]:
        return [*self.files, *self.links, *self.others]


def read_file(container: Container, path: str, *, skip: int = 0) -> bytes | None:
    """The content of a regular file, after ``skip`` bytes; None where there is nothing. 40 to 70 ms."""
    with _archived(container, path) as tar:
        if tar is None:
            return None
        member = tar.next()
        if member is None or not member.isreg():
            raise ProxyError(f"{path} in container {container.name} is no file")
        if member.size - skip > FILE_BYTES_MAX:
            raise ProxyError(f"{path} in container {container.name} is larger than {FILE_BYTES_MAX >> 20} MB")
        content = tar.extractfile(member)
        if content is None:
            return None
        while skip > 0 and (passed := content.read(min(skip, FILE_BYTES_MAX))):
            skip -= len(passed)
        return content.read()


def read_slice(container: Container, path: str, offset: int, limit: int) -> bytes:
    """At most ``limit`` bytes of a file from ``offset`` on. What lies before is sent along and passed over."""
    with _archived(container, path) as tar:
        member = tar.next() if tar is not None else None
        content = tar.extractfile(member) if tar is not None and member is not None and member.isreg() else None
        if content is None:
            raise ProxyError(f"{path} in container {container.name} is no file")
        while offset > 0 and (passed := content.read(min(offset, FILE_BYTES_MAX))):
            offset -= len(passed)
        return content.read(limit)


def read_folder(container: Container, top: str) -> Folder:
    """Everything under a folder in one request; nothing where there is no such folder."""
    found = Folder()
    with _archived(container, top) as tar:
        for member in tar or ():
            path = _under(top, member.name)
            if member.isreg() and tar is not None and member.size <= FILE_BYTES_MAX:
                content = tar.extractfile(member)
                found.files[path] = content.read() if content is not None else b""
            elif member.islnk() and (first := _under(top, member.linkname)) in found.files:
                found.files[path] = found.files[first]
            elif member.issym():
                found.links[path] = member.linkname
            elif path != top:
                found.others.append(path)
    return found


def _under(top: str, name: str) -> str:
    """The path of an entry, whose name begins with that of the folder the engine was asked for."""
    _, _, below = name.partition("/")
    return f"{top.rstrip('/')}/{below}".rstrip("/")
