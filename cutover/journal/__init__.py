"""The history of runs, and the lock: see ``base`` for the contract."""

from __future__ import annotations

from cutover.journal.lock import PlanLock, exclusive
from cutover.journal.memory import MemoryJournal
from cutover.journal.sqlite import SqliteJournal, known_plans, open_journal

__all__ = ["MemoryJournal", "PlanLock", "SqliteJournal", "exclusive", "known_plans", "open_journal"]
