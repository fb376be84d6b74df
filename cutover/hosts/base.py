"""Where a proxy lives: what cutover can read, write, signal and run there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from cutover.errors import ProxyError


@dataclass(frozen=True)
class Tested:
    """What ``nginx -t`` said. ``output`` names the lines of the new file, not those of its scratch copy."""

    ok: bool
    output: str
    passed_to: frozenset[str] = frozenset()
    """What requests are passed to (``proxy_pass`` and its kin) by other files than the one under test."""


@dataclass(frozen=True)
class Workers:
    """Process ids of the proxy's workers: those that accept connections, and those that are shutting down."""

    active: frozenset[int] = field(default_factory=frozenset)
    draining: frozenset[int] = field(default_factory=frozenset)


@dataclass(frozen=True)
class LogCursor:
    """How far a log was read: in which file (its inode; 0: none yet, or not known), to which byte.

    ``digest`` is of what stands before that byte: another file, or one that was truncated, has something else there.
    """

    file: int = 0
    offset: int = 0
    digest: str = ""


@dataclass(frozen=True)
class LogRead:
    """Whole lines, and how many bytes of the log are still ``behind`` them. ``note``: why some may be missing."""

    data: bytes
    cursor: LogCursor
    behind: int = 0
    note: str = ""


class Host(Protocol):
    """One machine or container with an nginx. Paths are paths over there. Everything raises ``ProxyError``.

    Every call has a time limit of its own and never waits for ever.
    """

    async def running(self) -> bool:
        """Whether the proxy's master process is up."""
        ...

    async def orphans(self) -> frozenset[int]:
        """Workers that serve on though their master is gone, as far as that can be told; none where it is up."""
        ...

    async def absence(self) -> ProxyError | None:
        """Why it does not run, with the command that starts it, for whoever wants to raise it; None where it runs."""
        ...

    async def start(self) -> None:
        """Start the proxy where that is ours to do (managed); elsewhere raise with the command that would."""
        ...

    async def stop(self) -> None:
        """Stop what ``start`` started."""
        ...

    async def version(self) -> tuple[int, int, int]: ...

    async def read(self, path: str) -> str | None:
        """The text of a file, or None where there is none."""
        ...

    async def replace(self, path: str, text: str) -> None:
        """Write a file whole: temporary name beside it (never ``*.conf``), fsync, rename."""
        ...

    async def rename(self, source: str, path: str) -> None:
        """Put an already written file in place of another: what still works on a full disk."""
        ...

    async def remove(self, path: str) -> None:
        """Remove a file or a link if it is there."""
        ...

    async def test(self, path: str, text: str | None) -> Tested:
        """``nginx -t`` over a scratch copy of it all, in which ``path`` has ``text`` (None: is absent)."""
        ...

    async def reload(self) -> None:
        """Signal the master to read its configuration anew; returns at once."""
        ...

    async def workers(self) -> Workers: ...

    async def log_mark(self) -> object:
        """A mark in the error log, for ``emergencies``."""
        ...

    async def emergencies(self, mark: object) -> list[str]:
        """``[emerg]`` lines logged since the mark."""
        ...

    async def log_tail(self, lines: int) -> dict[str, str]:
        """The ends of the proxy's logs by name, for the artifacts."""
        ...

    async def log_end(self, path: str) -> LogCursor:
        """Where the log at ``path`` ends now; also where there is none yet."""
        ...

    async def read_log(self, path: str, cursor: LogCursor, limit: int) -> LogRead:
        """What was logged behind the cursor, at most ``limit`` bytes; through rotation and truncation."""
        ...

    async def write_tree(self, folder: str, files: Mapping[str, str]) -> None:
        """Make a folder with these files, readable to the workers, all or nothing; an existing one is left alone."""
        ...

    async def put_files(self, folder: str, files: Mapping[str, str], gone: Iterable[str] = ()) -> None:
        """Put small files into a folder that is there, readable to the workers, then remove others. Not for keeping:
        a power cut may take them.
        """
        ...

    async def link(self, path: str, target: str) -> None:
        """Point a symbolic link elsewhere, in one rename where the place allows it."""
        ...
