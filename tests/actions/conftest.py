"""What the engine gives an action, with a record of what the action did with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cutover.actions import ACTIONS
from cutover.checks import CHECKS
from cutover.checks.base import BackendName, Target
from cutover.plan.model import Plan
from cutover.plan.step import Gate, Step, StepSettings
from cutover.traffic.observer import Observer


@dataclass
class Recording:
    """An ``ActionContext`` that carries out nothing and notes everything."""

    plan: Plan
    artifacts: Path
    weight: int = 0
    told: list[str] = field(default_factory=list)
    done: list[object] = field(default_factory=list)

    def progress(self, text: str) -> None:
        self.told.append(text)

    def target(self, name: BackendName) -> Target:
        return Target(name, "http://127.0.0.1:1")

    async def log_trouble(self) -> str | None:
        return None

    @property
    def traffic(self) -> Observer:
        raise AssertionError("nothing here asks for traffic")

    async def shift(self, weight: int) -> None:
        self.weight = weight
        self.done.append(weight)

    async def hold(self, seconds: float, gates: Sequence[Gate], every: float) -> None:
        self.done.append(("hold", seconds, len(gates), every))

    async def lease(self, seconds: float) -> None:
        self.done.append(("lease", seconds))

    async def wait(self, seconds: float) -> None:
        self.done.append(("wait", seconds))

    async def approve(self, message: str) -> None:
        self.done.append(("approve", message))


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    plan = {
        "version": 1,
        "name": "example",
        "backends": {"old": {"url": "http://127.0.0.1:1"}, "new": {"url": "http://127.0.0.1:2"}},
        "proxy": {"url": "http://127.0.0.1:3", "control": {"managed": {}}, "server": {"listen": "127.0.0.1:3"}},
        "phases": {},
    }
    return Recording(Plan.model_validate(plan, context={"step_types": {}}), tmp_path)


MakeAction = Callable[[str, object], StepSettings]


@pytest.fixture
def action() -> Callable[[str, object], object]:
    """``action("shift", {"to": 10})``: the settings, as a plan would make them."""
    from pydantic import TypeAdapter  # noqa: PLC0415 - only here

    def make(name: str, settings: object) -> StepSettings:
        step: Step = TypeAdapter(Step).validate_python({name: settings}, context={"step_types": {**CHECKS, **ACTIONS}})
        return step.settings

    return make
