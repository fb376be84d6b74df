"""The check ``traffic``: what the proxy saw of real requests, against thresholds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, ClassVar, Self

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from cutover.checks.base import BackendName, Check, CheckContext, Result
from cutover.errors import CutoverError
from cutover.plan.thresholds import DIFFERENCES, METRICS, Threshold, Verdict
from cutover.plan.units import Duration
from cutover.traffic import DEFAULT

USUAL_WINDOW_S = 300.0
UNMEASURED = frozenset(DIFFERENCES)
_PATH = re.compile(r"/[^\s?#]*")

Thresholds = Annotated[list[Threshold], Field(min_length=1)]


class Traffic(Check):
    """Judge new by what the proxy logged of its clients' requests since the last shift, every try counted.

    Example::

        traffic:
          thresholds: ["errors <= 1%", "p95 <= 500ms", "p95 <= 1.5x old", "share == weight"]
          routes:
            /api/v1/search: ["p95 <= 2s"]
            default: ["p95 <= 200ms"]

    ``thresholds`` are on all requests together. ``routes`` are path prefixes, the longest that matches wins;
    ``default`` is on what matches none. Only the newest ``window`` counts; unless given that is 5 minutes, or all since
    the shift where those hold too few requests. With fewer than ``min_requests`` on new nothing passes: 20 unless
    given, and at a weight above 20 as many as its percent.
    """

    needs_traffic: ClassVar[bool] = True

    thresholds: Thresholds = Field(default_factory=list)
    routes: dict[str, Thresholds] = Field(default_factory=dict)
    min_requests: int | None = Field(default=None, ge=1)
    window: Duration | None = None

    @field_validator("thresholds")
    @classmethod
    def _measured(cls, thresholds: list[Threshold]) -> list[Threshold]:
        _require_measured(thresholds, METRICS)
        for threshold in thresholds:
            if threshold.metric == "share" and threshold.relative in {"ratio", "offset"}:
                raise _mistake("share is of new alone: write a percentage, or share == weight")
        return thresholds

    @field_validator("routes")
    @classmethod
    def _are_paths(cls, routes: dict[str, list[Threshold]]) -> dict[str, list[Threshold]]:
        for route, thresholds in routes.items():
            if route != DEFAULT and not _PATH.fullmatch(route):
                raise _mistake(f"{route!r} is neither a path prefix, as in /api/v1/search, nor {DEFAULT!r}")
            _require_measured(thresholds, [metric for metric in METRICS if metric != "share"], f" of {route}")
        return routes

    @field_validator("window")
    @classmethod
    def _some_time(cls, window: float | None) -> float | None:
        if window == 0:
            raise _mistake("no time at all: nothing could be seen")
        return window

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        if not self.thresholds and not self.routes:
            raise _mistake("traffic needs thresholds, as in ['errors <= 1%', 'p95 <= 500ms'], or routes with some")
        return self

    def summary(self) -> str:
        parts = [", ".join(map(str, self.thresholds))] if self.thresholds else []
        parts += [f"{route}: {', '.join(map(str, limits))}" for route, limits in self.routes.items()]
        return "; ".join(parts)

    @property
    def longest_window(self) -> float:
        return USUAL_WINDOW_S if self.window is None else self.window

    @property
    def prefixes(self) -> list[str]:
        return [route for route in self.routes if route != DEFAULT]

    def asks(self) -> Sequence[BackendName]:
        return ()

    async def run(self, ctx: CheckContext) -> Result:
        from cutover.traffic.conclude import ALL, Question, conclude  # noqa: PLC0415 - start-up time
        from cutover.traffic.tries import NEW  # noqa: PLC0415 - start-up time
        from cutover.traffic.verdict import least_requests  # noqa: PLC0415 - start-up time

        observer = ctx.traffic
        try:
            seen = await observer.look(self.longest_window)
        except CutoverError as error:
            return Result(Verdict.UNKNOWN, f"the proxy's log can't be read: {error.message}")
        least = self.min_requests or least_requests(observer.weight)
        if self.window is None and seen.total(NEW).requests < least:
            seen = observer.all_seen()
        limits = {ALL: self.thresholds, **self.routes} if self.thresholds else self.routes
        question = Question(limits, observer.weight, least)
        return Result(*conclude(question, seen))


def _require_measured(thresholds: list[Threshold], known: Sequence[str], where: str = "") -> None:
    for threshold in thresholds:
        if threshold.metric not in known or threshold.metric in UNMEASURED:
            shown = ", ".join(metric for metric in known if metric not in UNMEASURED)
            raise _mistake(f"traffic{where} does not measure {threshold.metric!r}; it measures {shown}")


def _mistake(message: str) -> PydanticCustomError:
    return PydanticCustomError("traffic", "{message}", {"message": message})
