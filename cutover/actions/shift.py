"""The action ``shift``: change the weight, and hold it while gates watch."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from cutover.actions.base import Action, ActionContext
from cutover.plan.step import Gate
from cutover.plan.units import Duration, PositiveDuration, format_duration

DEFAULT_EVERY_S = 5.0
# Two renewals may fail within the shortest; nginx looks for a file for each ten seconds of the longest.
LEASE_MIN_S = 10.0
LEASE_MAX_S = 3600.0
Weight = Annotated[int, Field(ge=0, le=100)]
RisingWeight = Annotated[int, Field(ge=1, le=100)]


class Shift(Action):
    """Send a percentage of traffic to new: one weight (``to``), or several in turn (``through``), each held for a time.

    Example::

        shift:
          through: [1, 10, 25, 50]
          hold: 5m
          gates:
            - http: {backend: proxy, path: /health}
    """

    to: Weight | None = None
    through: list[RisingWeight] | None = Field(default=None, min_length=1)
    hold: Duration = 0.0
    gates: list[Gate] = Field(default_factory=list)
    every: PositiveDuration = DEFAULT_EVERY_S
    lease: Duration | None = None

    @field_validator("through")
    @classmethod
    def _rising(cls, through: list[int] | None) -> list[int] | None:
        if through is not None and any(a >= b for a, b in pairwise(through)):
            raise PydanticCustomError("shift", "the weights of through must rise, as in [1, 10, 25, 50]")
        return through

    @field_validator("lease")
    @classmethod
    def _some_slots(cls, lease: float | None) -> float | None:
        if lease is not None and not LEASE_MIN_S <= lease <= LEASE_MAX_S:
            limits = f"{format_duration(LEASE_MIN_S)} to {format_duration(LEASE_MAX_S)}"
            raise PydanticCustomError("shift", "{message}", {"message": f"a lease takes {limits}, as in 2m"})
        return lease

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.to is None) == (self.through is None):
            raise PydanticCustomError("shift", "shift needs exactly one of to, through")
        return self

    @property
    def weights(self) -> list[int]:
        return [self.to] if self.to is not None else self.through or []

    def summary(self) -> str:
        path = " → ".join(map(str, self.weights)) + " %"
        lease = [f"lease {format_duration(self.lease)}"] if self.lease is not None else []
        if not self.hold and not self.gates:
            return ", ".join([path, *lease])
        each = " each" if len(self.weights) > 1 else ""
        parts = [path, f"hold {format_duration(self.hold)}{each}"] if self.hold else [path]
        return ", ".join([*parts, gate_count(self.gates), *lease])

    def least_seconds(self) -> float:
        return self.hold * len(self.weights)

    async def run(self, ctx: ActionContext) -> str:
        if self.lease is not None:
            await ctx.lease(self.lease)
        before = ctx.weight
        weights = self.weights if self.through is None else [w for w in self.weights if w >= before]
        for weight in weights:
            await ctx.shift(weight)
            await ctx.hold(self.hold, self.gates, self.every)
        if not weights:
            return f"already at {before} %"
        way = weights if weights[0] == before else [before, *weights]
        return f"weight {' → '.join(map(str, way))} %"


def gate_count(gates: Sequence[Gate]) -> str:
    if not gates:
        return "no gates"
    return f"{len(gates)} gate{'s' if len(gates) > 1 else ''}"
