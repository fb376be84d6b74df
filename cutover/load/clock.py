"""When data arrived, as well as one process can know it."""

from __future__ import annotations

import select
import selectors
from time import perf_counter


class Clock(selectors.EpollSelector):
    """A selector that notes when its caller learned of events, and since when they may have been waiting.

    All readings are of ``time.perf_counter``, in seconds. Events that were there at once had arrived at any moment
    since the previous call returned (``earliest``); for those that had to be waited for, that moment is now.
    """

    def __init__(self) -> None:
        super().__init__()
        self.woke = self.earliest = perf_counter()
        self.idle = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0)
        before, previous = perf_counter(), self.woke
        if events or timeout == 0:
            self.woke, self.earliest = before, previous
            return events
        if timeout is not None:
            # epoll waits whole milliseconds, and arrivals of a rate are due in between.
            select.select([self.fileno()], [], [], timeout)
            timeout = 0
        events = super().select(timeout)
        self.woke = self.earliest = perf_counter()
        self.idle += self.woke - before
        return events
