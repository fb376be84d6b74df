"""What every part of a plan has in common: strict, frozen, and helpful about unknown keys."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from typing import Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ModelWrapValidatorHandler, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

# Looking for close words takes longer than all the rest of loading a plan.
MAX_SUGGESTIONS = 50
MAX_TOLD = 1000

T = TypeVar("T")


class PlanModel(BaseModel):
    """A mapping of the plan. Unknown keys are mistakes, with a suggestion where a word is close."""

    # Built when it is first used: most commands use few of the steps that there are.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, arbitrary_types_allowed=True, defer_build=True)

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
    lines = error_lines(error)
    unknown = [line for line in lines if len(line["loc"]) == 1 and _is_extra(line)]
    for line in unknown[:MAX_SUGGESTIONS]:
        line["type"] = unknown_key(str(line["loc"][0]), known_keys)
    return ValidationError.from_exception_data(error.title, lines)


def _is_extra(line: InitErrorDetails) -> bool:
    return isinstance(line["type"], PydanticCustomError) and line["type"].type == "extra_forbidden"


def error_lines(error: ValidationError, prefix: tuple[str | int, ...] = ()) -> list[InitErrorDetails]:
    """The mistakes of an error, to be raised again in another."""
    return [
        InitErrorDetails(
            type=PydanticCustomError(line["type"], "{message}", {"message": line["msg"]}),
            loc=prefix + line["loc"],
            input=line["input"],
        )
        for line in error.errors(include_url=False)[:MAX_TOLD]
    ]


def unknown_key(key: str, known: list[str], what: str = "key") -> PydanticCustomError:
    """The mistake of a key that nobody reads."""
    close = get_close_matches(key, known, n=1)
    cure = f"did you mean {close[0]!r}?" if close else f"known here: {', '.join(known)}"
    return PydanticCustomError("unknown_key", "{message}", {"message": f"unknown {what} {key!r}; {cure}"})


def mistakes_at(mistakes: list[tuple[tuple[str | int, ...], str]]) -> list[InitErrorDetails]:
    """Mistakes to be raised in a ``ValidationError``, each at a place relative to what is validated."""
    return [
        InitErrorDetails(type=PydanticCustomError("plan", "{message}", {"message": message}), loc=location, input=None)
        for location, message in mistakes
    ]


def validate_with(
    value: Any, handler: Callable[[Any], T], mistakes: list[tuple[tuple[str | int, ...], str]], title: str
) -> T:
    """Validate, and raise the mistakes found already together with those that validation finds."""
    lines = mistakes_at(mistakes)
    try:
        valid = handler(value)
    except ValidationError as error:
        raise ValidationError.from_exception_data(title, [*error_lines(error), *lines]) from None
    if lines:
        raise ValidationError.from_exception_data(title, lines)
    return valid
