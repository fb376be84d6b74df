"""The check ``load``: many clients at once, and thresholds on what they saw."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Self

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from cutover.checks.base import BackendName, Check, CheckContext, Result
from cutover.checks.diff import Diff
from cutover.checks.http import Status
from cutover.load.order import ImpossibleError, Order
from cutover.load.prepare import order as order_for
from cutover.load.prepare import prepare
from cutover.load.run import run_load
from cutover.load.tally import Tally
from cutover.load.verdict import bottleneck, describe, figures, judge
from cutover.plan.model import Plan
from cutover.plan.request import Request
from cutover.plan.step import Step
from cutover.plan.thresholds import DIFFERENCES, METRICS, Threshold, Verdict, parse_threshold, worst
from cutover.plan.units import Duration, format_duration

DEFAULT_DURATION_S = 10.0
COUNT_LIMIT_S = 600.0
TIMEOUT_MARGIN_S = 60.0
TURNS = 4
LEAST_TURN_S = 2.0
MAX_SAMPLES = 10
UNMEASURED = frozenset({"share", *DIFFERENCES})


class LoadRequest(Request):
    """A request with the answers that are no errors: any status under 400, unless ``status`` says otherwise."""

    status: Status | None = None


class Load(Check):
    """Keep many clients asking a backend, each one request after another, and judge what they saw.

    Example::

        load: {backend: new, concurrency: 100, for: 30s, thresholds: ["errors == 0%", "p95 <= 500ms"]}

    It lasts ``for`` so long, or until ``count`` requests are done, and then ``for`` so long at most. ``requests`` are
    the safe ones of the plan's ``diff`` steps unless given. With a threshold against ``old``, old is loaded in turns,
    for the same time. ``timeout`` is that of one request.
    """

    backend: BackendName
    concurrency: int = Field(default=10, ge=1, le=10_000)
    for_: Duration | None = Field(default=None, alias="for")
    count: int | None = Field(default=None, ge=1)
    asked: list[LoadRequest] | None = Field(default=None, alias="requests", min_length=1)
    warm_up: Duration = 0.0
    timeout: Duration = 10.0
    thresholds: list[Threshold] = Field(default=[parse_threshold("errors == 0%")], min_length=1)

    @field_validator("for_", "timeout")
    @classmethod
    def _some_time(cls, value: float | None) -> float | None:
        if value == 0:
            raise PydanticCustomError("load", "no time at all: nothing could be measured")
        return value

    @field_validator("asked")
    @classmethod
    def _unsafe_is_said(cls, asked: list[LoadRequest] | None) -> list[LoadRequest] | None:
        for request in asked or ():
            if not (request.safe or request.unsafe):
                message = f"{request}: may change data, many times over: say unsafe: true in it"
                raise PydanticCustomError("unsafe", "{message}", {"message": message})
        return asked

    @field_validator("thresholds")
    @classmethod
    def _measured(cls, thresholds: list[Threshold]) -> list[Threshold]:
        for threshold in thresholds:
            if threshold.metric in UNMEASURED:
                known = ", ".join(m for m in METRICS if m not in UNMEASURED)
                message = f"load does not measure {threshold.metric!r}; it measures {known}"
                raise PydanticCustomError("threshold", "{message}", {"message": message})
        return thresholds

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.against_old and self.backend == "old":
            raise PydanticCustomError("load", "a threshold against old compares old with itself here")
        return self

    @property
    def against_old(self) -> bool:
        return any(threshold.relative is not None for threshold in self.thresholds)

    def summary(self) -> str:
        extent = f"{self.count} requests" if self.count is not None else format_duration(self._limit)
        limits = ", ".join(map(str, self.thresholds))
        return f"{self.backend} under {self.concurrency} clients at once, {extent}: {limits}"

    def least_seconds(self) -> float:
        return len(self._backends) * (self.warm_up + (self._limit if self.count is None else 0.0))

    def default_timeout(self) -> float:
        turns = len(self._backends) * self._turn_count()
        return len(self._backends) * (self.warm_up + self._limit) + turns * 2 * self.timeout + TIMEOUT_MARGIN_S

    def asks(self) -> Sequence[BackendName]:
        return self._backends

    def borrows(self, plan: Plan) -> Sequence[Step]:
        if self.asked is not None:
            return ()
        return [step for steps in plan.phases.values() for step in steps if isinstance(step.settings, Diff)]

    def requests(self) -> Sequence[str]:
        return tuple(str(request) for request in self.asked or ())

    async def run(self, ctx: CheckContext) -> Result:
        tallies: dict[BackendName, Tally] = {name: Tally() for name in self._backends}
        try:
            for backend, order in self._turns(ctx):
                tell = self._teller(ctx, backend)
                tallies[backend].merge(await run_load(order, tell), after=True)
        except ImpossibleError as error:
            return Result(Verdict.UNKNOWN, f"{self.backend}: not measured: {error}")
        return self._result(tallies)

    @property
    def _backends(self) -> list[BackendName]:
        return [self.backend, "old"] if self.against_old else [self.backend]

    def _turns(self, ctx: CheckContext) -> Iterator[tuple[BackendName, Order]]:
        """Each backend's share of each turn; whoever comes first in one comes last in the next."""
        orders = {name: self._order(ctx, name) for name in self._backends}
        turns = self._turn_count()
        for turn in range(turns):
            for name in self._backends if turn % 2 == 0 else reversed(self._backends):
                order = orders[name]
                count = None if order.count is None else order.count // turns + (turn < order.count % turns)
                warm_up = order.warm_up if turn == 0 else 0.0
                yield name, replace(order, seconds=order.seconds / turns, count=count, warm_up=warm_up)

    def _turn_count(self) -> int:
        if not self.against_old:
            return 1
        least = self.count // self.concurrency if self.count is not None else int(self._limit / LEAST_TURN_S)
        return max(1, min(TURNS, least))

    def _order(self, ctx: CheckContext, name: BackendName) -> Order:
        target = ctx.target(name)
        requests = tuple(
            prepare(request, target.address, target.headers_with(request.headers), _statuses(request.status))
            for request in self._asked(ctx)
        )
        return order_for(
            target.address, requests, concurrency=self.concurrency, seconds=self._limit, count=self.count,
            warm_up=self.warm_up, timeout=self.timeout,
        )  # fmt: skip

    @property
    def _limit(self) -> float:
        default = DEFAULT_DURATION_S if self.count is None else COUNT_LIMIT_S
        return default if self.for_ is None else self.for_

    def _asked(self, ctx: CheckContext) -> list[LoadRequest]:
        if self.asked is not None:
            return self.asked
        found: dict[str, LoadRequest] = {}
        for diff in (step.settings for step in self.borrows(ctx.plan)):
            assert isinstance(diff, Diff)  # noqa: S101 - nothing else is borrowed
            for request in filter(lambda one: one.safe, diff.all_requests()):
                headers = {**diff.headers, **request.headers}
                found.setdefault(
                    f"{request} {headers}", LoadRequest(method=request.method, path=request.path, headers=headers)
                )
        return list(found.values()) or [LoadRequest(path="/")]

    def _teller(self, ctx: CheckContext, backend: BackendName) -> Callable[[str], None]:
        prefix = f"{backend}: " if self.against_old else ""
        return lambda text: ctx.progress(prefix + text)

    def _result(self, tallies: dict[BackendName, Tally]) -> Result:
        new, old = tallies[self.backend], tallies["old"] if self.against_old else None
        judged = judge(self.thresholds, new, old)
        limited = [name for name, tally in tallies.items() if bottleneck(tally)]
        summary = f"{self.backend}: {describe(new)}"
        if old is not None:
            summary += f"; old: {describe(old)}"
        for one in judged:
            if one.verdict is not Verdict.PASS:
                summary += f"; {one.verdict}: {one.threshold}{f' ({one.why})' if one.why else ''}"
        if limited:
            summary += "; the load generator was the limit, so times are upper bounds"
        verdicts = [one.verdict for one in judged]
        for name, tally in tallies.items():
            if self.count is not None and tally.requests < self.count:
                verdicts.append(Verdict.UNKNOWN)
                summary += f"; only {tally.requests:,} of {self.count:,} requests to {name} within the time"
        return Result(
            worst(verdicts),
            summary,
            figures=figures(new),
            details={
                "bottleneck": bool(limited),
                "thresholds": {str(one.threshold): one.verdict for one in judged},
                "backends": {name: _detail(tally) for name, tally in tallies.items()},
            },
        )


def _statuses(status: Status | None) -> tuple[int, ...] | None:
    if status is None:
        return None
    return tuple(status) if isinstance(status, list) else (status,)


def _detail(tally: Tally) -> dict[str, Any]:
    return {
        "figures": figures(tally),
        "at_least": figures(tally, surely=True),
        "statuses": {str(status): count for status, count in tally.statuses.items()},
        "errors": dict(tally.errors),
        "samples": dict(tally.samples.most_common(MAX_SAMPLES)),
        "connects": tally.connects,
        "seconds": tally.seconds,
        "busy": tally.busy,
    }
