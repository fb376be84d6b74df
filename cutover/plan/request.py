"""A request as plans write it: ``GET /path?query``, or a mapping."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, GetJsonSchemaHandler, model_validator
from pydantic_core import PydanticCustomError, core_schema

from cutover.plan.base import PlanModel

SAFE_METHODS = frozenset({"GET", "HEAD"})
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_LINE = re.compile(r"([A-Z]+) (/[^\s]*)")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


def _header_name(name: str) -> str:
    if not _HEADER_NAME.fullmatch(name):
        raise PydanticCustomError("header", "{message}", {"message": f"{name!r} is not the name of a header"})
    return name


def _header_value(value: str) -> str:
    # The value may be a secret, so the mistake does not repeat it.
    if not _HEADER_VALUE.fullmatch(value):
        raise PydanticCustomError("header", "a header's value can hold no line breaks and no control characters")
    return value


HeaderName = Annotated[str, AfterValidator(_header_name)]
HeaderValue = Annotated[str, AfterValidator(_header_value)]
Headers = dict[HeaderName, HeaderValue]


class Request(PlanModel):
    """One HTTP request. Methods other than GET and HEAD are sent only with ``unsafe: true``."""

    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = "GET"
    path: str = Field(pattern=r"^/[^\s]*$")
    headers: Headers = Field(default_factory=dict)
    body: str | None = None
    json_body: Any = Field(default=None, alias="json")
    unsafe: bool = False

    @model_validator(mode="before")
    @classmethod
    def _from_line(cls, value: Any) -> Any:
        if isinstance(value, Request):
            return {k: v for k, v in value.model_dump(by_alias=True).items() if v is not None}
        if isinstance(value, dict) and not _looks_torn(value):
            return value
        match = _LINE.fullmatch(value) if isinstance(value, str) else None
        if match is None or match.group(1) not in METHODS:
            raise PydanticCustomError("request", "{message}", {"message": _complaint(value)})
        return {"method": match.group(1), "path": match.group(2)}

    @model_validator(mode="after")
    def _one_body(self) -> Self:
        if self.body is not None and self.json_body is not None:
            raise PydanticCustomError("request", "a request has a body or json, not both")
        return self

    @property
    def safe(self) -> bool:
        return self.method in SAFE_METHODS

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        line = {
            "type": "string",
            "pattern": rf"^({'|'.join(METHODS)}) /\S*$",
            "examples": ["GET /api/v1/studies?page=1"],
        }
        return {"anyOf": [line, handler(schema)]}

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def _looks_torn(value: dict[Any, Any]) -> bool:
    return any(isinstance(k, str) and " /" in k for k in value)


def _complaint(value: object) -> str:
    if isinstance(value, str):
        return f"{value!r} is not a request; write METHOD /path?query, as in 'GET /api/v1/studies?page=1'"
    return (
        f"{value!r} is not a request; YAML tears unquoted requests apart at ',', '?', '{{' and ': ': put it in quotes"
    )


def parse_request(text: str) -> Request:
    """``GET /path?query`` as a request; raises ``pydantic.ValidationError``."""
    return Request.model_validate(text)
