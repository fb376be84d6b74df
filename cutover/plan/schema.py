"""The JSON Schema of the plan format, made from the models, for editors."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import models_json_schema

from cutover.plan.base import PlanModel
from cutover.plan.model import Plan
from cutover.plan.step import STAND_IN, CommonKeys, GateKeys, StepSettings, StepTypes

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_VARIABLE = {"type": "string", "pattern": r"\$\{"}
_VARIABLE_REF = {"$ref": "#/$defs/Variable"}
_LITERAL_KEYS = ("version", "name", "secrets")
# Where a value stands in a schema, in contrast to lists of words and mappings of names.
_SCHEMA_KEYS = ("items", "additionalProperties", "propertyNames", "contains", "not", "if", "then", "else")
_SCHEMA_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_SCHEMA_MAPPINGS = ("properties", "$defs", "patternProperties")
_NARROW_TYPES = frozenset({"integer", "number", "boolean"})
_NARROWING = ("enum", "const", "pattern", "format", "minLength", "maxLength")


def plan_schema(step_types: StepTypes) -> dict[str, Any]:
    """A schema (2020-12) that accepts what ``load_plan`` accepts, as far as a schema can say it.

    Where a variable may give the value, a text with ``${`` is accepted as well.
    """
    models: list[type[PlanModel]] = [Plan, CommonKeys, GateKeys, *step_types.values()]
    references, generated = models_json_schema(
        [(model, "validation") for model in dict.fromkeys(models)], ref_template="#/$defs/{model}"
    )
    defs = generated.get("$defs", {})
    common = _definition(references[CommonKeys, "validation"], defs)["properties"]
    of_gates = _definition(references[GateKeys, "validation"], defs)["properties"]
    steps = {name: references[settings, "validation"] for name, settings in step_types.items()}
    gates = {name: ref for name, ref in steps.items() if step_types[name].kind == "check"}
    plan = _definition(references[Plan, "validation"], defs)
    properties = plan["properties"]
    literal = {key: properties[key] for key in _LITERAL_KEYS}
    phases = properties["phases"]
    phases["additionalProperties"] = {"anyOf": [phases["additionalProperties"], {"type": "null"}]}
    defs |= {
        "Step": {"oneOf": [_step(name, ref, step_types[name], common) for name, ref in steps.items()]},
        "Gate": {"oneOf": [_step(name, ref, step_types[name], of_gates) for name, ref in gates.items()]},
    }
    opened = {name: _with_variables(schema) for name, schema in defs.items()} | {"Variable": _VARIABLE}
    root = _with_variables(plan)
    root["properties"] |= literal
    root["properties"] |= {key: {"anyOf": [root["properties"][key], {"type": "null"}]} for key in ("vars", "secrets")}
    return {**root, "$schema": DIALECT, "title": "A plan of cutover", "$defs": dict(sorted(opened.items()))}


def _definition(reference: dict[str, Any], defs: dict[str, Any]) -> dict[str, Any]:
    """Take a definition out of the others."""
    definition: dict[str, Any] = defs.pop(reference["$ref"].removeprefix("#/$defs/"))
    return definition


def _step(name: str, reference: dict[str, Any], settings: type[StepSettings], keys: dict[str, Any]) -> dict[str, Any]:
    value: dict[str, Any] = reference
    if settings.from_scalar.__func__ is not StepSettings.from_scalar.__func__:  # type: ignore[attr-defined]
        value = {"anyOf": [reference, {"type": ["string", "array", "number", "null"]}]}
    return {
        "type": "object",
        "properties": {name: value, **keys},
        "required": [name],
        "additionalProperties": False,
    }


def _with_variables(schema: Any) -> Any:
    """The same schema, with stand-ins resolved and every narrow value open to a text with a variable."""
    if not isinstance(schema, dict):
        return schema
    if STAND_IN in schema:
        return {"$ref": f"#/$defs/{schema[STAND_IN]}"}
    opened = dict(schema)
    for key in _SCHEMA_KEYS:
        if key in opened and key != "propertyNames":
            opened[key] = _with_variables(opened[key])
    for key in _SCHEMA_LISTS:
        if key in opened:
            opened[key] = [_with_variables(one) for one in opened[key]]
    for key in _SCHEMA_MAPPINGS:
        if key in opened:
            opened[key] = {name: _with_variables(one) for name, one in opened[key].items()}
    return _or_variable(opened) if _is_narrow(opened) else opened


def _is_narrow(schema: dict[str, Any]) -> bool:
    kind = schema.get("type")
    return (isinstance(kind, str) and kind in _NARROW_TYPES) or any(key in schema for key in _NARROWING)


def _or_variable(schema: dict[str, Any]) -> dict[str, Any]:
    about: dict[str, Any] = {key: schema.pop(key) for key in ("title", "description", "default") if key in schema}
    return {**about, "anyOf": [schema, _VARIABLE_REF]}
