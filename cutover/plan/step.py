"""One item of a phase: a step type with its settings, beside the keys that all steps share.

Which step types exist is not known here: they arrive as ``StepTypes`` in the validation context.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, TypeVar

from pydantic import (
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationError,
    ValidationInfo,
)
from pydantic_core import InitErrorDetails, PydanticCustomError, core_schema

from cutover.plan.base import PlanModel, error_lines, unknown_key
from cutover.plan.thresholds import Verdict
from cutover.plan.units import Duration, PositiveDuration

# In a JSON Schema, what ``cutover.plan.schema`` replaces by a reference to the schema of all step types.
STAND_IN = "x-stand-in"
OnFail = Literal["rollback", "pause", "continue"]
GateOnFail = Literal["rollback", "pause", "continue", "step_back"]
OnUnknown = Literal["rollback", "pause"]


class StepSettings(PlanModel):
    """What stands under a step type's key. Checks measure and change nothing; actions change something."""

    kind: ClassVar[Literal["check", "action"]]

    @classmethod
    def from_scalar(cls, value: Any) -> Any:
        """Settings written in one word, as in ``wait: 5m``; by default there is no such form."""
        return value

    def summary(self) -> str:
        """One line for ``plan`` and the console: what this step checks or changes."""
        raise NotImplementedError

    def least_seconds(self) -> float:
        """How long the step takes at least, in seconds, when all is well."""
        return 0.0

    def unmeasurable(self, weight: int) -> str | None:  # noqa: ARG002 - for those that override it
        """Why it could never be measured while this weight is live; None where it could, as far as that is known."""
        return None

    def default_timeout(self) -> float | None:
        """Seconds after which the step is given up where the plan does not say; None leaves that to the engine."""
        return None


StepT = TypeVar("StepT", bound="Step")
StepTypes = Mapping[str, type[StepSettings]]


class Retry(PlanModel):
    """Try a failing check again, every so often, for so long."""

    for_: Duration
    every: PositiveDuration = 1.0

    model_config = PlanModel.model_config | {"alias_generator": lambda name: name.rstrip("_")}


class CommonKeys(PlanModel):
    """What may stand beside the step type in any step."""

    name: str | None = Field(default=None, min_length=1)
    timeout: PositiveDuration | None = None
    retry: Retry | None = None
    on_fail: OnFail | None = None


class GateKeys(CommonKeys):
    """What may stand beside the check in a gate: also how often it is asked, and what it takes to end a hold."""

    on_fail: GateOnFail | None = None  # type: ignore[assignment]
    every: PositiveDuration | None = None
    failures: int | None = Field(default=None, ge=1)
    in_a_row: int | None = Field(default=None, ge=1)
    unknown: OnUnknown | None = None


COMMON_KEYS = tuple(CommonKeys.model_fields)
GATE_KEYS = tuple(name for name in GateKeys.model_fields if name not in COMMON_KEYS)


@dataclass(frozen=True)
class Step:
    """``type`` is the registry key, ``settings`` its model. ``timeout`` is in seconds. Only gates step back."""

    type: str
    settings: StepSettings
    name: str = ""
    timeout: float | None = None
    retry: Retry | None = None
    on_fail: GateOnFail | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def title(self) -> str:
        return self.name or f"{self.type}: {self.settings.summary()}"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.with_info_plain_validator_function(_validate)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {STAND_IN: "Step"}


@dataclass(frozen=True)
class Gate(Step):
    """A step that must be a check: it is asked again and again, so it may change nothing.

    ``every`` is in seconds; None is the interval of its step. ``unknown`` None is what ``on_fail`` says.
    """

    every: float | None = None
    failures: int | None = None
    in_a_row: int | None = None
    unknown: OnUnknown | None = None

    @property
    def most_failures(self) -> int | None:
        """How many failed measurements end a hold; None where only those in a row do."""
        return 1 if self.failures is None and self.in_a_row is None else self.failures

    def consequence(self, verdict: Verdict) -> GateOnFail | None:
        """What the gate itself wishes to follow; None leaves it to its step."""
        if verdict is Verdict.UNKNOWN and self.unknown is not None:
            return self.unknown
        return self.on_fail

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.with_info_plain_validator_function(_validate_gate)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {STAND_IN: "Gate"}


def refuse_step_back(gates: list[Gate]) -> list[Gate]:
    """For gates outside a shift: there is no weight that held before."""
    errors = [
        InitErrorDetails(
            type=PydanticCustomError("gate", "step_back is for gates of a shift: a watch has no weight to go back to"),
            loc=(number, "on_fail"),
            input=gate.on_fail,
        )
        for number, gate in enumerate(gates)
        if gate.on_fail == "step_back"
    ]
    if errors:
        raise ValidationError.from_exception_data("Gates", errors)
    return gates


def step_types(info: ValidationInfo) -> StepTypes:
    if not info.context or "step_types" not in info.context:
        raise RuntimeError("plans are validated with the step types in the context")
    types: StepTypes = info.context["step_types"]
    return types


def _validate(value: Any, info: ValidationInfo) -> Step:
    return _build(Step, CommonKeys, value, info, dict(step_types(info)), "step type")


def _validate_gate(value: Any, info: ValidationInfo) -> Gate:
    checks = {name: t for name, t in step_types(info).items() if t.kind == "check"}
    return _build(Gate, GateKeys, value, info, checks, "gate")


def _build(
    cls: type[StepT],
    keys: type[CommonKeys],
    value: Any,
    info: ValidationInfo,
    types: dict[str, type[StepSettings]],
    what: str,
) -> StepT:
    if isinstance(value, cls):
        return value
    if not isinstance(value, dict):
        raise PydanticCustomError(
            "step",
            "{message}",
            {"message": f"a {what.removesuffix(' type')} is a mapping with one of: {', '.join(types)}"},
        )
    chosen = [key for key in value if key in types]
    errors = _wrong_keys(value, chosen, types, what, set(step_types(info)), list(keys.model_fields))
    common: CommonKeys | None = None
    settings: StepSettings | None = None
    try:
        common = keys.model_validate({k: v for k, v in value.items() if k in keys.model_fields})
    except ValidationError as error:
        errors.extend(error_lines(error))
    if len(chosen) == 1:
        settings_type = types[chosen[0]]
        try:
            settings = settings_type.model_validate(settings_type.from_scalar(value[chosen[0]]), context=info.context)
        except ValidationError as error:
            errors.extend(error_lines(error, (chosen[0],)))
    if errors or common is None or settings is None:
        raise ValidationError.from_exception_data("Step", errors)
    given = {name: getattr(common, name) for name in keys.model_fields}
    given["name"] = common.name or ""
    given["timeout"] = settings.default_timeout() if common.timeout is None else common.timeout
    return cls(type=chosen[0], settings=settings, raw=value, **given)


def _wrong_keys(
    value: dict[Any, Any],
    chosen: list[str],
    types: dict[str, type[StepSettings]],
    what: str,
    every_type: set[str],
    keys: list[str],
) -> list[InitErrorDetails]:
    """The mistakes in what stands beside one another in a step: exactly one step type, and the keys of its kind."""
    errors: list[InitErrorDetails] = []
    if len(chosen) > 1:
        errors.append(_error(f"exactly one {what}, not {' and '.join(chosen)}", value))
    for key, item in value.items():
        if key in types or key in keys:
            continue
        told = unknown_key(str(key), keys if chosen else [*types, *keys], "key" if chosen else what)
        if key in every_type or key in GATE_KEYS:
            message = (
                f"{key} is an action, and a gate may change nothing"
                if key in every_type
                else f"{key} is a key of gates, which stand in the gates of shift and watch"
            )
            told = PydanticCustomError("unknown_key", "{message}", {"message": message})
        errors.append(InitErrorDetails(type=told, loc=(key,), input=item))
    if not chosen and not errors:
        errors.append(_error(f"a {what.removesuffix(' type')} needs one of: {', '.join(types)}", value))
    return errors


def _error(message: str, value: Any) -> InitErrorDetails:
    return InitErrorDetails(type=PydanticCustomError("step", "{message}", {"message": message}), loc=(), input=value)
