"""Runs the command line and kills it with SIGKILL at the Nth event: ``killed.py before|after N ARGS...``.

``before`` dies with the event not yet in the journal, ``after`` with the event durable and nothing done since.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
from typing import Any

from cutover.cli import main
from cutover.journal.sqlite import SqliteJournal

when, nth = sys.argv[1], int(sys.argv[2])
sys.argv = ["cutover", *sys.argv[3:]]
counter = itertools.count(1)
append = SqliteJournal.append


def append_and_die(self: SqliteJournal, *args: Any, **kwargs: Any) -> Any:
    number = next(counter)
    if number == nth and when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    recorded = append(self, *args, **kwargs)
    if number == nth:
        os.kill(os.getpid(), signal.SIGKILL)
    return recorded


SqliteJournal.append = append_and_die  # type: ignore[method-assign]
main()
