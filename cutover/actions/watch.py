"""The action ``watch``: gates again and again, for a time."""

from __future__ import annotations

from pydantic import Field, field_validator

from cutover.actions.base import Action, ActionContext
from cutover.actions.shift import DEFAULT_EVERY_S, gate_count
from cutover.plan.step import Gate, refuse_step_back
from cutover.plan.units import Duration, PositiveDuration, format_duration


class Watch(Action):
    """Leave the weight as it is and evaluate gates for a time; the first failure ends it.

    Example::

        watch: {for: 24h, every: 10s, gates: [http: {backend: proxy, path: /health}]}
    """

    for_: Duration = Field(alias="for")
    gates: list[Gate] = Field(min_length=1)
    every: PositiveDuration = DEFAULT_EVERY_S

    @field_validator("gates")
    @classmethod
    def _stays(cls, gates: list[Gate]) -> list[Gate]:
        return refuse_step_back(gates)

    def summary(self) -> str:
        return f"{gate_count(self.gates)} for {format_duration(self.for_)}, every {format_duration(self.every)}"

    def least_seconds(self) -> float:
        return self.for_

    async def run(self, ctx: ActionContext) -> str:
        await ctx.hold(self.for_, self.gates, self.every)
        return f"{gate_count(self.gates)} held for {format_duration(self.for_)}"
