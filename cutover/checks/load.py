"""The check ``load``: many clients at once or a fixed rate, and thresholds on what they saw."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from cutover.checks.base import BackendName, Check, CheckContext, Result, Target
from cutover.checks.diff import Diff
from cutover.checks.http import Status
from cutover.load.order import ImpossibleError, Order
from cutover.load.prepare import order as order_for
from cutover.load.prepare import prepare
from cutover.load.program import find_k6
from cutover.load.run import run_load
from cutover.load.tally import UNANSWERED, Tally
from cutover.load.telling import conclude
from cutover.load.turns import turns
from cutover.load.verdict import figures
from cutover.parity.settings import Documents, Sources
from cutover.plan.model import Plan
from cutover.plan.request import Headers, Request
from cutover.plan.step import Step
from cutover.plan.thresholds import DIFFERENCES, METRICS, MIN_SAMPLES, Threshold, Verdict, parse_threshold
from cutover.plan.units import Duration, PositiveDuration, Rate, format_duration, format_rate

if TYPE_CHECKING:
    from cutover.parity.fetch import Side

DEFAULT_CONCURRENCY = 10
MOST_CONNECTIONS = 1000
"""For a rate, unless the plan says: a backend that hangs is not also flooded with connections."""
DEFAULT_DURATION_S = 10.0
COUNT_LIMIT_S = 600.0
TIMEOUT_MARGIN_S = 60.0
SOURCES_TIMEOUT_S = 60.0
TURNS = 4
LEAST_TURN_S = 2.0
LEAST_OF_K6_S = 1.0
UNMEASURED = frozenset({"share", *DIFFERENCES})


class LoadRequest(Request):
    """A request with the answers that are no errors: any status under 400, unless ``status`` says otherwise."""

    status: Status | None = None


class Load(Check, Sources):
    """Ask a backend as many clients do, and judge what they saw.

    Example::

        load: {backend: new, concurrency: 100, for: 30s, thresholds: ["errors == 0%", "p95 <= 500ms"]}
        load: {backend: new, rate: 200/s, for: 30s, thresholds: ["errors == 0%", "p99 <= 1s"]}

    Without a ``rate``, ``concurrency`` clients ask one request after another; with one, requests arrive at that rate
    and wait for no answer, on ``concurrency`` connections at most. It lasts ``for`` so long, or until ``count``
    requests are done, and then ``for`` so long at most. Requests are the safe ones that the plan's ``diff`` steps list,
    unless it has sources of its own. With a threshold against ``old``, old is loaded in turns, for the same time.
    ``timeout`` is that of one request.
    """

    backend: BackendName
    rate: Rate | None = None
    concurrency: int | None = Field(default=None, ge=1, le=10_000)
    for_: PositiveDuration | None = Field(default=None, alias="for")
    count: int | None = Field(default=None, ge=1)
    warm_up: Duration = 0.0
    listed: list[LoadRequest] = Field(default_factory=list, alias="requests", min_length=1)
    headers: Headers = Field(default_factory=dict)
    timeout: PositiveDuration = 10.0
    thresholds: list[Threshold] = Field(default=[parse_threshold("errors == 0%")], min_length=1)
    engine: Literal["cutover", "k6"] = "cutover"
    binary: Annotated[str, Field(min_length=1)] | None = None

    @field_validator("listed")
    @classmethod
    def _unsafe_is_said(cls, listed: list[LoadRequest]) -> list[LoadRequest]:
        for request in listed:
            if not (request.safe or request.unsafe):
                raise _mistake(f"{request}: may change data, many times over: say unsafe: true in it", "unsafe")
        return listed

    @field_validator("openapi")
    @classmethod
    def _of_old_alone(cls, documents: Documents | None) -> Documents | None:
        if documents is not None and documents.new is not None:
            raise _mistake("load draws requests from old's document alone: leave new out")
        return documents

    @field_validator("thresholds")
    @classmethod
    def _measured(cls, thresholds: list[Threshold]) -> list[Threshold]:
        for threshold in thresholds:
            if threshold.metric in UNMEASURED:
                known = ", ".join(m for m in METRICS if m not in UNMEASURED)
                message = f"load does not measure {threshold.metric!r}; it measures {known}"
                raise _mistake(message, "threshold")
        return thresholds

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.against_old and self.backend == "old":
            raise _mistake("a threshold against old compares old with itself here")
        if self.rate and self.count and self.count / self.rate > self._limit:
            takes, limit = format_duration(self.count / self.rate), format_duration(self._limit)
            raise _mistake(f"{self.count} requests at {format_rate(self.rate)} take {takes}, and it ends after {limit}")
        too_few = [one for one in self.thresholds if self.count and MIN_SAMPLES.get(one.metric, 0) > self.count]
        if too_few:
            metric = too_few[0].metric
            raise _mistake(f"{metric} takes {MIN_SAMPLES[metric]:,} requests at least, and count is {self.count}")
        if self.binary is not None and self.engine != "k6":
            raise _mistake("binary is where k6 is: it needs engine: k6")
        timed = self.rate is not None or self.count is None
        if self.engine == "k6" and (0 < self.warm_up < LEAST_OF_K6_S or (timed and self._expected < LEAST_OF_K6_S)):
            raise _mistake("k6 asks for a second at least: give it a longer time")
        return self

    @property
    def against_old(self) -> bool:
        return any(threshold.relative is not None for threshold in self.thresholds)

    def summary(self) -> str:
        pace = f"{self.concurrency or DEFAULT_CONCURRENCY} clients at once"
        if self.rate is not None:
            pace = format_rate(self.rate) + (f" on {self.concurrency} connections at most" if self.concurrency else "")
        extent = f"{self.count} requests" if self.count is not None else format_duration(self._limit)
        limits = ", ".join(map(str, self.thresholds))
        by = " by k6" if self.engine == "k6" else ""
        return f"{self.backend} under {pace}{by}, {extent}: {limits}"

    def least_seconds(self) -> float:
        least = self._expected if self.rate is not None or self.count is None else 0.0
        return len(self._backends) * (self.warm_up + least)

    def default_timeout(self) -> float:
        rounds = len(self._backends) * self._turn_count()
        sources = SOURCES_TIMEOUT_S if self.drawn_from else 0.0
        asking = len(self._backends) * (self.warm_up + self._limit) + rounds * 2 * self.timeout
        return sources + asking + TIMEOUT_MARGIN_S

    def asks(self) -> Sequence[BackendName]:
        return [*self._backends, "old"] if self.openapi and "old" not in self._backends else self._backends

    def borrows(self, plan: Plan) -> Sequence[Step]:
        if self.listed or self.requests_file or self.drawn_from:
            return ()
        return [step for steps in plan.phases.values() for step in steps if isinstance(step.settings, Diff)]

    def requests(self) -> Sequence[str]:
        written = [*self.listed, *self.all_requests()]
        return [*map(str, written), *(f"(from the {source})" for source in self.drawn_from)]

    async def run(self, ctx: CheckContext) -> Result:
        from cutover.parity.gather import SourceError  # noqa: PLC0415 - start-up time

        tallies: dict[str, Tally] = {name: Tally() for name in self._backends}
        try:
            asked = await self._asked(ctx)
            k6 = find_k6(self.binary) if self.engine == "k6" else None
            orders = {name: self._order(ctx.target(name), asked.requests, k6) for name in self._backends}
            for backend, order in turns(orders, self._turn_count()):
                tallies[backend].merge(await run_load(order, self._teller(ctx, backend)), after=True)
        except (ImpossibleError, SourceError) as error:
            return Result(Verdict.UNKNOWN, f"{self.backend}: not measured: {error}")
        return self._result(tallies, asked)

    @property
    def _backends(self) -> list[BackendName]:
        return [self.backend, "old"] if self.against_old else [self.backend]

    @property
    def _limit(self) -> float:
        default = DEFAULT_DURATION_S if self.count is None else COUNT_LIMIT_S
        return default if self.for_ is None else self.for_

    @property
    def _expected(self) -> float:
        """How long it lasts, as far as that is known before."""
        return self.count / self.rate if self.count is not None and self.rate is not None else self._limit

    def _turn_count(self) -> int:
        if not self.against_old:
            return 1
        if self.count is None or self.rate is not None:
            return max(1, min(TURNS, int(self._expected / LEAST_TURN_S), self.count or TURNS))
        return max(1, min(TURNS, self.count // (self.concurrency or DEFAULT_CONCURRENCY)))

    async def _asked(self, ctx: CheckContext) -> Asked:
        """Raises ``SourceError``."""
        if not (self.requests_file or self.drawn_from):
            return Asked(self.listed or self._borrowed(ctx.plan))
        from cutover.parity.gather import SourceError, gather  # noqa: PLC0415 - start-up time

        gathered = await gather(self, self._side(ctx.target("old")), None, public_url=ctx.plan.proxy.url)
        allowed = [request for request in gathered.requests if request.safe or request.unsafe]
        drawn = [LoadRequest.model_validate(one.model_dump(by_alias=True, include=_OF_A_REQUEST)) for one in allowed]
        known = [one.model_copy(update={"status": None}) for one in self.listed]
        requests = [*self.listed, *(one for one in drawn if one not in known)]
        if not requests:
            where = " and ".join([*([str(self.requests_file)] if self.requests_file else []), *self.drawn_from])
            raise SourceError(f"no requests: none may be asked of those that {where} holds")
        return Asked(requests, len(gathered.requests) - len(allowed), gathered.to_json())

    def _borrowed(self, plan: Plan) -> list[LoadRequest]:
        found: dict[str, LoadRequest] = {}
        for diff in (step.settings for step in self.borrows(plan)):
            assert isinstance(diff, Diff)  # noqa: S101 - nothing else is borrowed
            for request in filter(lambda one: one.safe, diff.all_requests()):
                headers = {**diff.headers, **request.headers}
                found.setdefault(
                    f"{request} {headers}", LoadRequest(method=request.method, path=request.path, headers=headers)
                )
        return list(found.values()) or [LoadRequest(path="/")]

    def _side(self, target: Target) -> Side:
        from cutover.parity.fetch import Limits, Side  # noqa: PLC0415 - start-up time

        return Side(target.name, target.address, self._headers(target), Limits(timeout_s=self.timeout))

    def _headers(self, target: Target) -> Callable[[Mapping[str, str]], dict[str, str]]:
        return lambda own: target.headers_with({**self.headers, **own})

    def _order(self, target: Target, requests: Sequence[LoadRequest], k6: str | None) -> Order:
        headers = self._headers(target)
        prepared = tuple(
            prepare(request, target.address, headers(request.headers), _statuses(request.status))
            for request in requests
        )
        usual = DEFAULT_CONCURRENCY if self.rate is None else MOST_CONNECTIONS
        return order_for(
            target.address, prepared, concurrency=self.concurrency or usual, seconds=self._limit, count=self.count,
            warm_up=self.warm_up, timeout=self.timeout, rate=self.rate, k6=k6,
        )  # fmt: skip

    def _teller(self, ctx: CheckContext, backend: BackendName) -> Callable[[str], None]:
        prefix = f"{backend}: " if self.against_old else ""
        return lambda text: ctx.progress(prefix + text)

    def _result(self, tallies: Mapping[str, Tally], asked: Asked) -> Result:
        verdict, told, details = conclude(self.thresholds, tallies, self.backend, self.count)
        if asked.left_out:
            told += f"; left out, as it may change data: {asked.left_out} of the requests"
        broken = [one for one in self.thresholds if details["thresholds"][str(one)] is Verdict.FAIL]
        # Of those that were answered nothing is said to be wrong.
        unanswered = set(tallies[self.backend].errors) <= UNANSWERED
        silent = verdict is Verdict.FAIL and unanswered and all(one.metric == "errors" for one in broken)
        return Result(
            verdict, told, figures(tallies[self.backend]), {**details, "sources": asked.sources}, silent=silent
        )


@dataclass(frozen=True)
class Asked:
    """The requests; ``left_out`` of the written ones, and what ``sources`` say of themselves."""

    requests: Sequence[LoadRequest]
    left_out: int = 0
    sources: Mapping[str, Any] = field(default_factory=dict)


_OF_A_REQUEST = set(Request.model_fields)


def _statuses(status: Status | None) -> tuple[int, ...] | None:
    if status is None:
        return None
    return tuple(status) if isinstance(status, list) else (status,)


def _mistake(message: str, kind: str = "load") -> PydanticCustomError:
    return PydanticCustomError(kind, "{message}", {"message": message})
