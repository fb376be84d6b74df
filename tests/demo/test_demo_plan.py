"""The demo's plan is a plan, and a short one."""

from __future__ import annotations

from pathlib import Path

import pytest

from cutover.demo.backends import TOKEN_ENV
from cutover.demo.plan import plan_text
from cutover.engine.registry import STEP_TYPES
from cutover.plan.load import LoadedPlan, load_plan

MARGIN_S = 15


def load(folder: Path, **options: str) -> LoadedPlan:
    text = plan_text(old="http://127.0.0.1:1", new="http://127.0.0.1:2", proxy_port=3, **options)  # type: ignore[arg-type]
    (folder / "plan.yml").write_text(text)
    return load_plan(folder / "plan.yml", STEP_TYPES, {TOKEN_ENV: "a token that is secret"})


@pytest.mark.parametrize(
    "options", [{}, {"by": "client"}, {"container": "edge"}, {"container": "edge", "by": "client"}]
)
def test_it_loads_in_every_variant(tmp_path: Path, options: dict[str, str]) -> None:
    plan = load(tmp_path, **options).plan
    assert list(plan.phases) == ["preflight", "validate", "shift", "cutover", "soak", "cleanup", "rollback"]
    assert plan.proxy.split.by == options.get("by", "request")
    assert plan.proxy.control.kind == ("docker" if "container" in options else "managed")


def test_it_takes_less_than_forty_five_seconds(tmp_path: Path) -> None:
    plan = load(tmp_path).plan
    steps = [step for phase in plan.forward_phases for step in plan.phases[phase]]
    assert sum(step.settings.least_seconds() for step in steps) <= 45 - MARGIN_S


def test_it_holds_no_token(tmp_path: Path) -> None:
    loaded = load(tmp_path)
    assert "a token that is secret" not in loaded.text + loaded.resolved_yaml()
