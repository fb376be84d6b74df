"""The check ``http``: one request, and what its answer must be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from cutover.checks.base import BackendName, Check, CheckContext, Result
from cutover.plan.request import SAFE_METHODS, Headers
from cutover.plan.units import Duration, format_duration

Status = int | list[int]


class Http(Check):
    """Send one request to a backend and compare the answer with what is expected. Redirects are not followed.

        http: {backend: new, path: /health, status: 200, json: {status: ok}, max_time: 500ms}

    ``status`` is any 2xx unless given; ``json`` must be contained in the body, lists item by item.
    """

    backend: BackendName
    path: str = Field(pattern=r"^/[^\s]*$")
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = "GET"
    headers: Headers = {}
    body: str | None = None
    status: Status | None = None
    json_subset: Any = Field(default=None, alias="json")
    contains: str | None = None
    max_time: Duration | None = None
    unsafe: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.method not in SAFE_METHODS and not self.unsafe:
            raise PydanticCustomError(
                "unsafe", "{message}", {"message": f"{self.method} may change data: say unsafe: true beside it"}
            )
        if self.method == "HEAD" and (self.expects_json or self.contains is not None):
            raise PydanticCustomError("http", "the answer to HEAD has no body: leave json and contains out")
        return self

    @property
    def expects_json(self) -> bool:
        """Also ``json: null`` is an expectation."""
        return "json_subset" in self.model_fields_set

    def summary(self) -> str:
        limit = f" within {format_duration(self.max_time)}" if self.max_time is not None else ""
        return f"{self.method} {self.path} on {self.backend} answers {expected_status(self.status)}{limit}"

    def requests(self) -> Sequence[str]:
        return (f"{self.method} {self.path} on {self.backend}",)

    async def run(self, ctx: CheckContext) -> Result:
        raise NotImplementedError


def expected_status(status: Status | None) -> str:
    if status is None:
        return "2xx"
    return " or ".join(map(str, status)) if isinstance(status, list) else str(status)
