"""A standard stream that is written past Python's buffers, so that a blocked or lost one hurts nobody else."""

from __future__ import annotations

import errno
import io
import os
import select
from typing import TextIO

LOST = frozenset({errno.EPIPE, errno.EIO, errno.ENXIO, errno.EBADF, errno.ECONNRESET, errno.ESHUTDOWN})


class Outlet(io.TextIOBase):
    """Collects text and writes it at ``flush``; raises ``OSError`` when that fails."""

    def __init__(self, stream: TextIO | None) -> None:
        super().__init__()
        self._stream = stream
        self._descriptor = _descriptor(stream)
        self._pending: list[str] = []
        if stream is not None:
            stream.flush()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return getattr(self._stream, "encoding", None) or "utf-8"

    def isatty(self) -> bool:
        return self._descriptor is not None and os.isatty(self._descriptor)

    def fileno(self) -> int:
        if self._descriptor is None:
            raise io.UnsupportedOperation("no descriptor")
        return self._descriptor

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self._pending.append(text)
        return len(text)

    def flush(self) -> None:
        text = "".join(self._pending)
        self._pending.clear()
        if self._descriptor is None:
            if self._stream is not None:
                self._stream.write(text)
                self._stream.flush()
            return
        data = text.encode(self.encoding, errors="backslashreplace")
        while data:
            try:
                data = data[os.write(self._descriptor, data) :]
            except BlockingIOError:
                # Somebody who shares the descriptor has made it non-blocking.
                select.select([], [self._descriptor], [])

    def is_lost(self) -> bool:
        """Whether the reader of a pipe, or the terminal, has gone: known without writing anything."""
        return self._descriptor is not None and is_lost(self._descriptor)

    def abandon(self) -> None:
        """Nobody reads any more: whatever else this process writes there goes nowhere, without an error."""
        self._pending.clear()
        if self._descriptor is None:
            return
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, self._descriptor)
        os.close(null)


def is_lost(descriptor: int) -> bool:
    """Whether nobody is at the other end any more."""
    poll = select.poll()
    poll.register(descriptor, 0)
    return any(events & (select.POLLERR | select.POLLHUP | select.POLLNVAL) for _, events in poll.poll(0))


def _descriptor(stream: TextIO | None) -> int | None:
    try:
        return None if stream is None else stream.fileno()
    except (OSError, ValueError):
        return None
