"""From a plan's file to a validated ``Plan``."""

from __future__ import annotations

from typing import Any

from cutover.plan.load import LoadedPlan, load_plan, peek_name
from cutover.plan.step import StepTypes

__all__ = ["LoadedPlan", "load_plan", "peek_name", "plan_schema"]


def plan_schema(step_types: StepTypes) -> dict[str, Any]:
    """The JSON Schema (2020-12) of plans with these step types."""
    from cutover.plan.schema import plan_schema as make  # noqa: PLC0415 - start-up time

    return make(step_types)
