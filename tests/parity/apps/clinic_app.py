"""A clinic's API as FastAPI documents it: nested resources, envelopes, enums. Run with a listening descriptor."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

import uvicorn
from fastapi import FastAPI, Header, HTTPException, Path, Query
from pydantic import BaseModel

app = FastAPI()

PATIENTS = [{"id": n, "name": f"Patient {n}"} for n in range(1, 6)]
STUDIES = {4: [{"study_uid": f"1.2.840.{n}", "patient_id": 4} for n in range(1, 3)]}
REPORTS = [{"uuid": f"0e0f3c1e-6b0f-4e0e-8a3a-2f3f6f0d9a1{n}", "slug": f"report-{n}"} for n in range(3)]


class Modality(StrEnum):
    CT = "CT"
    MR = "MR"
    US = "US"


class Note(BaseModel):
    text: str


@app.get("/patients")
def patients(page: int = 1, *, active: bool | None = None) -> dict[str, Any]:
    return {"count": len(PATIENTS), "results": PATIENTS}


@app.get("/patients/{patient_id}")
def patient(patient_id: int) -> dict[str, Any]:
    return PATIENTS[patient_id - 1]


@app.get("/patients/{pid}/studies")
def studies(pid: int) -> dict[str, Any]:
    return {"items": STUDIES.get(pid, [])}


@app.get("/patients/{pid}/studies/{sid}")
def study(pid: int, sid: str) -> dict[str, Any]:
    for one in STUDIES.get(pid, []):
        if one["study_uid"] == sid:
            return one
    raise HTTPException(404)


@app.get("/reports")
def reports() -> list[dict[str, Any]]:
    return REPORTS


@app.get("/reports/{report_id}")
def report(report_id: UUID) -> dict[str, Any]:
    return next(one for one in REPORTS if one["uuid"] == str(report_id))


@app.get("/search")
def search(q: Annotated[str, Query(examples=["knee"])], modality: Modality | None = None) -> list[str]:
    return [q, modality or ""]


@app.get("/modalities/{modality}")
def modality(modality: Modality) -> str:
    return modality


@app.get("/exports/{export_id}")
def export(export_id: Annotated[str, Path(examples=["weekly"])]) -> str:
    return export_id


@app.get("/devices/{device_id}")
def device(device_id: int) -> int:
    return device_id


@app.get("/locked")
def locked() -> None:
    raise HTTPException(401)


@app.get("/locked/{locked_id}")
def locked_one(locked_id: int) -> int:
    return locked_id


@app.get("/tenants")
def tenants(x_tenant: Annotated[str, Header(examples=["demo"])]) -> str:
    return x_tenant


@app.get("/signed")
def signed(access_token: str) -> str:
    return access_token


@app.post("/patients/{patient_id}/notes", status_code=201)
def note(patient_id: int, note: Note) -> Note:
    return note


if __name__ == "__main__":
    uvicorn.run(app, fd=int(sys.argv[1]), log_level="warning")
