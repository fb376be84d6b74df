"""From a plan's file to a validated ``Plan``."""

from cutover.plan.load import LoadedPlan, load_plan, peek_name

__all__ = ["LoadedPlan", "load_plan", "peek_name"]
