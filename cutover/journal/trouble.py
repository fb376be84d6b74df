"""What SQLite says, in words, with what to do."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cutover.errors import CutoverError

_FULL = "the disk is full"
_PRIMARY_CODE = 0xFF

_WORDS: dict[int, tuple[str, str]] = {
    sqlite3.SQLITE_BUSY: ("another process holds it and does not let go", "find it with: fuser -v {file}"),
    sqlite3.SQLITE_LOCKED: ("another process holds it and does not let go", "find it with: fuser -v {file}"),
    sqlite3.SQLITE_READONLY: ("it cannot be written", "check who owns it and how its file system is mounted"),
    sqlite3.SQLITE_CANTOPEN: ("it cannot be opened", "check who owns it and how its file system is mounted"),
    sqlite3.SQLITE_PERM: ("it cannot be opened", "check who owns it and how its file system is mounted"),
    sqlite3.SQLITE_FULL: (_FULL, "free some space on the disk of {file}"),
    sqlite3.SQLITE_IOERR: ("the disk failed", "look at the kernel's log, and name another place with --store"),
    sqlite3.SQLITE_CORRUPT: ("it is damaged", "move it away, and cutover begins a new one: mv {file} {file}.damaged"),
    sqlite3.SQLITE_NOTADB: ("it is no SQLite database", "name another file with --store, or move this one away"),
}


@contextmanager
def in_words(file: Path) -> Iterator[None]:
    """Raise what SQLite raises, and what damaged rows lead to, as ``CutoverError``."""
    try:
        yield
    except sqlite3.ProgrammingError:
        raise
    except (sqlite3.Error, json.JSONDecodeError) as error:
        raise told(error, file) from error


def told(error: Exception, file: Path) -> CutoverError:
    # A text that is no UTF-8, and data that is no JSON, come without a code: both are damage.
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & _PRIMARY_CODE
    if code in {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN} and _no_space(file):
        code = sqlite3.SQLITE_FULL
    words, hint = _WORDS.get(code, (str(error), "look at {file} with the sqlite3 tool"))
    return CutoverError(f"the journal {file} cannot be used: {words}", hint.format(file=file))


def _no_space(file: Path) -> bool:
    try:
        room = os.statvfs(file.parent)
    except OSError:
        return False
    return room.f_bavail == 0 or (room.f_files > 0 and room.f_favail == 0)
