"""The check ``diff``: the same requests to old and new, and every difference that a client could notice."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from cutover.checks.base import Check, CheckContext, Result, Target
from cutover.parity.options import Options, options_of
from cutover.parity.settings import ComparedSources, FileName
from cutover.plan.base import PlanModel
from cutover.plan.request import Headers
from cutover.plan.thresholds import DIFFERENCES, Threshold, Verdict, parse_threshold
from cutover.plan.units import PositiveDuration, Size

if TYPE_CHECKING:
    from cutover.parity.fetch import HeadersFor, Side
    from cutover.parity.gather import Gathered
    from cutover.parity.learn import Learned
    from cutover.parity.run import Comparison

# Both sides, asked again, and once more both; what it takes at the most to compare such answers.
MOST_LOOKS = 5
COMPARING_S = 40.0
GRACE_S = 60.0
ACCEPT = "application/json, */*;q=0.8"
_METRICS = ("requests", *DIFFERENCES)
SideToAsk = Literal["old", "new", "fallback", "proxy"]


class Against(PlanModel):
    """Which two are compared; ``old`` is the one that is right."""

    old: SideToAsk = "old"
    new: SideToAsk = "new"

    @model_validator(mode="after")
    def _two(self) -> Self:
        if self.old == self.new:
            raise PydanticCustomError("diff", "a side compared with itself can't differ")
        return self


class Diff(Check, ComparedSources, Options):
    """Ask old and new the same, and compare status, headers and bodies.

    Example::

        diff: {requests: ["GET /api/v1/studies?page=1"], ignore: ["$.generated_at"]}

    Requests other than GET and HEAD are sent only with ``unsafe: true``, else skipped and named. A request may be a
    mapping with options of its own, which add to those of the step. ``timeout`` is that of one request.
    """

    hint: ClassVar[str | None] = "`cutover diff` shows each difference, and what would cure it"

    headers: Headers = Field(default_factory=dict)
    against: Against = Field(default_factory=Against)
    concurrency: Annotated[int, Field(ge=1, le=64)] = 4
    rps: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    timeout: PositiveDuration = 10.0
    max_body: Size = 64 * 1024 * 1024
    lacking: list[str] = Field(default_factory=list)
    save: FileName | None = None
    thresholds: list[Threshold] = Field(default_factory=lambda: [parse_threshold("mismatches <= 0%")])
    endpoints: dict[str, list[Threshold]] = Field(default_factory=dict)

    @field_validator("thresholds")
    @classmethod
    def _measured(cls, thresholds: list[Threshold]) -> list[Threshold]:
        return _measurable(thresholds, "")

    @field_validator("endpoints")
    @classmethod
    def _endpoints_measured(cls, endpoints: dict[str, list[Threshold]]) -> dict[str, list[Threshold]]:
        return {name: _measurable(thresholds, f" of {name}") for name, thresholds in endpoints.items()}

    @model_validator(mode="after")
    def _something_to_ask(self) -> Self:
        if not (self.listed or self.requests_file or self.sequences or self.drawn_from):
            message = "diff needs requests, sequences, a requests_file, or openapi, access_log or har to draw them from"
            raise PydanticCustomError("diff", "{message}", {"message": message})
        return self

    def default_timeout(self) -> float:
        """What it may take if nobody answers in time: each request has a limit of its own, so nothing else hangs."""
        count = len(self.all_requests()) + sum(map(len, self.sequences.values()))
        count += self.limit if self.drawn_from else 0
        each = MOST_LOOKS * (self.timeout / self.concurrency + (1 / self.rps if self.rps else 0)) + COMPARING_S
        return GRACE_S + count * each

    def asks(self) -> Sequence[str]:
        return (self.against.old, self.against.new)

    def requests(self) -> Sequence[str]:
        sequences = (f"{name}: {request}" for name, requests in self.sequences.items() for request in requests)
        return [*map(str, self.all_requests()), *sequences, *(f"(from the {source})" for source in self.drawn_from)]

    def summary(self) -> str:
        count = len(self.all_requests()) + sum(map(len, self.sequences.values()))
        parts = [f"{count} request{'s' if count != 1 else ''}"] if count or not self.drawn_from else []
        parts += [f"requests from the {source}" for source in self.drawn_from]
        limits = " and ".join(map(str, self.thresholds))
        return f"{', '.join(parts)}, {self.against.old} against {self.against.new}, {limits}"

    async def run(self, ctx: CheckContext) -> Result:
        return await self.compare(ctx)

    async def compare(self, ctx: CheckContext, *, whole: bool = True) -> Result:
        """Without ``whole`` only some requests are asked: limits and rules for others are not missed."""
        await asyncio.to_thread(_import_parity)
        from cutover.parity.gather import SourceError, coverage_of  # noqa: PLC0415 - start-up time
        from cutover.parity.judging import judge  # noqa: PLC0415 - start-up time
        from cutover.parity.told import details, summary  # noqa: PLC0415 - start-up time

        comparison = self._comparison(ctx)
        try:
            gathered = await self._gathered(ctx, comparison)
        except SourceError as error:
            return Result(Verdict.UNKNOWN, str(error), {"requests": 0.0})
        coverage = coverage_of(gathered, comparison.options, self.lacking)
        comparison = replace(comparison, endpoint_of=gathered.endpoint_of)
        if coverage is not None:
            comparison = replace(comparison, on_compared=coverage.add)
        report = await comparison.run(gathered.requests, self.sequences)
        if not whole:
            report.unused = []
        judged = judge(report, self.thresholds, self.endpoints, whole=whole)
        verdict = Verdict.FAIL if coverage is not None and coverage.lacking else judged.verdict
        told = {
            **await details(report), **gathered.to_json(), "reasons": judged.reasons,
            "coverage": coverage.to_json() if coverage else None,
        }  # fmt: skip
        summaries = [summary(report, judged.reasons), *([coverage.summary()] if coverage else [])]
        figures = report.figures()
        silent = verdict is Verdict.FAIL and 0 < figures.get("mismatches", 0.0) == figures["connection"]
        return Result(verdict, "; ".join(summaries), _shown(figures), told, silent=silent)

    @property
    def judged(self) -> str:
        return self.against.new

    async def learn(self, ctx: CheckContext, baseline: str | None = None) -> Learned:
        """What moves on old by itself; ``baseline`` is the URL of another instance of old. Raises ``SourceError``."""
        from cutover.parity.learn import learn  # noqa: PLC0415 - start-up time

        comparison = self._comparison(ctx)
        gathered = await self._gathered(ctx, comparison)
        old = ctx.target(self.against.old)
        again = replace(old, url=baseline.rstrip("/")) if baseline else old
        sides = replace(comparison, new=self._side(again, ctx), endpoint_of=gathered.endpoint_of)
        return await learn(sides, gathered.requests)

    def _comparison(self, ctx: CheckContext) -> Comparison:
        from cutover.parity.run import Comparison  # noqa: PLC0415 - start-up time

        return Comparison(
            old=self._side(ctx.target(self.against.old), ctx),
            new=self._side(ctx.target(self.against.new), ctx),
            options=options_of(self),
            public_url=ctx.plan.proxy.url,
            concurrency=self.concurrency,
            progress=ctx.progress,
        )

    async def _gathered(self, ctx: CheckContext, comparison: Comparison) -> Gathered:
        from cutover.parity.gather import gather, save  # noqa: PLC0415 - start-up time

        gathered = await gather(self, comparison.old, comparison.new, public_url=comparison.public_url)
        if self.save is not None:
            save(Path(self.save), gathered, self)
            ctx.progress(f"{len(gathered.requests)} requests written to {self.save}")
        return gathered

    def _side(self, target: Target, ctx: CheckContext) -> Side:
        from cutover.parity.fetch import Limits, Side  # noqa: PLC0415 - start-up time

        limits = Limits(timeout_s=self.timeout, max_body=self.max_body, connections=self.concurrency, rps=self.rps)
        return Side(target.name, target.address, self._headers(target, ctx.plan.proxy.url), limits)

    def _headers(self, target: Target, public_url: str) -> HeadersFor:
        """What is the same on both sides, the credentials of this one, and over them the step's and the request's."""
        own = {name.lower() for name in target.headers}
        common = {"Accept": ACCEPT}
        if "host" not in own:
            common["Host"] = urlsplit(public_url).netloc.rpartition("@")[2]

        def headers(of_request: Mapping[str, str]) -> dict[str, str]:
            given = {**self.headers, **of_request}
            names = {name.lower() for name in given}
            return target.headers_with({**{n: v for n, v in common.items() if n.lower() not in names}, **given})

        return headers


def _import_parity() -> None:
    """Beside the event loop, which would stand still for a quarter of a second."""
    for name in ("gather", "judging", "told", "run"):
        import_module(f"cutover.parity.{name}")


def _measurable(thresholds: list[Threshold], where: str) -> list[Threshold]:
    for threshold in thresholds:
        if threshold.metric not in _METRICS or threshold.relative:
            message = f"diff measures {', '.join(_METRICS)}, not {threshold}"
            raise PydanticCustomError("diff", "{message}", {"message": message})
    if not thresholds:
        message = f"thresholds{where} needs at least one, as in 'mismatches <= 0%'"
        raise PydanticCustomError("diff", "{message}", {"message": message})
    return thresholds


def _shown(figures: Mapping[str, float]) -> dict[str, float]:
    """Kinds of which there is none are left out."""
    return {name: value for name, value in figures.items() if value or name in {"requests", "mismatches"}}
