"""The demo's data: synthetic studies, users and an empty list of tasks, in one SQLite file that both backends share.

One store for both sides is what keeps a task that was created on old visible on new while traffic is split.
"""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

DATABASE_ENV = "CUTOVER_DEMO_DATABASE"

BUSY_TIMEOUT_S = 5.0

STUDY_COUNT = 360
USER_COUNT = 64
PASSWORD = "radiology"  # noqa: S105 - made up, for users who exist in the demo alone
MODALITIES = ("CT", "MG", "MR", "NM", "US", "XR")
STATUSES = ("cancelled", "completed", "in_progress", "reported", "scheduled")
TASK_KINDS = ("measurement", "report", "segmentation", "triage")
MAX_NOTE_LENGTH = 200
MAX_PAGE_SIZE = 100
DEFAULT_PAGE_SIZE = 20

_BODY_PARTS = ("abdomen", "chest", "head", "knee", "spine", None)
_SITES = ("north", "south", "west")
_TAGS = ("contrast", "follow-up", "paediatric", "second opinion", "urgent", "Übersicht")
_SEED = 20240229
_FIRST_DAY = datetime(2024, 1, 1, 8)  # noqa: DTZ001 - the API speaks local time without an offset

_SCHEMA = """
PRAGMA journal_mode = WAL;
CREATE TABLE studies (
    exam_id TEXT PRIMARY KEY, modality TEXT NOT NULL, status TEXT NOT NULL, description TEXT NOT NULL, body_part TEXT,
    site TEXT NOT NULL, patient_id TEXT NOT NULL, birth_year INTEGER, sex TEXT, series INTEGER NOT NULL,
    instances INTEGER NOT NULL, size_mb REAL, radiologist TEXT, tags TEXT NOT NULL,
    scheduled_at TEXT NOT NULL, completed_at TEXT
);
CREATE TABLE tasks (
    id INTEGER PRIMARY KEY AUTOINCREMENT, exam_id TEXT NOT NULL, kind TEXT NOT NULL, priority INTEGER NOT NULL,
    note TEXT, created_by TEXT NOT NULL, created_at TEXT NOT NULL
);
"""


def user_name(number: int) -> str:
    return f"user-{number % USER_COUNT:02}"


def user_role(name: str) -> str | None:
    """The role of a user, or None where there is no such user."""
    known = {user_name(number): number for number in range(USER_COUNT)}
    return ("radiologist", "technician")[known[name] % 2] if name in known else None


def exam_id(number: int) -> str:
    return f"EXAM-{number:04}"


def create_database(path: Path) -> None:
    """Write the studies; the same ones every time."""
    rows = list(_studies())
    columns = ", ".join(f":{column}" for column in rows[0])
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(_SCHEMA)
        connection.executemany(f"INSERT INTO studies VALUES ({columns})", rows)  # noqa: S608 - names of our own
        connection.commit()


def _studies() -> Iterator[dict[str, Any]]:
    """Rows whose keys are in the order of the columns."""
    draw = random.Random(_SEED)  # noqa: S311 - reproducible, not secret
    for number in range(1, STUDY_COUNT + 1):
        modality, status = draw.choice(MODALITIES), draw.choice(STATUSES)
        body_part, finished = draw.choice(_BODY_PARTS), status in {"completed", "reported"}
        scheduled_at = _FIRST_DAY + timedelta(minutes=15 * draw.randrange(24_000))
        series = draw.randint(1, 12)
        yield {
            "exam_id": exam_id(number),
            "modality": modality,
            "status": status,
            "description": f"{modality} {body_part or 'whole body'}, protocol {draw.randint(1, 9)}",
            "body_part": body_part,
            "site": draw.choice(_SITES),
            "patient_id": f"P-{draw.randrange(10_000):05}",
            "birth_year": draw.choice((None, draw.randint(1935, 2015))),
            "sex": draw.choice(("F", "M", None)),
            "series": series,
            "instances": series * draw.randint(20, 200),
            "size_mb": draw.choice((None, round(draw.uniform(4, 900), 2))),
            "radiologist": f"RAD-{draw.randint(1, 15):02}" if status == "reported" else None,
            "tags": json.dumps(sorted(draw.sample(_TAGS, draw.randint(0, 3)))),
            "scheduled_at": str(scheduled_at),
            "completed_at": str(scheduled_at + timedelta(minutes=draw.randint(5, 90))) if finished else None,
        }
