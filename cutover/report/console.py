"""The sink of the command line. A thread of its own does the writing: a terminal that is stopped (Ctrl-S, a stalled
connection) must not stop the gates.
"""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from cutover.engine import events as e
from cutover.engine.state import RunState
from cutover.journal.base import Recorded
from cutover.redact import redact
from cutover.report.narrator import Narrator
from cutover.report.outlet import LOST
from cutover.report.views import View

TICK_S = 0.125
CLOSE_TIMEOUT_S = 2.0

Shown = tuple[Recorded, e.Event, RunState]


class Console:
    """Hands events to its views, which are made with the first event. Never raises; ``on_lost`` is called once, from
    another thread, when the reader of an outlet has gone, and nothing is shown from then on.
    """

    def __init__(self, views: Callable[[], Sequence[View]], narrator: Narrator) -> None:
        self.on_lost: Callable[[], None] = lambda: None
        self._make_views = views
        self._views: Sequence[View] = ()
        self._narrator = narrator
        self._queue: queue.SimpleQueue[Shown | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._silent = False
        self._trouble = ""

    @property
    def folder_of(self) -> Callable[[str], Path] | None:
        """Where the artifacts of a run are; told when a command ends."""
        return self._narrator.folder_of

    @folder_of.setter
    def folder_of(self, folder_of: Callable[[str], Path] | None) -> None:
        self._narrator.folder_of = folder_of

    def handle(self, recorded: Recorded, event: e.Event, state: RunState) -> None:
        if self._silent:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="console", daemon=True)
            self._thread.start()
        self._queue.put((recorded, event, state))

    def close(self) -> None:
        """Show what is still to be shown, within a time limit, and leave the terminal as it was found."""
        if self._thread is None:
            return
        self._queue.put(None)
        self._thread.join(CLOSE_TIMEOUT_S)
        self._silent = True
        if self._trouble:
            with suppress(OSError):
                print(redact(f"warning: not all was shown: {self._trouble}"), file=sys.stderr)  # noqa: T201
            self._trouble = ""

    def _work(self) -> None:
        try:
            self._views = self._make_views()
            try:
                self._serve()
            finally:
                for view in self._views:
                    view.end()
        except OSError as error:
            self._fail(error)
        except Exception as error:  # noqa: BLE001 - a mistake in what is shown must not end a run; close() tells it
            self._trouble = f"{type(error).__name__}: {error}"
        self._silent = True

    def _serve(self) -> None:
        next_tick = time.monotonic()
        while True:
            try:
                item = self._queue.get(timeout=max(0.0, next_tick - time.monotonic()))
            except queue.Empty:
                self._tick()
                next_tick = time.monotonic() + TICK_S
                continue
            if item is None:
                return
            for view in self._views:
                view.show(*item)

    def _tick(self) -> None:
        """A lost reader is noticed also while there is nothing to write."""
        if any(view.outlet.is_lost() for view in self._views):
            raise BrokenPipeError
        for view in self._views:
            view.tick()

    def _fail(self, error: OSError) -> None:
        if not isinstance(error, BrokenPipeError) and error.errno not in LOST:
            self._trouble = str(error)
            return
        for view in self._views:
            if view.outlet.is_lost():
                view.outlet.abandon()
        self.on_lost()
