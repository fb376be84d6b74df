"""The check ``diff``: the same requests to old and new, and every difference that a client could notice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from cutover.checks.base import Check, CheckContext, Result, Target
from cutover.parity.options import ComparedRequest, Options, options_of
from cutover.parity.sources.lines import read_requests
from cutover.plan.base import PlanModel
from cutover.plan.request import Headers
from cutover.plan.thresholds import Threshold, Verdict, parse_threshold, worst
from cutover.plan.units import Duration, Size

if TYPE_CHECKING:
    from cutover.parity.fetch import HeadersFor, Side

ACCEPT = "application/json, */*;q=0.8"
_METRICS = ("mismatches", "requests")
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


class Diff(Check, Options):
    """Ask old and new the same, and compare status, headers and bodies.

    Example::

        diff: {requests: ["GET /api/v1/studies?page=1"], ignore: ["$.generated_at"]}

    Requests other than GET and HEAD are sent only with ``unsafe: true``, else skipped and named. A request may be a
    mapping with options of its own, which add to those of the step. ``timeout`` is that of one request.
    """

    listed: list[ComparedRequest] = Field(default_factory=list, alias="requests")
    requests_file: str | None = None
    headers: Headers = Field(default_factory=dict)
    against: Against = Field(default_factory=Against)
    concurrency: Annotated[int, Field(ge=1, le=64)] = 4
    timeout: Duration = 10.0
    max_body: Size = 64 * 1024 * 1024
    thresholds: list[Threshold] = Field(default_factory=lambda: [parse_threshold("mismatches <= 0%")])

    @field_validator("requests_file")
    @classmethod
    def _readable(cls, file: str | None) -> str | None:
        if file is not None:
            read_requests(Path(file))
        return file

    @field_validator("thresholds")
    @classmethod
    def _measured(cls, thresholds: list[Threshold]) -> list[Threshold]:
        for threshold in thresholds:
            if threshold.metric not in _METRICS or threshold.relative:
                message = f"diff measures {' and '.join(_METRICS)}, not {threshold}"
                raise PydanticCustomError("diff", "{message}", {"message": message})
        if not thresholds:
            raise PydanticCustomError("diff", "thresholds needs at least one, as in 'mismatches <= 0%'")
        return thresholds

    @model_validator(mode="after")
    def _something_to_ask(self) -> Self:
        if not self.listed and self.requests_file is None:
            raise PydanticCustomError("diff", "diff needs requests, or a requests_file")
        return self

    def all_requests(self) -> list[ComparedRequest]:
        """The plan's own and the file's."""
        return [*self.listed, *(read_requests(Path(self.requests_file)) if self.requests_file else [])]

    def requests(self) -> Sequence[str]:
        return [str(request) for request in self.all_requests()]

    def summary(self) -> str:
        count = len(self.all_requests())
        limits = " and ".join(map(str, self.thresholds))
        return f"{count} request{'s' if count != 1 else ''}, {self.against.old} against {self.against.new}, {limits}"

    async def run(self, ctx: CheckContext) -> Result:
        from cutover.parity.run import Comparison  # noqa: PLC0415 - start-up time
        from cutover.parity.told import details, summary  # noqa: PLC0415 - start-up time

        comparison = Comparison(
            old=self._side(ctx.target(self.against.old), ctx),
            new=self._side(ctx.target(self.against.new), ctx),
            options=options_of(self),
            public_url=ctx.plan.proxy.url,
            concurrency=self.concurrency,
            progress=ctx.progress,
        )
        report = await comparison.run(self.all_requests())
        figures = {"requests": float(report.compared)}
        if report.compared:
            figures["mismatches"] = report.mismatches
        verdict = worst([threshold.judge(figures) for threshold in self.thresholds])
        if verdict is Verdict.PASS and (report.unknown.count or not report.compared):
            verdict = Verdict.UNKNOWN
        return Result(verdict, summary(report), figures, await details(report))

    def _side(self, target: Target, ctx: CheckContext) -> Side:
        from cutover.parity.fetch import Limits, Side  # noqa: PLC0415 - start-up time

        limits = Limits(timeout_s=self.timeout, max_body=self.max_body, connections=self.concurrency)
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
