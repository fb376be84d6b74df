"""The old backend: the medical-imaging API on FastAPI, with SQL by hand."""

from __future__ import annotations

import json
import math
import os
import sqlite3
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, FastAPI, Header, HTTPException, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from cutover.demo import tokens
from cutover.demo.data import (
    BUSY_TIMEOUT_S,
    DATABASE_ENV,
    DEFAULT_PAGE_SIZE,
    MAX_NOTE_LENGTH,
    MAX_PAGE_SIZE,
    PASSWORD,
    user_role,
)

Modality = Literal["CT", "MG", "MR", "NM", "US", "XR"]
Status = Literal["cancelled", "completed", "in_progress", "reported", "scheduled"]
Sort = Literal["exam_id", "-exam_id", "scheduled_at", "-scheduled_at"]
Page = Annotated[int, Query(ge=1)]
PageSize = Annotated[int, Query(ge=1, le=MAX_PAGE_SIZE)]

SECRET = os.environ[tokens.SECRET_ENV]
BEARER = {"WWW-Authenticate": "Bearer"}

database = sqlite3.connect(os.environ[DATABASE_ENV], timeout=BUSY_TIMEOUT_S, isolation_level=None)
database.row_factory = sqlite3.Row
database.execute("PRAGMA synchronous = OFF")


_CONDITIONS = {
    "modality": "modality = :modality",
    "status": "status = :status",
    "q": "(instr(lower(exam_id), lower(:q)) OR instr(lower(description), lower(:q)))",
    "date_from": "scheduled_at >= :date_from",
    "date_to": "scheduled_at < :date_to",
}


class Credentials(BaseModel):
    username: str
    password: str


class NewTask(BaseModel):
    exam_id: str
    kind: Literal["measurement", "report", "segmentation", "triage"]
    priority: int = Field(default=3, ge=1, le=5)
    note: str | None = Field(default=None, max_length=MAX_NOTE_LENGTH)


async def caller(authorization: Annotated[str | None, Header()] = None) -> str | None:
    """The user of a token, None without one; a token that is not valid is refused everywhere."""
    if authorization is None:
        return None
    user = tokens.user_of_header(authorization, SECRET)
    if user is None:
        raise HTTPException(401, "Invalid token", BEARER)
    return user


async def signed_in(user: Annotated[str | None, Depends(caller)]) -> str:
    if user is None:
        raise HTTPException(401, "Not authenticated", BEARER)
    return user


User = Annotated[str, Depends(signed_in)]

app = FastAPI(title="Medical imaging", docs_url=None, redoc_url=None, redirect_slashes=False)
api = APIRouter(prefix="/api/v1", dependencies=[Depends(caller)])


@app.get("/health")
async def health() -> JSONResponse:
    (row,) = _rows("SELECT count(*) FROM studies")
    return JSONResponse({"status": "ok", "studies": row[0]})


@api.get("/studies/search")
async def search_studies(
    *,
    modality: Modality | None = None,
    status: Status | None = None,
    q: str | None = None,
    date_from: date | None = None,
    date_to: date | None = None,
    page: Page = 1,
    page_size: PageSize = DEFAULT_PAGE_SIZE,
    sort: Sort = "exam_id",
) -> JSONResponse:
    given = {
        "modality": modality,
        "status": status,
        "q": q or None,
        "date_from": date_from and str(date_from),
        "date_to": date_to and str(date_to + timedelta(days=1)),
    }
    conditions = [_CONDITIONS[name] for name, value in given.items() if value is not None]
    source = f"FROM studies WHERE {' AND '.join(conditions) or 'true'}"
    order = f"{sort.lstrip('-')} {'DESC' if sort.startswith('-') else 'ASC'}, exam_id"
    return _page(source, given, order, study_json, page=page, size=page_size)


@api.get("/studies/filters/options")
async def filter_options() -> JSONResponse:
    (dates,) = _rows("SELECT min(scheduled_at), max(scheduled_at) FROM studies")
    return JSONResponse(
        {
            "modalities": _choices("modality"),
            "statuses": _choices("status"),
            "body_parts": _choices("body_part"),
            "sites": _choices("site"),
            "scheduled": {"first": _iso(dates[0]), "last": _iso(dates[1])},
        }
    )


@api.get("/studies/{exam_id}")
async def one_study(exam_id: str) -> JSONResponse:
    return JSONResponse(study_json(_study(exam_id)))


@api.get("/tasks", dependencies=[Depends(signed_in)])
async def list_tasks(
    created_by: str | None = None, page: Page = 1, page_size: PageSize = DEFAULT_PAGE_SIZE
) -> JSONResponse:
    source = "FROM tasks WHERE created_by = :created_by" if created_by else "FROM tasks"
    return _page(source, {"created_by": created_by}, "id DESC", task_json, page=page, size=page_size)


@api.post("/tasks")
async def create_task(task: NewTask, user: User) -> JSONResponse:
    _study(task.exam_id)
    now = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    cursor = database.execute(
        "INSERT INTO tasks (exam_id, kind, priority, note, created_by, created_at)"
        " VALUES (:exam_id, :kind, :priority, :note, :user, :now)",
        {**task.model_dump(), "user": user, "now": str(now)},
    )
    (row,) = _rows("SELECT * FROM tasks WHERE id = :id", {"id": cursor.lastrowid})
    return JSONResponse(task_json(row), status_code=201)


@api.post("/auth/login")
async def login(credentials: Credentials) -> JSONResponse:
    role = user_role(credentials.username)
    if role is None or credentials.password != PASSWORD:
        raise HTTPException(401, "Incorrect username or password", BEARER)
    return JSONResponse(
        {
            "access_token": tokens.issue(credentials.username, SECRET),
            "token_type": "bearer",
            "expires_at": tokens.expires_at(),
            "user": {"username": credentials.username, "role": role},
        }
    )


@api.get("/auth/me")
async def me(user: User) -> JSONResponse:
    return JSONResponse({"username": user, "role": user_role(user)})


app.include_router(api)


@app.exception_handler(RequestValidationError)
async def invalid_request(_request: Request, error: RequestValidationError) -> JSONResponse:
    mistakes = []
    for found in error.errors():
        location = [str(part) for part in found["loc"][:2] if isinstance(part, str)]
        missing = found["type"] == "missing"
        mistakes.append(
            {
                "loc": location,
                "msg": "Field required" if missing else "Value is not valid",
                "type": "missing" if missing else "invalid",
            }
        )
    return JSONResponse({"detail": sorted(mistakes, key=lambda mistake: mistake["loc"])}, status_code=422)


def study_json(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "exam_id": row["exam_id"],
        "modality": row["modality"],
        "status": row["status"],
        "description": row["description"],
        "body_part": row["body_part"],
        "site": row["site"],
        "patient": {"id": row["patient_id"], "birth_year": row["birth_year"], "sex": row["sex"]},
        "images": {"series": row["series"], "instances": row["instances"], "size_mb": row["size_mb"]},
        "radiologist": row["radiologist"],
        "tags": json.loads(row["tags"]),
        "scheduled_at": _iso(row["scheduled_at"]),
        "completed_at": _iso(row["completed_at"]),
    }


def task_json(row: sqlite3.Row) -> dict[str, Any]:
    return {**dict(row), "created_at": _iso(row["created_at"])}


def _iso(stored: str | None) -> str | None:
    return stored and datetime.fromisoformat(stored).isoformat()


def _rows(sql: str, values: Mapping[str, Any] | None = None) -> list[sqlite3.Row]:
    return database.execute(sql, values or {}).fetchall()


def _choices(column: str) -> list[str]:
    sql = f"SELECT DISTINCT {column} FROM studies WHERE {column} IS NOT NULL ORDER BY 1"  # noqa: S608 - ours, above
    return [row[0] for row in _rows(sql)]


def _study(exam_id: str) -> sqlite3.Row:
    rows = _rows("SELECT * FROM studies WHERE exam_id = :exam_id", {"exam_id": exam_id})
    if not rows:
        raise HTTPException(404, f"Study {exam_id} not found")
    return rows[0]


def _page(
    source: str, values: Mapping[str, Any], order: str, told: Callable[[sqlite3.Row], Any], *, page: int, size: int
) -> JSONResponse:
    (counted,) = _rows(f"SELECT count(*) {source}", values)
    total, window = counted[0], {**values, "limit": size, "offset": (page - 1) * size}
    rows = _rows(f"SELECT * {source} ORDER BY {order} LIMIT :limit OFFSET :offset", window)
    return JSONResponse(
        {
            "items": [told(row) for row in rows],
            "total": total,
            "page": page,
            "page_size": size,
            "pages": math.ceil(total / size),
        }
    )
