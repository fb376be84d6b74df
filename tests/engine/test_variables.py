"""Saved values: who gets to see which, who is asked again and when, and once only however many wait."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cutover.checks.base import Result
from cutover.checks.diff import Diff
from cutover.checks.http import Http
from cutover.checks.load import Load
from cutover.engine.registry import STEP_TYPES
from cutover.engine.variables import UnsavedError, Values, Variables
from cutover.plan import LoadedPlan, load_plan
from cutover.plan.step import Step
from cutover.plan.thresholds import Verdict
from cutover.redact import redact, redactor

PLAN = """\
version: 1
name: site
backends:
  old: {url: "http://127.0.0.1:1", headers: {Authorization: "Bearer ${old_token}", X-Tenant: demo}}
  new: {url: "http://127.0.0.1:2", headers: {Authorization: "Bearer ${new_token}", X-Form: "${form}"}}
proxy: {url: "http://127.0.0.1:3", control: {managed: {}}, server: {listen: "127.0.0.1:3"}}
phases:
  rollback:
    - http: {backend: old, path: /me}
  preflight:
    - http: {backend: new, path: /health}
    - http: {backend: new, path: /form, save: {form: $.form}}
    - http: {backend: old, path: /login, save: {old_token: $.token}}
    - http: {backend: new, path: "/login?form=${form}", save: {new_token: $.token}, refresh: 1h}
      retry: {for: 1s, every: 1ms}
  validate:
    - http: {backend: new, path: /me}
    - diff: {requests: ["GET /of/${old_token}"]}
    - load: {backend: new, count: 1}
  shift:
    - shift: {to: 5, gates: [{http: {backend: old, path: "/${new_token}"}}]}
    - command: {run: [echo, "${form}"], env: {TOKEN: "${old_token}"}}
"""


@pytest.fixture
def loaded(tmp_path: Path) -> Iterator[LoadedPlan]:
    before = dict(vars(redactor))
    file = tmp_path / "cutover.yml"
    file.write_text(PLAN)
    yield load_plan(file, STEP_TYPES, {})
    vars(redactor).update(before)


class Asked:
    """Answers in the place of servers: a new value each time, or a failure."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.seen: list[Values] = []
        self.failures = 0

    async def __call__(self, step: Step, values: Values) -> Result:
        assert isinstance(step.settings, Http)
        self.paths.append(step.settings.path)
        self.seen.append(values)
        await asyncio.sleep(0.01)
        if self.failures:
            self.failures -= 1
            return Result(Verdict.FAIL, "503, expected 2xx")
        return Result(Verdict.PASS, "200", saved={name: f"{name}-{len(self.paths)}" for name in step.settings.save})


def step(loaded: LoadedPlan, phase: str, index: int) -> Step:
    return loaded.plan.phases[phase][index]


async def ready(variables: Variables, loaded: LoadedPlan, asked: Asked, phase: str, index: int) -> Values:
    return await variables.ready(step(loaded, phase, index), asked, (phase, index))


async def test_a_step_before_the_login_needs_nothing_and_sees_nothing(loaded: LoadedPlan) -> None:
    variables, asked = Variables(loaded), Asked()
    variables.keep({"new_token": "from-before", "form": "f"})
    values = await ready(variables, loaded, asked, "preflight", 0)
    assert asked.paths == []
    assert values.target(loaded.plan, "new").headers == {}
    assert values.target(loaded.plan, "old").headers == {"X-Tenant": "demo"}


async def test_what_a_step_and_the_headers_of_whom_it_asks_need_is_had_first_and_in_order(loaded: LoadedPlan) -> None:
    variables, asked = Variables(loaded), Asked()
    values = await ready(variables, loaded, asked, "validate", 0)
    assert asked.paths == ["/form", "/login?form=form-1"]
    assert values.target(loaded.plan, "new").headers == {"Authorization": "Bearer new_token-2", "X-Form": "form-1"}
    assert values.target(loaded.plan, "proxy").headers == {}
    assert redact("new_token-2 form-1") == "*** ***"
    await ready(variables, loaded, asked, "rollback", 0)
    assert asked.paths[2:] == ["/login"]


async def test_a_login_is_asked_as_it_was_at_first(loaded: LoadedPlan) -> None:
    variables, asked = Variables(loaded), Asked()
    variables.keep({"form": "f-0", "old_token": "o-0"})
    await ready(variables, loaded, asked, "validate", 0)
    assert asked.seen[0].target(loaded.plan, "new").headers == {"X-Form": "f-0"}
    values = await ready(variables, loaded, asked, "preflight", 3)
    assert "new_token" not in values.known


async def test_a_load_that_sends_what_the_diffs_do_has_their_variables(loaded: LoadedPlan) -> None:
    variables, asked = Variables(loaded), Asked()
    values = await ready(variables, loaded, asked, "validate", 2)
    load = step(loaded, "validate", 2).settings
    assert isinstance(load, Load)
    borrowed = [diff.settings for diff in load.borrows(values.plan(loaded.plan))]
    assert [request for diff in borrowed if isinstance(diff, Diff) for request in diff.requests()] == [
        "GET /of/old_token-2"
    ]


async def test_a_step_is_filled_but_for_its_gates(loaded: LoadedPlan) -> None:
    variables, asked = Variables(loaded), Asked()
    shift, command = (step(loaded, "shift", index) for index in (0, 1))
    values = await ready(variables, loaded, asked, "shift", 0)
    assert asked.paths == []
    assert values.filled(shift) is shift
    gate: Any = shift.settings.gates[0]  # type: ignore[attr-defined]
    values = await variables.ready(gate, asked, ("shift", 0))
    assert values.filled(gate).settings.path == "/new_token-3"
    assert gate.settings.path == "/${new_token}"
    values = await ready(variables, loaded, asked, "shift", 1)
    filled = values.filled(command)
    assert filled.settings.run_ == ["echo", "form-2"]  # type: ignore[attr-defined]
    assert filled.settings.env == {"TOKEN": "old_token-1"}  # type: ignore[attr-defined]
    assert filled.title == "command: echo form-2"
    assert command.title == "command: echo '${form}'"


async def test_many_that_need_a_value_ask_for_it_once(loaded: LoadedPlan) -> None:
    variables, asked = Variables(loaded), Asked()
    await asyncio.gather(*(ready(variables, loaded, asked, "validate", 0) for _ in range(10)))
    assert sorted(asked.paths) == ["/form", "/login?form=form-1"]


async def test_a_failure_is_retried_as_the_plan_says_and_then_told(loaded: LoadedPlan) -> None:
    variables, asked = Variables(loaded), Asked()
    variables.keep({"form": "f"})
    asked.failures = 3
    await ready(variables, loaded, asked, "validate", 0)
    assert asked.paths == ["/login?form=f"] * 4
    asked.failures = 1
    with pytest.raises(UnsavedError, match=r"there is no old_token: http: GET /login on old .*: 503, expected 2xx"):
        await ready(variables, loaded, asked, "validate", 1)


async def test_a_command_without_a_run_has_what_it_names(loaded: LoadedPlan) -> None:
    variables, asked = Variables(loaded), Asked()
    diff = step(loaded, "validate", 1)
    values = await variables.ready(diff, asked)
    assert sorted(values.known) == ["form", "new_token", "old_token"]
    await variables.ensure(["old_token"], asked)
    assert len(asked.paths) == 3


async def test_a_plan_that_saves_nothing_needs_nothing(loaded: LoadedPlan) -> None:
    assert await Variables(None).ready(step(loaded, "validate", 0), Asked()) == Values()


async def test_a_value_that_does_not_fit_is_told_without_being_shown(loaded: LoadedPlan) -> None:
    variables, asked = Variables(loaded), Asked()
    variables.keep({"form": "f", "new_token": "two\nlines-of-it"})
    with pytest.raises(UnsavedError) as error:
        await ready(variables, loaded, asked, "validate", 0)
    assert str(error.value) == (
        "a saved value does not fit in backends.new.headers.Authorization: "
        "a header's value can hold no line breaks and no control characters"
    )
