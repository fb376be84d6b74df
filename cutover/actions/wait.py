"""The action ``wait``: let time pass."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from cutover.actions.base import Action, ActionContext
from cutover.plan.units import Duration, format_duration


class Wait(Action):
    """Wait, for instance until caches are warm.

    Example::

        wait: 5m
    """

    for_: Duration = Field(alias="for")

    @classmethod
    def from_scalar(cls, value: Any) -> Any:
        return value if isinstance(value, dict) else {"for": value}

    def summary(self) -> str:
        return format_duration(self.for_)

    def least_seconds(self) -> float:
        return self.for_

    async def run(self, ctx: ActionContext) -> str:
        await ctx.wait(self.for_)
        return f"waited {format_duration(self.for_)}"
