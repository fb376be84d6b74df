"""Files of a container that may hold nothing but nginx: no shell, no ``mv``, no ``rm``.

In a folder of this machine that is mounted into it, files are replaced by a rename. Elsewhere the engine extracts a
tar: it removes the entry of that name and makes it anew. So a file is sent under a temporary name first, and then a
hard link to it under its own name: for some microseconds there is no file, but never half of one.
"""

from __future__ import annotations

import os
import shutil
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace as replaced
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from cutover.errors import ProxyError
from cutover.hosts import durable
from cutover.hosts.docker_archive import (
    FILE_MODE,
    Entry,
    extract,
    file,
    folder,
    hard_link,
    read_file,
    symbolic_link,
)
from cutover.hosts.docker_engine import NO_PROGRAM, execute
from cutover.hosts.docker_mounts import (
    follow,
    mount_of,
    on_this_machine,
    require_reachable,
    require_replaceable,
    stat,
)

if TYPE_CHECKING:
    from docker.models.containers import Container

REMOVED = "# removed by cutover\n"
"""Stands for a file that could not be removed; nginx reads it as nothing, and so does ``read``."""

# A leading dot keeps it out of "include conf.d/*.conf" and of "include sites-enabled/*" alike.
_TEMPORARY = ".{name}.cutover-new"
_REMOVED_LINK = ".removed"
_COMPLETE = ".complete"
_without_rm: set[str] = set()


def encoded(text: str) -> bytes:
    """Bytes that are no UTF-8 come back as they were read."""
    return text.encode(errors="surrogateescape")


def decoded(content: bytes) -> str:
    return content.decode(errors="surrogateescape")


def read(container: Container, path: str) -> str | None:
    """The text of a file, links followed; None where there is none."""
    path = follow(container, path)
    require_reachable(container, path)
    parent, name = _split(path)
    here = on_this_machine(container, parent)
    content = _read_here(here / name) if here is not None else read_file(container, path)
    text = decoded(content) if content is not None else None
    return None if text == REMOVED else text


def replace(container: Container, path: str, text: str) -> None:
    """Put a whole file in place, and look at it from inside; the mode of the one before is kept."""
    path = follow(container, path)
    require_replaceable(container, path)
    before = stat(container, path)
    mode = before.mode if before is not None else FILE_MODE
    parent, name = _split(path)
    here = on_this_machine(container, parent)
    if here is not None:
        with _mounted(container, path):
            durable.write(here / name, text, mode)
        _see_from_inside(container, path, here / name)
        return
    temporary = _TEMPORARY.format(name=name)
    extract(container, parent, [Entry(temporary, tarfile.REGTYPE, encoded(text), mode), hard_link(name, temporary)])
    if read_file(container, path) != encoded(text):
        raise ProxyError(f"{path} in container {container.name} does not hold what was just written there")


def rename(container: Container, source: str, path: str) -> None:
    """Put a written file in place of another. Where the engine does it, the source stays as a second name of it."""
    path = follow(container, path)
    for end in (source, path):
        require_replaceable(container, end)
    if stat(container, source) is None:
        raise ProxyError(f"there is no {source} in container {container.name}")
    (source_parent, source_name), (parent, name) = _split(source), _split(path)
    there, here = on_this_machine(container, source_parent), on_this_machine(container, parent)
    if there is not None and here is not None and mount_of(container, source) == mount_of(container, path):
        with _mounted(container, path):
            durable.rename(there / source_name, here / name)
        _see_from_inside(container, path, here / name)
        return
    common = os.path.commonpath([source_parent, parent])
    extract(container, common, [hard_link(os.path.relpath(path, common), os.path.relpath(source, common))])


def remove(container: Container, path: str) -> None:
    """Remove a file or link. With neither a mounted folder nor ``rm`` in the image, put one there that says nothing."""
    require_replaceable(container, path)
    entry = stat(container, path)
    if entry is None:
        return
    parent, name = _split(path)
    here = on_this_machine(container, parent)
    if here is not None:
        with _mounted(container, path):
            durable.remove(here / name)
    elif not _removed_by_rm(container, "-f", path):
        stand_in = symbolic_link(name, _REMOVED_LINK) if entry.is_link else file(name, REMOVED, entry.mode)
        extract(container, parent, [stand_in])


def link(container: Container, path: str, target: str) -> None:
    """Point a link elsewhere: a rename of about 1 ms in a folder mounted from here, else 50 to 90 ms."""
    require_replaceable(container, path)
    parent, name = _split(path)
    here = on_this_machine(container, parent)
    if here is None:
        extract(container, parent, [symbolic_link(name, target)])
    else:
        with _mounted(container, path):
            durable.link(here / name, target)
    seen = stat(container, path)
    if seen is None or seen.target != os.path.normpath(PurePosixPath(parent, target)):
        raise ProxyError(f"{path} in container {container.name} does not point to {target}, where it was just put")


def is_complete(container: Container, top: str) -> bool:
    """Whether ``write_tree`` came to its end: a folder without its mark is one whose making was cut off."""
    require_reachable(container, top)
    return stat(container, f"{top}/{_COMPLETE}") is not None


def write_tree(container: Container, top: str, files: Mapping[str, str]) -> None:
    """Make a folder with these files, and a mark that is written last."""
    require_replaceable(container, top)
    put_tree(container, top, [*(file(name, text) for name, text in files.items()), file(_COMPLETE, "")])


def put_files(container: Container, folder: str, files: Mapping[str, str], gone: Iterable[str]) -> None:
    """Put small files into a folder, then remove others: with neither a mounted folder nor ``rm``, a link to nowhere
    takes their place.
    """
    require_replaceable(container, folder)
    here, away = on_this_machine(container, folder), list(gone)
    if here is not None:
        with _mounted(container, folder):
            durable.put(here, files, away)
        return
    extract(container, folder, [file(name, text) for name, text in files.items()])
    if away and not _removed_by_rm(container, "-f", *(f"{folder}/{name}" for name in away)):
        extract(container, folder, [symbolic_link(name, _REMOVED_LINK) for name in away])


def put_tree(container: Container, top: str, entries: Iterable[Entry]) -> None:
    """Write entries, in their order, into a folder, which is made with those above it and below it."""
    base = top
    while stat(container, base) is None:
        base = str(PurePosixPath(base).parent)
    prefix = PurePosixPath(os.path.relpath(top, base))
    placed = [replaced(entry, path=str(prefix / entry.path)) for entry in entries]
    folders = {parent for entry in placed for parent in PurePosixPath(entry.path).parents} - {PurePosixPath()}
    placed[:0] = [folder(str(path)) for path in sorted(folders)]
    here = on_this_machine(container, base)
    if here is None:
        extract(container, base, placed)
        return
    with _mounted(container, top):
        _extract_here(here, placed)


def remove_tree(container: Container, top: str) -> None:
    """Remove a folder that cutover made; without a mounted folder and ``rm`` it stays, and is harmless."""
    parent, name = _split(top)
    here = on_this_machine(container, parent)
    if here is None:
        _removed_by_rm(container, "-rf", top)
        return
    with _mounted(container, top):
        shutil.rmtree(here / name)


def _removed_by_rm(container: Container, option: str, *paths: str) -> bool:
    """Whether the container's own ``rm`` removed them; it can't where it does not run or has none."""
    if container.status != "running" or container.id in _without_rm:
        return False
    ran = execute(container, ["rm", option, "--", *paths])
    if ran.code in NO_PROGRAM:
        _without_rm.add(str(container.id))
    return ran.code == 0


def _split(path: str) -> tuple[str, str]:
    whole = PurePosixPath(path)
    return str(whole.parent), whole.name


@contextmanager
def _mounted(container: Container, path: str) -> Iterator[None]:
    """Errors of this machine's files, said of the container's path."""
    try:
        yield
    except OSError as error:
        raise ProxyError(
            f"{path} in container {container.name} can't be changed: {error.strerror}: {error.filename}"
        ) from error


def _read_here(path: Path) -> bytes | None:
    with suppress(FileNotFoundError):
        return path.read_bytes()
    return None


def _extract_here(base: Path, entries: Iterable[Entry]) -> None:
    for entry in entries:
        path = base / entry.path
        if entry.kind == tarfile.DIRTYPE:
            path.mkdir(exist_ok=True)
            path.chmod(entry.mode)
            continue
        path.unlink(missing_ok=True)
        if entry.kind == tarfile.SYMTYPE:
            path.symlink_to(entry.target)
        else:
            path.write_bytes(entry.data)
            path.chmod(entry.mode)


def _see_from_inside(container: Container, path: str, here: Path) -> None:
    ours, theirs = here.stat(), stat(container, path)
    if theirs is None or (theirs.size, theirs.mtime_us) != (ours.st_size, ours.st_mtime_ns // 1000):
        raise ProxyError(
            f"container {container.name} does not see at {path} what was written to {here}",
            hint="mount the folder, not the file, and from the machine that runs the engine",
        )
