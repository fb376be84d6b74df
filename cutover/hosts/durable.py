"""Files that are there whole or not at all, also after a power cut."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from cutover.files import sync_folder

# A leading dot keeps it out of "include conf.d/*.conf" and of "include sites-enabled/*" alike.
_TEMPORARY = ".{name}.cutover-new"


def write(path: Path, text: str, mode: int = 0o600) -> None:
    """Replace a file whole; one that is there keeps its mode and owner. Raises ``OSError``."""
    path = path.resolve()
    temporary = path.with_name(_TEMPORARY.format(name=path.name))
    temporary.unlink(missing_ok=True)
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            _take_over_owner(descriptor, path, mode)
            os.fsync(descriptor)
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def rename(source: Path, path: Path) -> None:
    """Put an already written file in place of another."""
    path = path.resolve()
    source.replace(path)
    sync_folder(path.parent)


def remove(path: Path) -> None:
    """Remove a file or a link if it is there."""
    path.unlink(missing_ok=True)
    if path.parent.is_dir():
        sync_folder(path.parent)


def link(path: Path, target: str) -> None:
    """Point a symbolic link elsewhere in one rename."""
    temporary = path.with_name(_TEMPORARY.format(name=path.name))
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    temporary.replace(path)
    sync_folder(path.parent)


def tree(folder: Path, files: Mapping[str, str]) -> None:
    """Make a folder with these files, readable to all, in one rename; an existing one is left alone."""
    if folder.is_dir():
        return
    _make_open(folder.parent)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        for name, text in files.items():
            descriptor = os.open(temporary / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
            os.fchmod(descriptor, 0o644)
            if text:
                os.write(descriptor, text.encode())
            os.close(descriptor)
        temporary.chmod(0o755)
        temporary.rename(folder)
    except OSError:
        shutil.rmtree(temporary, ignore_errors=True)
        if not folder.is_dir():
            raise


def put(folder: Path, files: Mapping[str, str], gone: Iterable[str]) -> None:
    """Put files into a folder, each whole and readable to all, then remove others; a power cut may take them."""
    for name, text in files.items():
        temporary = folder / _TEMPORARY.format(name=name)
        temporary.write_text(text, encoding="utf-8")
        temporary.chmod(0o644)
        temporary.replace(folder / name)
    for name in gone:
        (folder / name).unlink(missing_ok=True)


def _make_open(folder: Path) -> None:
    """Make a folder and those missing above it, for all to search, whatever the umask."""
    for step in [*reversed(folder.parents), folder]:
        if not step.is_dir():
            step.mkdir(exist_ok=True)
            step.chmod(0o755)


def _take_over_owner(descriptor: int, path: Path, mode: int) -> None:
    try:
        known = path.stat()
    except FileNotFoundError:
        os.fchmod(descriptor, mode)
        return
    os.fchmod(descriptor, known.st_mode & 0o7777)
    if (known.st_uid, known.st_gid) != (os.geteuid(), os.getegid()):
        os.fchown(descriptor, known.st_uid, known.st_gid)
