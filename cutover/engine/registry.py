"""All step types that a plan may use."""

from __future__ import annotations

from cutover.actions import ACTIONS
from cutover.checks import CHECKS
from cutover.plan.step import StepSettings

STEP_TYPES: dict[str, type[StepSettings]] = {**CHECKS, **ACTIONS}
