"""A small API as FastAPI writes it. Run with the descriptor of a listening socket."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import uvicorn
from fastapi import FastAPI, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel

app = FastAPI()
ZONE = timezone(timedelta(hours=2))


class Task(BaseModel):
    title: str
    minutes: int


class Row(BaseModel):
    id: int
    price: Decimal
    score: float
    note: str | None = None
    taken_at: datetime


ROWS = [
    Row(
        id=n, price=Decimal("10.50"), score=n, note=None if n % 2 else "x",
        taken_at=datetime(2024, 5, 1, 12, 0, n, 123456, ZONE),
    )
    for n in range(1, 8)
]  # fmt: skip


@app.get("/rows/")
def rows() -> list[Row]:
    return ROWS


@app.get("/rows/{row}")
def row(row: int) -> Row:
    return ROWS[row - 1]


@app.post("/tasks/", status_code=201)
def create(task: Task) -> Task:
    return task


@app.get("/same/")
def same() -> dict[str, Any]:
    return {"a": 1, "b": [1.0, "é", None, True]}


@app.get("/login/")
def login(response: Response) -> dict[str, Any]:
    response.set_cookie("sid", "from-fastapi", httponly=True, secure=True, samesite="lax", path="/")
    return {"ok": True}


class Sparse(BaseModel):
    name: str
    note: str | None = None


@app.get("/sparse/", response_model_exclude_none=True)
def sparse() -> Sparse:
    return Sparse(name="a")


@app.get("/naive/")
def naive() -> dict[str, datetime]:
    return {"at": datetime(2024, 5, 1, 12)}  # noqa: DTZ001 - what this is about


@app.get("/spelled/")
def spelled() -> dict[str, Any]:
    return {"ten": 10, "much": 1e16, "word": "é", "at": datetime(2024, 5, 1, 12, tzinfo=ZONE)}


@app.get("/zipped/")
def zipped() -> list[str]:
    return ["much of the same"] * 50


@app.get("/moved/")
def moved() -> RedirectResponse:
    return RedirectResponse("/same/", 302)


@app.get("/order/")
def order() -> list[dict[str, int]]:
    return [{"id": n} for n in (1, 2, 3)]


if __name__ == "__main__":
    uvicorn.run(app, fd=int(sys.argv[1]), log_level="warning")
