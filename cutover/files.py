"""Files that are whole or absent, on the disk when a call returns, and closed to others."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from cutover.errors import CutoverError

FOLDER_MODE = 0o700
FILE_MODE = 0o600

_HINTS = {
    errno.ENOSPC: "the disk is full: free some space there",
    errno.EDQUOT: "the disk quota is used up: free some space there",
    errno.EROFS: "the file system is read-only: remount it, or name another place with --store",
    errno.EACCES: "check who owns it: cutover runs as the user who started the run",
    errno.EPERM: "check who owns it: cutover runs as the user who started the run",
    errno.ENOTDIR: "a part of that path is a file",
    errno.EEXIST: "a file of that name is in the way",
}


def file_trouble(doing: str, path: Path, error: OSError) -> CutoverError:
    """An ``OSError`` in words, as in ``cannot write /x: No space left on device``."""
    return CutoverError(f"cannot {doing} {path}: {error.strerror or error}", _HINTS.get(error.errno or 0))


def make_private_folder(path: Path, *, close: bool = False) -> None:
    """Create a folder, and those missing above it, with mode 0700; with ``close`` an existing one gets it, too."""
    try:
        for folder in reversed([path, *path.parents]):
            if not folder.is_dir():
                folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
        if close and path.stat().st_mode & 0o777 != FOLDER_MODE:
            path.chmod(FOLDER_MODE)
    except OSError as error:
        raise file_trouble("make the folder", path, error) from error


def write_private(path: Path, text: str) -> None:
    """Write a file whole, exactly as given, mode 0600, and durable: temporary file, fsync, rename, fsync of the folder.

    Its folder is made if it is missing. Raises ``CutoverError``; whatever stood at ``path`` is then as it was.
    """
    make_private_folder(path.parent)
    temporary = path.with_name(f".{path.name[:100]}.{os.urandom(6).hex()}")
    try:
        try:
            _write_through(temporary, text.encode(errors="surrogateescape"))
            temporary.replace(path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)
    except OSError as error:
        raise file_trouble("write", path, error) from error


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_through(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, FILE_MODE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)
