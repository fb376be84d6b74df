"""Compare two sides over many requests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from cutover.parity.fetch import Side
from cutover.parity.options import ComparedRequest, Options, options_for
from cutover.parity.origins import Origins, own_hosts
from cutover.parity.report import Report, Rule
from cutover.parity.rounds import Rounds
from cutover.parity.rules import Rules


@dataclass(frozen=True)
class Comparison:
    """What is compared, and how. ``public_url`` is how clients reach the service; its host is sent to both sides."""

    old: Side
    new: Side
    options: Options = field(default_factory=Options)
    public_url: str = ""
    concurrency: int = 4
    progress: Callable[[str], None] = lambda _: None

    async def run(self, requests: Iterable[ComparedRequest]) -> Report:
        """Ask both sides for every request; those that write are skipped unless they say ``unsafe: true``."""
        report = Report()
        rules = _RulesOfRequests(self.options)
        async with self.old.open() as old, self.new.open() as new:
            rounds = Rounds(old, new, self._origins)
            todo = enumerate(_allowed(requests, report))
            async with asyncio.TaskGroup() as workers:
                for _ in range(self.concurrency):
                    workers.create_task(self._work(todo, rounds, rules, report))
        report.unused = rules.unused() if report.compared else []
        return report

    async def _work(
        self, todo: Iterator[tuple[int, ComparedRequest]], rounds: Rounds, rules: _RulesOfRequests, report: Report
    ) -> None:
        for number, request in todo:
            own = rules.of(request)
            report.add(request, await rounds.compare(request, own, new_first=number % 2 == 1))
            rules.done(own)
            self.progress(_progress(report))

    def _origins(self, rules: Rules) -> Origins:
        return Origins(
            old=own_hosts(self.old.url, self.public_url),
            new=own_hosts(self.new.url, self.public_url),
            rewrite_path=rules.options.rewrite_path,
            scheme=self.public_url.partition(":")[0] or "http",
        )


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


def _progress(report: Report) -> str:
    unknown = f", {report.unknown.count} unknown" if report.unknown.count else ""
    return f"{report.compared} compared, {report.failed} differ{unknown}"
