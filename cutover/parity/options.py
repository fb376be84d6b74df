"""How answers are compared, as plans write it: for a step, and for one request of it."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from cutover.parity.jsonpath import JsonPath
from cutover.parity.saving import Saves
from cutover.plan.base import PlanModel
from cutover.plan.request import Request

DatetimeMode = Literal["instant", "ms", "strict"]
StatusCode = Annotated[int, Field(ge=100, le=599)]
_SUCCESS, _ERROR, _FAILURE = 2, 4, 5


def _mistake(message: str) -> PydanticCustomError:
    return PydanticCustomError("diff", "{message}", {"message": message})


def _prefix(value: str) -> str:
    if not value.startswith("/"):
        raise _mistake(f"{value!r} is not a path prefix; it starts with /")
    return value


PathPrefix = Annotated[str, AfterValidator(_prefix)]
HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")]


class Unwrap(PlanModel):
    """Where the document proper is within a side's answer, as in ``$.results``."""

    old: JsonPath | None = None
    new: JsonPath | None = None

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        for path in (self.old, self.new):
            if path is not None and not path.single:
                raise _mistake(f"unwrap needs a path to one place, not {path}")
        return self


class Options(PlanModel):
    """Every way in which a difference is made none. Nothing is ignored that does not stand here."""

    ignore: list[JsonPath] = Field(default_factory=list)
    unordered: list[JsonPath] = Field(default_factory=list)
    key: dict[JsonPath, str] = Field(default_factory=dict)
    null_equals_missing: list[JsonPath] = Field(default_factory=list)
    numeric_string: list[JsonPath] = Field(default_factory=list)
    tolerance: dict[JsonPath, Annotated[float, Field(ge=0, allow_inf_nan=False)]] = Field(default_factory=dict)
    datetime: DatetimeMode | dict[JsonPath, DatetimeMode] | None = None
    redirects: Literal["strict", "same_target", "follow"] = "strict"
    rewrite_path: dict[PathPrefix, PathPrefix] = Field(default_factory=dict)
    unwrap: Unwrap = Unwrap()
    error_body: Literal["ignore", "shape", "strict"] | None = None
    status_map: dict[StatusCode, StatusCode] = Field(default_factory=dict)
    ignore_headers: list[HeaderName] = Field(default_factory=list)
    ignore_text: list[Annotated[str, Field(min_length=1)]] = Field(default_factory=list)

    @field_validator("status_map")
    @classmethod
    def _success_stays_success(cls, status_map: dict[int, int]) -> dict[int, int]:
        for old, new in status_map.items():
            if (old // 100 == _SUCCESS and new // 100 >= _ERROR) or (old // 100 >= _ERROR and new // 100 == _SUCCESS):
                raise _mistake(f"{old}: {new} maps success to an error; such a difference can't be mapped")
            if old // 100 < _FAILURE <= new // 100:
                raise _mistake(f"{old}: {new} maps an answer to a failure of the server; that can't be mapped")
        return status_map


class ComparedRequest(Request, Options):
    """A request with options of its own, which add to those of the step. ``status`` is what old is to answer."""

    status: StatusCode | None = None


class SavingRequest(ComparedRequest):
    """A request of a sequence: what it saves stands in the later ones as ``${name}``, for each side its own."""

    save: Saves = Field(default_factory=dict)


def options_of(settings: Options) -> Options:
    """The options alone, of settings that have more to say."""
    return Options.model_construct(**{name: getattr(settings, name) for name in Options.model_fields})


def options_for(step: Options, request: Options) -> Options:
    """The step's options with the request's: lists and mappings add up, single words replace."""
    own = request.model_fields_set & set(Options.model_fields)
    if not own:
        return step
    values = {name: getattr(step, name) for name in Options.model_fields}
    for name in own:
        mine, theirs = getattr(request, name), values[name]
        if isinstance(mine, list) and isinstance(theirs, list):
            values[name] = [*theirs, *(item for item in mine if item not in theirs)]
        elif isinstance(mine, dict) and isinstance(theirs, dict):
            values[name] = {**theirs, **mine}
        else:
            values[name] = mine
    return Options.model_construct(**values)
