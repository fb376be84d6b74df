"""The history of runs, and the lock: see ``base`` for the contract."""

from __future__ import annotations

from cutover.journal.lock import PlanLock
from cutover.journal.memory import MemoryJournal, NoLock, journal_for_rollback, steal_for_rollback
from cutover.journal.sqlite import SqliteJournal, open_journal

__all__ = [
    "MemoryJournal",
    "NoLock",
    "PlanLock",
    "SqliteJournal",
    "journal_for_rollback",
    "open_journal",
    "steal_for_rollback",
]
