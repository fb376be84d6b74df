"""The registry of checks: a file's name is the step type, and its docstring shows how it is written."""

from __future__ import annotations

import inspect
import textwrap
from pathlib import Path

import pytest
import yaml
from pydantic import TypeAdapter

import cutover.checks
from cutover.actions import ACTIONS
from cutover.checks import CHECKS
from cutover.plan.step import Step

NO_CHECKS = {"__init__", "base"}


def test_every_file_is_a_check_and_every_check_a_file() -> None:
    files = {file.stem for file in Path(cutover.checks.__file__).parent.glob("*.py")} - NO_CHECKS
    assert files == set(CHECKS)


@pytest.mark.parametrize("name", CHECKS)
def test_the_file_has_the_name_of_the_step_type(name: str) -> None:
    assert CHECKS[name].__module__ == f"cutover.checks.{name}"
    assert CHECKS[name].__name__ == name.capitalize()
    assert CHECKS[name].kind == "check"


@pytest.mark.parametrize("name", CHECKS)
def test_its_docstring_has_an_example_that_loads(name: str) -> None:
    text = inspect.getdoc(CHECKS[name]) or ""
    lines = text.partition("Example::\n")[2].strip("\n").splitlines()
    example = [line for line in lines[: next((n for n, line in enumerate(lines) if line[:1].strip()), None)] if line]
    step = TypeAdapter(Step).validate_python(
        yaml.safe_load(textwrap.dedent("\n".join(example))), context={"step_types": {**CHECKS, **ACTIONS}}
    )
    assert step.type == name
    assert step.title
    assert step.settings.least_seconds() >= 0
