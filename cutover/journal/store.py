"""Where a plan's journal is: the store's URL as a file, and the plan's state folder beside it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from cutover.errors import UsageError
from cutover.paths import StateFolder, state_home

JOURNAL_NAME = "journal.db"
FILE_SUFFIXES = (".db", ".sqlite", ".sqlite3")
FORMS = "name a folder, a file ending in .db, or sqlite:///absolute/path/journal.db"

# SQLite's locks and shared memory do not hold between machines: https://sqlite.org/wal.html, "same host computer".
NETWORK_FILE_SYSTEMS = re.compile(
    r"9p|afs|beegfs|ceph|cifs|davfs|gfs2|glusterfs|gpfs|lustre|ncpfs|nfs4?|ocfs2|orangefs|smb3|smbfs"
    r"|fuse\.(ceph|davfs|gcsfuse|glusterfs|goofys|mfs|rclone|s3fs|smb|ssh).*"
)
MOUNTS = Path("/proc/self/mounts")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")


@dataclass(frozen=True)
class Location:
    """The database file, and the state folder of one plan. ``folder.path`` is the file's own folder by default."""

    file: Path
    folder: StateFolder


def locate(store: str | None, plan: str) -> Location:
    """Where ``store`` keeps the journal of ``plan``; touches nothing. Raises ``UsageError``."""
    if not plan or "/" in plan or plan.startswith("."):
        raise UsageError(f"{plan!r} is not a plan name", "write [a-z][a-z0-9-]*, as in medical-api")
    if not store:
        folder = state_home() / plan
        return Location(folder / JOURNAL_NAME, StateFolder(folder))
    path = _path(store).expanduser().absolute()
    if path.suffix in FILE_SUFFIXES:
        return Location(path, StateFolder(path.with_name(f"{path.name}.d") / plan))
    return Location(path / JOURNAL_NAME, StateFolder(path / plan))


def refuse_network(file: Path, mounts: Path = MOUNTS) -> None:
    """Raise ``UsageError`` where the file lies, or would lie, on a network file system."""
    kind = file_system(file, mounts)
    if NETWORK_FILE_SYSTEMS.fullmatch(kind):
        raise UsageError(
            f"{file} is on a network file system ({kind}), where SQLite's locks do not hold",
            "name a folder on a local disk with --store or CUTOVER_STORE",
        )


def file_system(path: Path, mounts: Path = MOUNTS) -> str:
    """The type of the file system that holds a path, which need not exist; empty where the system doesn't tell."""
    if not mounts.exists():
        return ""
    resolved, found, depth = path.resolve(), "", -1
    for line in mounts.read_text(errors="surrogateescape").splitlines():
        _, point, kind, *_ = line.split(" ")
        mount = Path(re.sub(r"\\(\d{3})", lambda m: chr(int(m.group(1), 8)), point))
        # A later mount on the same folder covers the earlier one.
        if resolved.is_relative_to(mount) and len(mount.parts) >= depth:
            found, depth = kind, len(mount.parts)
    return found


def _path(store: str) -> Path:
    scheme = _SCHEME.match(store)
    if scheme is None:
        if store.startswith(":"):
            raise UsageError(f"the store {store!r} would not outlive this process", FORMS)
        return Path(store)
    if scheme.group(1).lower() not in {"sqlite", "file"}:
        raise UsageError(f"the store {store!r} has an unknown scheme {scheme.group(1)!r}", FORMS)
    url = urlsplit(store)
    if url.netloc not in {"", "localhost"} or url.query or url.fragment:
        raise UsageError(f"the store {store!r} is more than a path", FORMS)
    return _url_path(store, unquote(url.path))


def _url_path(store: str, path: str) -> Path:
    """Absolute, as URLs are, but for ``/./`` and ``/../`` in front, which some tools write for a relative path."""
    if path in {"", "/", "/:memory:"}:
        raise UsageError(f"the store {store!r} names no file", FORMS)
    if path.startswith(("/./", "/../")):
        return Path(path[1:])
    if re.fullmatch(r"/[^/]+", path):
        name = path[1:]
        raise UsageError(f"the store {store!r} could mean /{name} or ./{name}", f"write /{name} or ./{name}")
    return Path("/" + path.lstrip("/")) if path.startswith("/") else Path(path)
