"""Where requests come from, as plans write it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from cutover.parity.options import ComparedRequest, SavingRequest
from cutover.parity.sources.lines import read_requests
from cutover.plan.base import PlanModel

DEFAULT_LIMIT = 1000
MIN_SEQUENCE = 2

FileName = Annotated[str, Field(min_length=1)]


def _one_or_more(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Files = Annotated[
    list[FileName], Field(min_length=1), BeforeValidator(_one_or_more, json_schema_input_type=str | list[str])
]


class Documents(PlanModel):
    """OpenAPI documents: URL, file, or path on that side's backend. Without ``new``, old's path is tried on new."""

    old: FileName
    new: FileName | None = None

    @model_validator(mode="before")
    @classmethod
    def _of_old(cls, value: Any) -> Any:
        return {"old": value} if isinstance(value, str) else value


class Sources(PlanModel):
    """``limit`` bounds what is drawn from a document, a log and a HAR file together; what is listed is always asked."""

    requests_file: FileName | None = None
    openapi: Documents | None = None
    access_log: Files = Field(default_factory=list)
    har: Files = Field(default_factory=list)
    limit: Annotated[int, Field(ge=1)] = DEFAULT_LIMIT

    @field_validator("requests_file")
    @classmethod
    def _readable(cls, file: str | None) -> str | None:
        if file is not None:
            read_requests(Path(file))
        return file

    @property
    def drawn_from(self) -> list[str]:
        """The sources that are read only when it runs, for people."""
        documents = [self.openapi.old] if self.openapi else []
        named = {"OpenAPI document": documents, "access log": self.access_log, "HAR file": self.har}
        return [f"{what} {where}" for what, places in named.items() for where in places]

    def all_requests(self) -> list[ComparedRequest]:
        """Those that are written down: the file's, and the plan's own before them."""
        return read_requests(Path(self.requests_file)) if self.requests_file else []


class ComparedSources(Sources):
    """What is compared: requests from all sources, and sequences."""

    listed: list[ComparedRequest] = Field(default_factory=list, alias="requests")
    sequences: dict[str, list[SavingRequest]] = Field(default_factory=dict)

    @field_validator("sequences")
    @classmethod
    def _long_enough(cls, sequences: dict[str, list[SavingRequest]]) -> dict[str, list[SavingRequest]]:
        for name, requests in sequences.items():
            if len(requests) < MIN_SEQUENCE:
                message = f"the sequence {name!r} needs at least {MIN_SEQUENCE} requests; one alone belongs to requests"
                raise PydanticCustomError("diff", "{message}", {"message": message})
        return sequences

    def all_requests(self) -> list[ComparedRequest]:
        return [*self.listed, *super().all_requests()]
