"""The same API as FastAPI has it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Depends, FastAPI, Query
from fastapi.security import HTTPBasic
from pydantic import BaseModel, Field


class Series(BaseModel):
    uid: UUID
    images: int = Field(gt=0)


class NewStudy(BaseModel):
    patient: str = Field(max_length=100)
    modality: Literal["CT", "MR", "XR"]
    taken_at: datetime
    price: str
    note: str | None = None
    urgent: bool = False
    series: list[Series]


class Study(NewStudy):
    id: int


class Page(BaseModel):
    count: int
    next: str | None
    previous: str | None
    results: list[Study]


def document() -> dict[str, Any]:
    app = FastAPI(title="Studies", version="1", dependencies=[Depends(HTTPBasic())])

    @app.get("/api/v1/studies/")
    def studies(limit: Annotated[int, Query()] = 20, offset: Annotated[int, Query()] = 0) -> Page:
        raise NotImplementedError

    @app.get("/api/v1/studies/{study_id}/")
    def study(study_id: int) -> Study:
        raise NotImplementedError

    @app.post("/api/v1/studies/", status_code=201)
    def create(new: NewStudy) -> Study:
        raise NotImplementedError

    @app.delete("/api/v1/studies/{study_id}/", status_code=204)
    def delete(study_id: int) -> None:
        raise NotImplementedError

    return app.openapi()
