"""Reading a log that grows, is rotated, truncated or made anew: only what is new, and nothing twice."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cutover.errors import ProxyError
from cutover.hosts.base import LogCursor, LogRead

DIGEST_OF_BYTES = 512
"""More than a line of the access log: its time is in it, so that no two ends are the same."""
LONGEST_LINE_BYTES = 64 * 1024
MAX_ROTATED = 4
MOST_NUMBERED = 9999
"""A higher number behind the name of a rotated log is a date."""
_COMPRESSED = (".gz", ".bz2", ".xz", ".zst")


@dataclass(frozen=True)
class Entry:
    """A file. ``file`` is its inode, 0 where that is not known; ``size`` in bytes."""

    file: int
    size: int


class LogFiles(Protocol):
    """Where logs lie. All of it may raise ``OSError`` or ``ProxyError``."""

    def look(self, path: str) -> Entry | None:
        """The file at ``path``; None where there is none."""
        ...

    def read(self, path: str, offset: int, limit: int) -> bytes: ...

    def rotated(self, path: str) -> list[str]:
        """Files that may be earlier ones of this log, the latest first."""
        ...


def end(files: LogFiles, path: str) -> LogCursor:
    """Behind the last whole line; at the beginning where there is no log yet."""
    with _told(path):
        entry = files.look(path)
        if entry is None:
            return LogCursor()
        start = max(0, entry.size - LONGEST_LINE_BYTES)
        return _at(files, path, entry, start + files.read(path, start, entry.size - start).rfind(b"\n") + 1)


def read_on(files: LogFiles, path: str, cursor: LogCursor, limit: int) -> LogRead:
    """Whole lines behind the cursor, at most ``limit`` bytes. One without a digest may stand within a line.

    Of a log that was rotated, first what was left of the earlier file. One that was truncated is read from its
    beginning. Raises ``ProxyError`` where there is no log.
    """
    with _told(path):
        return _read_on(files, path, cursor, limit)


def _read_on(files: LogFiles, path: str, cursor: LogCursor, limit: int) -> LogRead:
    entry = files.look(path)
    if entry is not None and (read := _go_on(files, path, entry, cursor, limit)) is not None:
        return read
    rest = _rest_of_rotated(files, path, cursor, limit)
    if rest is not None and (rest.data or entry is None or entry.size == 0):
        return LogRead(rest.data, rest.cursor, rest.behind + (entry.size if entry else 0))
    if entry is None:
        raise ProxyError(
            f"there is no access log at {path}",
            hint="nginx makes it when it reads its configuration, or is told to with nginx -s reopen",
        )
    anew = _go_on(files, path, entry, LogCursor(entry.file), limit)
    assert anew is not None  # noqa: S101 - the beginning of a file is always in it
    lost = rest is None and cursor.offset > 0
    return LogRead(anew.data, anew.cursor, anew.behind, "the log was truncated or made anew" if lost else "")


def _go_on(files: LogFiles, path: str, entry: Entry, cursor: LogCursor, limit: int) -> LogRead | None:
    """What follows the cursor in this file; None where the cursor is not of this file."""
    if cursor.offset == 0 and cursor.file not in {0, entry.file}:
        return None
    if entry.size < cursor.offset:
        return None
    if cursor.offset and not cursor.digest:
        if cursor.file != entry.file:
            return None
        cursor = _next_line(files, path, entry, cursor.offset)
    start = max(0, cursor.offset - DIGEST_OF_BYTES)
    known = cursor.offset - start
    content = files.read(path, start, known + limit)
    if cursor.offset and _digest(content[:known]) != cursor.digest:
        return None
    whole = content.rfind(b"\n") + 1
    if whole <= known:
        # A line that does not fit is given up in parts, which nobody can read; one that is not whole yet can wait.
        whole = len(content) if len(content) == known + limit else known
    offset = start + whole
    behind = max(0, entry.size - offset) if len(content) == known + limit else 0
    digest = _digest(content[:whole][-DIGEST_OF_BYTES:])
    return LogRead(content[known:whole], LogCursor(entry.file, offset, digest), behind)


def _next_line(files: LogFiles, path: str, entry: Entry, offset: int) -> LogCursor:
    """The first line that begins there or behind."""
    ended = files.read(path, offset - 1, LONGEST_LINE_BYTES).find(b"\n")
    return _at(files, path, entry, offset + max(0, ended))


def _at(files: LogFiles, path: str, entry: Entry, offset: int) -> LogCursor:
    before = max(0, offset - DIGEST_OF_BYTES)
    return LogCursor(entry.file, offset, _digest(files.read(path, before, offset - before)))


def _rest_of_rotated(files: LogFiles, path: str, cursor: LogCursor, limit: int) -> LogRead | None:
    if cursor == LogCursor():
        return None
    rotated = files.rotated(path)
    for position, earlier in enumerate(rotated):
        entry = files.look(earlier)
        if entry is None or (cursor.offset == 0 and entry.file != cursor.file):
            continue
        if (read := _go_on(files, earlier, entry, cursor, limit)) is not None:
            return read if read.data else _of_next(files, path, earlier, rotated[:position], limit) or read
    return None


def _of_next(files: LogFiles, path: str, earlier: str, later: Sequence[str], limit: int) -> LogRead | None:
    """A log that was rotated twice since goes on in ``.1`` behind ``.2``, or in what was named after a later date."""
    number = earlier.removeprefix(f"{path}.")
    if number.isdecimal() and int(number) <= MOST_NUMBERED:
        following = f"{path}.{int(number) - 1}"
    else:
        following = later[-1] if later else ""
    entry = files.look(following) if following in later else None
    return None if entry is None else _go_on(files, following, entry, LogCursor(entry.file), limit)


@contextmanager
def _told(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ProxyError(
            f"{error.filename or path} can't be read: {error.strerror}", hint="run cutover as a user that may read it"
        ) from error


def _digest(tail: bytes) -> str:
    return hashlib.blake2b(tail, digest_size=8).hexdigest()


class LocalLogs:
    """Implements ``LogFiles`` for this machine."""

    def look(self, path: str) -> Entry | None:
        try:
            known = Path(path).stat()
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(known.st_mode):
            raise ProxyError(f"{path} is no file that can be read again", hint="let nginx log into a file")
        return Entry(known.st_ino, known.st_size)

    def read(self, path: str, offset: int, limit: int) -> bytes:
        with Path(path).open("rb") as file:
            return os.pread(file.fileno(), limit, offset)

    def rotated(self, path: str) -> list[str]:
        log = Path(path)
        beside = [
            entry
            for entry in os.scandir(log.parent)
            if entry.name.startswith((f"{log.name}.", f"{log.name}-", f"{log.stem}-", f"{log.stem}."))
            and entry.name != log.name
            and entry.is_file()
            and not entry.name.endswith(_COMPRESSED)
        ]
        latest = sorted(beside, key=lambda entry: entry.stat().st_mtime, reverse=True)
        return [entry.path for entry in latest[:MAX_ROTATED]]
