"""The journal's tables, and the database file itself."""

from __future__ import annotations

import errno
import os
import sqlite3
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cutover.errors import CutoverError
from cutover.files import FILE_MODE, file_trouble, make_private_folder, sync_folder

VERSION = 1
APPLICATION = 0x6375746F  # "cuto": whose database it is
BUSY_TIMEOUT_S = 10.0
_RETRY_S = 0.01

_TABLES = """
CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    plan TEXT NOT NULL,
    run TEXT NOT NULL,
    at REAL NOT NULL,
    kind TEXT NOT NULL,
    data TEXT NOT NULL
);
CREATE INDEX events_of_run ON events (plan, run, seq);
CREATE TRIGGER events_stay BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER events_last BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TABLE lock (
    plan TEXT PRIMARY KEY,
    held INTEGER NOT NULL,
    pid INTEGER NOT NULL,
    started REAL NOT NULL,
    host TEXT NOT NULL,
    user TEXT NOT NULL,
    command TEXT NOT NULL,
    since REAL NOT NULL,
    refreshed REAL NOT NULL,
    epoch INTEGER NOT NULL,
    machine TEXT NOT NULL,
    folder TEXT NOT NULL
);
CREATE TABLE snapshots (
    plan TEXT NOT NULL,
    run TEXT NOT NULL,
    version TEXT NOT NULL,
    seq INTEGER NOT NULL,
    state TEXT NOT NULL,
    PRIMARY KEY (plan, run)
);
"""


def writable(file: Path) -> bool:
    """Whether SQLite could write it: it needs its folder, too."""
    return os.access(file, os.W_OK) and os.access(file.parent, os.W_OK)


def refuse_unwritable(file: Path) -> None:
    if os.statvfs(file).f_flag & os.ST_RDONLY:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))
    if not writable(file):
        raise PermissionError(errno.EACCES, "it or its folder cannot be written")


def create_file(file: Path) -> None:
    """An empty file, mode 0600, durable; raises ``CutoverError``."""
    make_private_folder(file.parent)
    try:
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, FILE_MODE))
        sync_folder(file.parent)
    except OSError as error:
        raise file_trouble("make the journal", file, error) from error


def close_to_others(file: Path) -> None:
    """Mode 0600 for a journal of ours that is wider; SQLite gives its other files the same."""
    status = file.stat()
    if status.st_uid == os.geteuid() and status.st_mode & 0o077:
        file.chmod(FILE_MODE)


def connect(file: Path, *, read_only: bool) -> sqlite3.Connection:
    """Durable at every commit. Raises ``sqlite3.Error``, and ``CutoverError`` for a database that is not ours."""
    mode = "mode=rw"
    if read_only:
        # Without a log to read, a file in a folder that can't be written opens only as one that never changes.
        log = file.with_name(f"{file.name}-wal")
        mode = "mode=ro" if log.exists() and log.stat().st_size else "mode=ro&immutable=1"
    connection = sqlite3.connect(
        f"file:{quote(str(file), errors='surrogateescape')}?{mode}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=BUSY_TIMEOUT_S,
    )
    try:
        connection.execute("PRAGMA synchronous = FULL")
        _refuse_others(connection, file)
        if not read_only:
            _write_ahead(connection)
            _create_tables(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _refuse_others(connection: sqlite3.Connection, file: Path) -> None:
    """Before anything is changed: neither another program's database nor a newer cutover's."""
    version, application = _pragma(connection, "user_version"), _pragma(connection, "application_id")
    names = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    if application != APPLICATION and (names or version or application):
        raise CutoverError(
            f"{file} is a database of another program",
            "name another file with --store",
        )
    if version > VERSION:
        raise CutoverError(
            f"the journal {file} was written by a newer cutover (format {version}; this one knows {VERSION})",
            "use that version, or name another store with --store",
        )


def _write_ahead(connection: sqlite3.Connection) -> None:
    """SQLite doesn't wait for others when it changes this mode, so this does."""
    give_up = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            if _pragma(connection, "journal_mode") != "wal":
                connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > give_up:
                raise
            time.sleep(_RETRY_S)
        else:
            return


def _create_tables(connection: sqlite3.Connection) -> None:
    if _pragma(connection, "user_version"):
        return
    connection.execute("BEGIN IMMEDIATE")
    # Another process may have been first.
    if not _pragma(connection, "user_version"):
        for statement in _statements():
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")


def _pragma(connection: sqlite3.Connection, name: str) -> Any:
    return connection.execute(f"PRAGMA {name}").fetchone()[0]


def _statements() -> list[str]:
    """One by one: ``executescript`` would commit first."""
    statements, statement = [], ""
    for line in _TABLES.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            statements.append(statement)
            statement = ""
    return statements
