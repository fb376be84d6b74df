"""Plans in a line or two, and step types that need nothing but the plan."""

from __future__ import annotations

import copy
import textwrap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
from pydantic import Field

from cutover.errors import PlanError
from cutover.plan import LoadedPlan, load_plan
from cutover.plan.request import Request
from cutover.plan.step import Gate, StepSettings, StepTypes
from cutover.plan.thresholds import Threshold
from cutover.plan.units import Duration
from cutover.redact import redactor

BackendName = Literal["old", "new", "fallback", "proxy"]
Load = Callable[..., LoadedPlan]
Mistakes = Callable[..., list[str]]


class Check(StepSettings):
    kind: ClassVar[Literal["check"]] = "check"


class Action(StepSettings):
    kind: ClassVar[Literal["action"]] = "action"


class Http(Check):
    backend: BackendName
    path: str = Field(pattern=r"^/[^\s]*$")
    method: Literal["GET", "POST"] = "GET"
    status: int | list[int] | None = None
    headers: dict[str, str] = Field(default_factory=dict)
    body: str | None = None
    json_subset: Any = Field(default=None, alias="json")
    unsafe: bool = False
    save: dict[str, str] = Field(default_factory=dict)


class Diff(Check):
    requests: list[Request]
    ignore: list[str] = Field(default_factory=list)
    status_map: dict[int, int] = Field(default_factory=dict)


class LoadTest(Check):
    backend: BackendName
    concurrency: int = Field(ge=1)
    rate: float | None = None
    for_: Duration = Field(alias="for")
    thresholds: list[Threshold] = Field(default_factory=list)


class Traffic(Check):
    thresholds: list[Threshold]


class Shift(Action):
    through: list[int] = Field(default_factory=list)
    to: int | None = None
    hold: Duration = 0.0
    gates: list[Gate] = Field(default_factory=list)


class Watch(Action):
    for_: Duration = Field(alias="for")
    gates: list[Gate] = Field(default_factory=list)


class Command(Action):
    run: list[str]


class Wait(Action):
    for_: Duration = Field(alias="for")

    @classmethod
    def from_scalar(cls, value: Any) -> Any:
        return {"for": value} if isinstance(value, str) else value


STEP_TYPES: StepTypes = {
    "http": Http,
    "diff": Diff,
    "load": LoadTest,
    "traffic": Traffic,
    "shift": Shift,
    "watch": Watch,
    "command": Command,
    "wait": Wait,
}

# The head of a plan that is right; tests write phases, or whatever else they are about, under it.
HEAD = """\
version: 1
name: medical-api
backends:
  old: {url: "http://127.0.0.1:8000"}
  new: {url: "http://127.0.0.1:8001"}
proxy:
  url: http://127.0.0.1:8080
  control: {managed: {}}
  server: {listen: "127.0.0.1:8080"}
"""
HEAD_LINES = HEAD.count("\n")


@pytest.fixture(autouse=True)
def no_secrets_of_other_tests() -> Iterator[None]:
    """Give back what the process-wide redactor knew."""
    before = {name: copy.copy(value) for name, value in vars(redactor).items()}
    yield
    vars(redactor).update(before)


@pytest.fixture(scope="session")
def step_types() -> StepTypes:
    return STEP_TYPES


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str | bytes], Path]:
    def write(text: str | bytes) -> Path:
        path = tmp_path / "plan.yml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


@pytest.fixture
def load(write: Callable[[str | bytes], Path]) -> Load:
    """Load a whole plan."""

    def load(text: str | bytes, environ: Mapping[str, str] | None = None) -> LoadedPlan:
        return load_plan(write(text), STEP_TYPES, environ or {})

    return load


@pytest.fixture
def mistakes(load: Load) -> Mistakes:
    """The mistakes of a whole plan, each as ``line:column: path: message (hint)``."""

    def mistakes(text: str | bytes, environ: Mapping[str, str] | None = None) -> list[str]:
        with pytest.raises(PlanError) as error:
            load(text, environ)
        return [str(m).partition("plan.yml")[2].lstrip(":") for m in error.value.mistakes]

    return mistakes


@pytest.fixture
def with_phases() -> Callable[[str], str]:
    """A plan that is right but for its phases, which begin in line 11."""
    return lambda phases: HEAD + "phases:\n" + textwrap.indent(textwrap.dedent(phases).strip("\n"), "  ") + "\n"


@pytest.fixture
def head() -> str:
    """A plan without phases; nine lines."""
    return HEAD


@pytest.fixture
def whole() -> str:
    """A plan with a bit of everything, all of it right."""
    return WHOLE


WHOLE = """\
version: 1
name: medical-api                      # names upstreams, runs and the lock
description: Move /api/v1 from FastAPI to Django

vars:
  tenant: demo

backends:
  old:
    url: http://127.0.0.1:8000
    servers: ["127.0.0.1:8000"]
    headers: {Authorization: "Bearer ${OLD_TOKEN}"}
  new:
    url: http://127.0.0.1:8001
  fallback:
    url: http://127.0.0.1:8002

proxy:
  kind: nginx
  url: http://127.0.0.1:8080
  control:
    managed: {}
  server: {listen: "127.0.0.1:8080"}
  split:
    by: request
    # key: "$remote_addr$http_user_agent"
    override: {header: X-Cutover, cookie: cutover}
  routes:
    - path: /api/v1/
    - {path: /api-dj/, to: new}
    - {path: /, to: old}

phases:
  preflight:
    - http: {backend: old, path: /health}
    - name: Django is ready
      http:
        {backend: new, path: /health, status: 200, json: {status: ok}, headers: {X-Tenant-Host: "${tenant}.example"}}
      retry: {for: 60s, every: 2s}
  validate:
    - diff: {requests: ["GET /api/v1/studies/search?page=1"], ignore: ["$.generated_at"]}
    - load: {backend: new, concurrency: 100, for: 30s, thresholds: ["errors == 0%", "p95 <= 500ms"]}
  shift:
    - shift:
        through: [1, 10, 25, 50]
        hold: 5m
        gates:
          - traffic: {thresholds: ["errors <= 1%", "p95 <= 500ms", "p95 <= 1.5x old"]}
  cutover:
    - shift: {to: 100, hold: 10m}
    - wait: 5m
  soak:
    - watch: {for: 24h, gates: [{traffic: {thresholds: ["errors <= 5%"]}}]}
  cleanup:
    - command: {run: [docker, stop, fastapi]}
  rollback:
    - command: {run: [./restore.sh]}
"""
