"""The JSON Schema accepts what loads, and refuses what an editor should underline."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jsonschema
import pytest
import yaml

from cutover.plan import LoadedPlan, plan_schema
from cutover.plan.step import StepTypes

Load = Callable[..., LoadedPlan]


@pytest.fixture(scope="module")
def validator(step_types: StepTypes) -> jsonschema.Draft202012Validator:
    schema = plan_schema(step_types)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def with_step(whole: str, step: Any) -> Any:
    data = yaml.safe_load(whole)
    data["phases"] = {"validate": [step]}
    return data


def test_the_schema_is_of_2020_12_and_names_its_parts(step_types: StepTypes) -> None:
    schema = plan_schema(step_types)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["title"] == "A plan of cutover"
    assert {"Step", "Gate"} <= set(schema["$defs"])
    assert "x-stand-in" not in str(schema)


def test_a_whole_plan_is_valid(validator: jsonschema.Draft202012Validator, whole: str) -> None:
    validator.validate(yaml.safe_load(whole))


@pytest.mark.parametrize(
    "step",
    [
        {"wait": "5m"},
        {"wait": {"for": "5m"}},
        {"load": {"backend": "${SIDE}", "concurrency": "${N:-100}", "for": "${FOR}"}},
        {"http": {"backend": "old", "path": "${PATH_OF_IT}", "status": "${STATUS}", "unsafe": "${UNSAFE}"}},
        {"http": {"backend": "old", "path": "/", "json": [1, {"a": None}]}, "on_fail": "${ON_FAIL:-stop}"},
        {"diff": {"requests": ["GET /a?b=c", {"path": "/", "method": "POST", "unsafe": True}, "${REQUEST}"]}},
        {"shift": {"to": 100, "gates": [{"http": {"backend": "proxy", "path": "/"}}]}, "timeout": "90s"},
    ],
)
def test_what_loads_is_valid(step: Any, validator: jsonschema.Draft202012Validator, whole: str, load: Load) -> None:
    data = with_step(whole, step)
    validator.validate(data)
    environ = {
        "SIDE": "new", "FOR": "5m", "PATH_OF_IT": "/x", "STATUS": "200", "UNSAFE": "true", "REQUEST": "GET /x",
        "ON_FAIL": "pause", "OLD_TOKEN": "t0ken-of-old",
    }  # fmt: skip
    load(yaml.safe_dump(data), environ)


@pytest.mark.parametrize(
    "step",
    [
        {},
        {"name": "x"},
        {"htttp": {"backend": "old", "path": "/"}},
        {"http": {"backend": "olld", "path": "/"}},
        {"http": {"backend": "old"}},
        {"http": {"backend": "old", "path": "/", "statuss": 1}},
        {"http": {"backend": "old", "path": "x"}},
        {"http": {"backend": "old", "path": "/"}, "wait": "5m"},
        {"wait": "5m", "on_fail": "stop"},
        {"shift": {"to": 1, "gates": [{"wait": "5m"}]}},
        {"load": {"backend": "old", "concurrency": "many", "for": "5m"}},
        {"diff": {"requests": ["/x"]}},
        {"shift": {"to": 1, "hold": "5"}},
        {"http": {"backend": "old", "path": "/"}, "timeout": "5 m"},
        "wait",
    ],
)
def test_what_does_not_load_is_refused(step: Any, validator: jsonschema.Draft202012Validator, whole: str) -> None:
    assert not validator.is_valid(with_step(whole, step))


@pytest.mark.parametrize(
    ("key", "value"),
    [("version", "${V}"), ("version", 2), ("name", 5), ("secrets", "x"), ("vars", []), ("phases", []), ("nname", "x")],
)
def test_the_top_of_a_plan_is_checked(
    key: str, value: Any, validator: jsonschema.Draft202012Validator, whole: str
) -> None:
    assert not validator.is_valid(yaml.safe_load(whole) | {key: value})


def test_what_may_be_commented_out_may_be_null(validator: jsonschema.Draft202012Validator, whole: str) -> None:
    validator.validate(yaml.safe_load(whole) | {"vars": None, "secrets": None, "phases": {"soak": None}})
