"""The check ``traffic``: what the proxy saw of real requests, against thresholds and against old."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from cutover.checks.base import BackendName, Check, CheckContext, Result
from cutover.errors import CutoverError
from cutover.plan.base import PlanModel
from cutover.plan.thresholds import DIFFERENCES, METRICS, Threshold, Verdict
from cutover.plan.units import Duration, Percentage
from cutover.traffic import DEFAULT

if TYPE_CHECKING:
    from cutover.traffic.conclude import Conclusion
    from cutover.traffic.judge import Terms

USUAL_WINDOW_S = 300.0
LEAST_WINDOW_S = 1.0
UNMEASURED = frozenset(DIFFERENCES)
_PATH = re.compile(r"/[^\s?#]*")

ALL_TRAFFIC = 100
LEAST_CONFIDENCE, MOST_CONFIDENCE = 50.0, 99.99


class Judge(PlanModel):
    """Compare new with old over the same time: it fails where new is surely worse by more than ``tolerance``.

    ``confidence``: how often a new that is just like old goes through a whole hold without a false alarm, at least.
    """

    confidence: Percentage = 98.0
    tolerance: Percentage = 25.0

    @field_validator("confidence")
    @classmethod
    def _within_reach(cls, confidence: float) -> float:
        if not LEAST_CONFIDENCE <= confidence <= MOST_CONFIDENCE:
            raise _mistake(
                f"{confidence:g}% is no confidence: it is from {LEAST_CONFIDENCE:g}% to {MOST_CONFIDENCE:g}%"
            )
        return confidence

    def __str__(self) -> str:
        return f"at most {self.tolerance:g}% worse than old, {self.confidence:g}% sure"


class Traffic(Check):
    """Judge new by what the proxy logged of its clients' requests since the last shift, every try counted.

    Example::

        traffic:
          judge: {confidence: 98%, tolerance: 25%}
          thresholds: ["errors <= 1%", "p95 <= 500ms", "p95 <= 1.5x old", "share == weight"]
          routes:
            /api/v1/search: ["p95 <= 2s"]
            default: ["p95 <= 200ms"]

    ``thresholds`` are on all requests together. ``routes`` are path prefixes, the longest that matches wins;
    ``default`` is on what matches none. The judge compares all that is split, and each route that has enough requests
    besides. Only the newest ``window`` counts; unless given that is 5 minutes, and as much before them as it takes
    where those hold too few requests. With fewer than ``min_requests`` on new nothing passes: 20 unless given, and at
    a weight above 20 as many as its percent.
    """

    needs_traffic: ClassVar[bool] = True

    judge: Judge | None = None
    thresholds: list[Threshold] = Field(default_factory=list, min_length=1)
    routes: dict[str, list[Threshold]] = Field(default_factory=dict)
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
    def _are_paths(cls, routes: dict[str, list[Threshold]], info: ValidationInfo) -> dict[str, list[Threshold]]:
        judge = info.data.get("judge")
        for route, thresholds in routes.items():
            if not thresholds and judge is None:
                raise _mistake(f"{route}: at least 1 item is needed, as in ['p95 <= 2s'], or a judge")
            if route != DEFAULT and not _PATH.fullmatch(route):
                raise _mistake(f"{route!r} is neither a path prefix, as in /api/v1/search, nor {DEFAULT!r}")
            _require_measured(thresholds, [metric for metric in METRICS if metric != "share"], f" of {route}")
        return routes

    @field_validator("window")
    @classmethod
    def _some_time(cls, window: float | None) -> float | None:
        if window is not None and window < LEAST_WINDOW_S:
            raise _mistake(f"next to nothing could be seen in it: a window takes {LEAST_WINDOW_S:g}s at least")
        return window

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        if not (self.thresholds or self.routes or self.judge):
            example = "['errors <= 1%', 'p95 <= 500ms']"
            raise _mistake(f"traffic needs thresholds, as in {example}, or routes with some, or a judge")
        return self

    def summary(self) -> str:
        parts = [str(self.judge)] if self.judge else []
        parts += [", ".join(map(str, self.thresholds))] if self.thresholds else []
        parts += [f"{route}: {', '.join(map(str, limits))}" for route, limits in self.routes.items() if limits]
        return "; ".join(parts)

    def unmeasurable(self, weight: int) -> str | None:
        if not weight:
            return "all traffic is on old then: there are no requests of new to see"
        if weight == ALL_TRAFFIC and self._compares:
            compared = "the judge" if self.judge else "a limit against old"
            return (
                f"at weight 100 nothing goes to old, and {compared} is unknown: leave it to the weights below, "
                "and limits on new alone to this one"
            )
        return None

    @property
    def _compares(self) -> bool:
        limits = [self.thresholds, *self.routes.values()]
        return self.judge is not None or any(one.against_old for some in limits for one in some)

    @property
    def longest_window(self) -> float:
        return USUAL_WINDOW_S if self.window is None else self.window

    @property
    def prefixes(self) -> list[str]:
        return [route for route in self.routes if route != DEFAULT]

    def asks(self) -> Sequence[BackendName]:
        return ()

    async def obstacle(self, ctx: CheckContext, held_s: float) -> str | None:
        if not held_s:
            return "it is asked at once after the change, when new has had no requests yet: give the shift a hold"
        return await ctx.log_trouble()

    async def run(self, ctx: CheckContext) -> Result:
        from cutover.traffic.conclude import ALL, Question, conclude  # noqa: PLC0415 - start-up time
        from cutover.traffic.judge import LEAST_SAMPLES  # noqa: PLC0415 - start-up time
        from cutover.traffic.lately import RECENT_S, by_backend  # noqa: PLC0415 - start-up time
        from cutover.traffic.tries import NEW  # noqa: PLC0415 - start-up time
        from cutover.traffic.verdict import least_requests  # noqa: PLC0415 - start-up time

        observer = ctx.traffic
        least = self.min_requests or least_requests(observer.weight)
        limits = {ALL: self.thresholds, **self.routes} if self.thresholds else self.routes

        async def concluded(*, reaching_back: int = 0) -> tuple[Conclusion, int]:
            seen = await observer.look(self.longest_window, reaching_back)
            question = Question(limits, observer.weight, least, self._terms(observer.age, least))
            newest, heard = observer.newest(self.longest_window), observer.heard(seen, self.longest_window)
            found = await asyncio.to_thread(conclude, question, seen, newest, heard)
            return found, seen.requests(NEW)

        try:
            found, requests = await concluded()
            # What fails within the window fails, however well it went before; and without any request there is nothing
            # that a time before it could add to. Else what lacks may be one route's, old's, or those of a percentile.
            reach = max(least, LEAST_SAMPLES if self.judge else 0, requests + 1)
            while self.window is None and requests and found.lacking:
                found, reached = await concluded(reaching_back=reach)
                if reached < reach:
                    break
                reach = 2 * reached
        except CutoverError as error:
            return Result(Verdict.UNKNOWN, f"the proxy's log can't be read: {error.message}")
        backends = by_backend(observer.recent(RECENT_S))
        return Result(found.verdict, found.summary, found.figures, found.details, backends=backends)

    def _terms(self, age: float, least: int) -> Terms | None:
        from cutover.traffic.judge import LEAST_SAMPLES, Terms  # noqa: PLC0415 - start-up time

        if self.judge is None:
            return None
        window = int(age / self.longest_window)
        return Terms(self.judge.confidence, self.judge.tolerance, window, max(least, LEAST_SAMPLES))


def _require_measured(thresholds: list[Threshold], known: Sequence[str], where: str = "") -> None:
    for threshold in thresholds:
        if threshold.metric not in known or threshold.metric in UNMEASURED:
            shown = ", ".join(metric for metric in known if metric not in UNMEASURED)
            raise _mistake(f"traffic{where} does not measure {threshold.metric!r}; it measures {shown}")


def _mistake(message: str) -> PydanticCustomError:
    return PydanticCustomError("traffic", "{message}", {"message": message})
