"""Compare two sides over many requests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, count

from cutover.parity.endpoints import EndpointOf, endpoint
from cutover.parity.fetch import Side
from cutover.parity.options import ComparedRequest, Options, SavingRequest, options_for
from cutover.parity.origins import Origins, own_hosts
from cutover.parity.report import Report, Rule
from cutover.parity.rounds import Outcome, Rounds
from cutover.parity.rules import Rules
from cutover.parity.sequence import run_sequence
from cutover.parity.work import working

Job = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Comparison:
    """What is compared, and how. ``public_url`` is how clients reach the service; its host is sent to both sides.

    ``concurrency`` is how many requests each side gets at a time.
    """

    old: Side
    new: Side
    options: Options = field(default_factory=Options)
    public_url: str = ""
    concurrency: int = 4
    endpoint_of: EndpointOf = endpoint
    on_compared: Callable[[ComparedRequest], None] = lambda _: None
    progress: Callable[[str], None] = lambda _: None

    async def run(
        self, requests: Iterable[ComparedRequest], sequences: Mapping[str, Sequence[SavingRequest]] | None = None
    ) -> Report:
        """Ask both sides for every request; those that write are skipped unless they say ``unsafe: true``."""
        report = self._report()
        rules = _RulesOfRequests(self.options)
        async with self.rounds() as rounds:
            jobs = _Jobs(rounds, rules, report, self.progress)
            order = count()
            todo = chain(
                (partial(jobs.single, next(order), one) for one in _allowed(requests, report)),
                (partial(jobs.sequence, next(order), *one) for one in _allowed_sequences(sequences or {}, report)),
            )
            await self._work(todo, self.concurrency)
        report.unused = rules.unused() if report.compared else []
        return report

    async def watch(self, requests: Iterable[ComparedRequest], pause_s: float, pending: int) -> Report:
        """Ask each side once, the second after a pause, and tell whatever differs. Only what changes nothing is sent.

        ``pending`` is how many requests may wait at a time; a pause keeps no connection.
        """
        report = self._report()
        rules = _RulesOfRequests(self.options)

        async def watch(order: int, request: ComparedRequest) -> None:
            report.add(request, await rounds.watch(request, rules.of(request), pause_s), order)
            self.progress(_progress(report))

        async with self.rounds() as rounds:
            await self._work((partial(watch, *one) for one in enumerate(_safe(requests, report))), pending)
        return report

    def _report(self) -> Report:
        return Report(endpoint_of=self.endpoint_of, on_compared=self.on_compared)

    @asynccontextmanager
    async def rounds(self) -> AsyncIterator[Rounds]:
        """Both sides, open."""
        old_hosts, new_hosts = own_hosts(self.old.url, self.public_url), own_hosts(self.new.url, self.public_url)
        scheme = self.public_url.partition(":")[0] or "http"

        def origins(rules: Rules) -> Origins:
            return Origins(old_hosts, new_hosts, rules.options.rewrite_path, scheme)

        async with self.old.open() as old, self.new.open() as new, working() as work:
            yield Rounds(old, new, origins, work)

    async def _work(self, todo: Iterator[Job], workers: int) -> None:
        async def work() -> None:
            for job in todo:
                await job()

        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(work())


@dataclass(frozen=True)
class _Jobs:
    """What one worker does at a time."""

    rounds: Rounds
    rules: _RulesOfRequests
    report: Report
    progress: Callable[[str], None]

    async def single(self, order: int, request: ComparedRequest) -> None:
        own = self.rules.of(request)
        self._count(request, own, await self.rounds.compare(request, own, new_first=order % 2 == 1), order)

    async def sequence(self, order: int, name: str, requests: Sequence[SavingRequest]) -> None:
        """One after the other; each by the ids that the ones before it gave."""
        async for request, own, outcome in run_sequence(name, requests, self.rounds, self.rules.of):
            self._count(request, own, outcome, order)

    def _count(self, request: ComparedRequest, own: Rules, outcome: Outcome, order: int) -> None:
        self.report.add(request, outcome, order)
        self.rules.done(own)
        self.progress(_progress(self.report))


class _RulesOfRequests:
    """Rules are compiled once for the step, and for each request with options of its own."""

    def __init__(self, options: Options) -> None:
        self.step = Rules(options)
        self.known: set[Rule] = self.step.unused()
        self.used: set[Rule] = set()

    def of(self, request: ComparedRequest) -> Rules:
        options = options_for(self.step.options, request)
        if options is self.step.options:
            return self.step
        rules = Rules(options)
        self.known |= rules.unused()
        return rules

    def done(self, rules: Rules) -> None:
        self.used |= rules.used

    def unused(self) -> list[Rule]:
        return sorted(self.known - self.used - self.step.used)


def _allowed(requests: Iterable[ComparedRequest], report: Report) -> Iterator[ComparedRequest]:
    for request in requests:
        if request.safe or request.unsafe:
            yield request
        else:
            report.skipped.add(str(request))


def _safe(requests: Iterable[ComparedRequest], report: Report) -> Iterator[ComparedRequest]:
    for request in requests:
        if request.safe:
            yield request
        else:
            report.skipped.add(str(request))


def _allowed_sequences(
    sequences: Mapping[str, Sequence[SavingRequest]], report: Report
) -> Iterator[tuple[str, Sequence[SavingRequest]]]:
    """All of a sequence or nothing: what follows a request that was not sent says nothing."""
    for name, requests in sequences.items():
        if writes := [request for request in requests if not (request.safe or request.unsafe)]:
            report.skipped.add(f"{name}: {writes[0]}")
        else:
            yield name, requests


def _progress(report: Report) -> str:
    unknown = f", {report.unknown.count} unknown" if report.unknown.count else ""
    return f"{report.compared} compared, {report.failed} differ{unknown}"
