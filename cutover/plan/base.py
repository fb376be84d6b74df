"""What every part of a plan has in common: strict, frozen, and helpful about unknown keys."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ModelWrapValidatorHandler, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError


class PlanModel(BaseModel):
    """A mapping of the plan. Unknown keys are mistakes, with a suggestion where a word is close."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, arbitrary_types_allowed=True)

    @model_validator(mode="wrap")
    @classmethod
    def _suggest_keys(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(data)
        except ValidationError as error:
            known = [field.alias or name for name, field in cls.model_fields.items()]
            raise retold(error, known) from None


def retold(error: ValidationError, known_keys: list[str]) -> ValidationError:
    """The same mistakes, with unknown keys of this very mapping explained."""
    lines: list[InitErrorDetails] = []
    for line in error.errors():
        told = PydanticCustomError(line["type"], "{message}", {"message": line["msg"]})  # type: ignore[arg-type]
        if line["type"] == "extra_forbidden" and len(line["loc"]) == 1:
            told = unknown_key(str(line["loc"][0]), known_keys)
        lines.append(InitErrorDetails(type=told, loc=line["loc"], input=line["input"]))
    return ValidationError.from_exception_data(error.title, lines)


def unknown_key(key: str, known: list[str], what: str = "key") -> PydanticCustomError:
    """The mistake of a key that nobody reads."""
    close = get_close_matches(key, known, n=1)
    cure = f"did you mean {close[0]!r}?" if close else f"known here: {', '.join(known)}"
    return PydanticCustomError("unknown_key", "{message}", {"message": f"unknown {what} {key!r}; {cure}"})

