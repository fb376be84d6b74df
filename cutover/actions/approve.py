"""The action ``approve``: go on when a person says so."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from cutover.actions.base import Action, ActionContext


class Approve(Action):
    """Stop until somebody runs ``cutover approve``.

    Example::

        approve: Dashboards look right, and support knows
    """

    message: str = Field(min_length=1)

    @classmethod
    def from_scalar(cls, value: Any) -> Any:
        return value if isinstance(value, dict) else {"message": value}

    def summary(self) -> str:
        return self.message

    async def run(self, ctx: ActionContext) -> str:
        await ctx.approve(self.message)
        return f"approved: {self.message}"
