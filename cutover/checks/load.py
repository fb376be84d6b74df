"""The check ``load``: many clients at once, and thresholds on what they saw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from cutover.checks.base import BackendName, Check, CheckContext, Result
from cutover.checks.http import Status
from cutover.plan.request import Request
from cutover.plan.thresholds import METRICS, Threshold, parse_threshold
from cutover.plan.units import Duration, format_duration

DEFAULT_DURATION_S = 10.0
UNMEASURED = frozenset({"share", "mismatches"})


class LoadRequest(Request):
    """A request with the answers that are no errors: any status under 400, unless ``status`` says otherwise."""

    status: Status | None = None


class Load(Check):
    """Keep many clients asking a backend, each one request after another, and judge what they saw.

        load: {backend: new, concurrency: 100, for: 30s, thresholds: ["errors == 0%", "p95 <= 500ms"]}

    It lasts ``for`` so long, or for ``count`` requests. ``requests`` are the safe ones of the plan's ``diff`` steps
    unless given. With a threshold against ``old``, old is loaded in turns for the same time. ``timeout`` is per request.
    """

    backend: BackendName
    concurrency: int = Field(default=10, ge=1, le=10_000)
    for_: Duration | None = Field(default=None, alias="for")
    count: int | None = Field(default=None, ge=1)
    asked: list[LoadRequest] | None = Field(default=None, alias="requests", min_length=1)
    warm_up: Duration = 0.0
    timeout: Duration = 10.0
    thresholds: list[Threshold] = Field(default=[parse_threshold("errors == 0%")], min_length=1)

    @field_validator("for_", "timeout")
    @classmethod
    def _some_time(cls, value: float | None) -> float | None:
        if value == 0:
            raise PydanticCustomError("load", "no time at all: nothing could be measured")
        return value

    @field_validator("asked")
    @classmethod
    def _unsafe_is_said(cls, asked: list[LoadRequest] | None) -> list[LoadRequest] | None:
        for request in asked or ():
            if not (request.safe or request.unsafe):
                message = f"{request}: may change data, many times over: say unsafe: true in it"
                raise PydanticCustomError("unsafe", "{message}", {"message": message})
        return asked

    @field_validator("thresholds")
    @classmethod
    def _measured(cls, thresholds: list[Threshold]) -> list[Threshold]:
        for threshold in thresholds:
            if threshold.metric in UNMEASURED:
                known = ", ".join(m for m in METRICS if m not in UNMEASURED)
                message = f"load does not measure {threshold.metric!r}; it measures {known}"
                raise PydanticCustomError("threshold", "{message}", {"message": message})
        return thresholds

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.for_ is not None and self.count is not None:
            raise PydanticCustomError("load", "load has a duration (for) or a count, not both")
        if self.against_old and self.backend == "old":
            raise PydanticCustomError("load", "a threshold against old compares old with itself here")
        return self

    @property
    def against_old(self) -> bool:
        return any(threshold.relative is not None for threshold in self.thresholds)

    @property
    def seconds(self) -> float | None:
        """How long to load one backend; None where a count ends it."""
        return None if self.count is not None else self.for_ or DEFAULT_DURATION_S

    def summary(self) -> str:
        extent = f"{self.count} requests" if self.seconds is None else format_duration(self.seconds)
        limits = ", ".join(map(str, self.thresholds))
        return f"{self.backend} under {self.concurrency} clients at once, {extent}: {limits}"

    def least_seconds(self) -> float:
        backends = 2 if self.against_old else 1
        return backends * (self.warm_up + (self.seconds or 0.0))

    def requests(self) -> Sequence[str]:
        return tuple(str(request) for request in self.asked or ())

    async def run(self, ctx: CheckContext) -> Result:
        raise NotImplementedError
