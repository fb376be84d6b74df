"""The registry of actions: a file's name is the step type, and its docstring shows how it is written."""

from __future__ import annotations

import inspect
import textwrap
from pathlib import Path

import pytest
import yaml
from pydantic import TypeAdapter

import cutover.actions
from cutover.actions import ACTIONS
from cutover.checks import CHECKS
from cutover.plan.step import Step

NO_ACTIONS = {"__init__", "base"}


def test_every_file_is_an_action_and_every_action_a_file() -> None:
    files = {file.stem for file in Path(cutover.actions.__file__).parent.glob("*.py")} - NO_ACTIONS
    assert files == set(ACTIONS)


@pytest.mark.parametrize("name", ACTIONS)
def test_the_file_has_the_name_of_the_step_type(name: str) -> None:
    assert ACTIONS[name].__module__ == f"cutover.actions.{name}"
    assert ACTIONS[name].__name__ == name.capitalize()
    assert ACTIONS[name].kind == "action"


@pytest.mark.parametrize("name", ACTIONS)
def test_its_docstring_has_an_example_that_loads(name: str) -> None:
    text = inspect.getdoc(ACTIONS[name]) or ""
    lines = text.partition("Example::\n")[2].strip("\n").splitlines()
    example = [line for line in lines[: next((n for n, line in enumerate(lines) if line[:1].strip()), None)] if line]
    step = TypeAdapter(Step).validate_python(
        yaml.safe_load(textwrap.dedent("\n".join(example))), context={"step_types": {**CHECKS, **ACTIONS}}
    )
    assert step.type == name
    assert step.title
    assert step.settings.least_seconds() >= 0
