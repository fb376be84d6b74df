"""What a whole comparison found: per endpoint, worst first, in memory that does not grow with the requests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field

from cutover.parity.endpoints import EndpointOf, endpoint
from cutover.parity.findings import FURTHER_PATHS, Findings, Key, Kind, Level, Tally
from cutover.parity.noise import Noise
from cutover.parity.options import ComparedRequest
from cutover.parity.rounds import Outcome

MAX_NAMED = 50
MAX_ENDPOINTS = 1000
MAX_KEYS = 20
MAX_SETS = 1000
OTHER_ENDPOINTS = "(further endpoints)"

REFUSALS = frozenset({401, 403, 429})
_NOT_THERE = frozenset({404, 405})
_SERVER_ERROR = 500
WHOLE_ANSWER = frozenset({Kind.CONNECTION, Kind.STATUS, Kind.BODY})

Rule = tuple[str, str]


@dataclass(slots=True)
class Named:
    """How many, and the first of them by name."""

    count: int = 0
    names: list[str] = field(default_factory=list)

    def add(self, name: str) -> None:
        self.count += 1
        if len(self.names) < MAX_NAMED:
            self.names.append(name)


@dataclass(slots=True)
class EndpointReport:
    """``requests`` were compared; ``failing`` counts them by the set of failing findings that each had.

    ``errors`` counts old's answers that say nothing of what an endpoint does, unless the plan expected them.
    """

    findings: Findings = field(default_factory=Findings)
    noise: Noise = field(default_factory=Noise)
    requests: int = 0
    errors: Counter[int] = field(default_factory=Counter)
    failing: Counter[frozenset[Key]] = field(default_factory=Counter)

    @property
    def errors_alone(self) -> bool:
        return self.errors.total() == self.requests

    def count_failing(self, findings: Findings) -> None:
        """Beyond so many sets, which members named by ids would make, only their kinds are told apart."""
        keys = _failing(findings)
        if keys not in self.failing and len(self.failing) >= MAX_SETS:
            keys = frozenset(Key(key.kind, FURTHER_PATHS) for key in keys)
        self.failing[keys] += 1

    def excused(self) -> set[Key]:
        return {key for key in self.findings.keys if self.noise.excuses(key)}

    def differing(self) -> int:
        """Requests with a failing finding that is no noise."""
        excused = self.excused()
        return sum(count for keys, count in self.failing.items() if keys - excused)

    def differing_by_kind(self) -> Counter[Kind]:
        """Requests with a failing finding of each kind; one of two kinds counts for both."""
        excused = self.excused()
        kinds: Counter[Kind] = Counter()
        for keys, count in self.failing.items():
            for kind in {key.kind for key in keys - excused}:
                kinds[kind] += count
        return kinds


@dataclass(frozen=True, slots=True)
class Group:
    """One line for people: an endpoint, a place, a kind."""

    endpoint: str
    key: Key
    tally: Tally


def _nothing(_: ComparedRequest) -> None:
    pass


@dataclass(slots=True)
class Report:
    """``unused`` are ignore rules that hid nothing; ``emptied``: rules left nothing of a body.

    ``on_compared`` hears of each request that was compared. ``failed`` counts as requests come in; what turns out to be
    noise over all of them is not in ``differing``.
    """

    compared: int = 0
    failed: int = 0
    endpoint_of: EndpointOf = endpoint
    on_compared: Callable[[ComparedRequest], None] = _nothing
    endpoints: dict[str, EndpointReport] = field(default_factory=dict)
    skipped: Named = field(default_factory=Named)
    unknown: Named = field(default_factory=Named)
    emptied: Named = field(default_factory=Named)
    unused: list[Rule] = field(default_factory=list)

    def add(self, request: ComparedRequest, outcome: Outcome, order: int = 0) -> None:
        """Count one request's outcome; ``order`` is when it was sent, whenever it was answered."""
        name = str(request)
        if outcome.unknown:
            self.unknown.add(f"{name}: {outcome.unknown}")
            return
        self.compared += 1
        self.on_compared(request)
        if outcome.emptied:
            self.emptied.add(name)
        report = self._endpoint(self.endpoint_of(request.method, request.path))
        report.requests += 1
        if request.status is None and _says_nothing(outcome.status):
            report.errors[outcome.status] += 1
        report.findings.merge(outcome.findings, name, order)
        report.noise.count(outcome.raw, outcome.noise)
        if outcome.findings.failed:
            self.failed += 1
            report.count_failing(outcome.findings)

    def _endpoint(self, name: str) -> EndpointReport:
        if name not in self.endpoints and len(self.endpoints) >= MAX_ENDPOINTS:
            name = OTHER_ENDPOINTS
        return self.endpoints.setdefault(name, EndpointReport())

    def refused(self) -> list[tuple[str, Counter[int]]]:
        """Endpoints of which old let nobody see anything, with the statuses."""
        return [
            (name, report.errors)
            for name, report in self.endpoints.items()
            if report.errors_alone and report.errors.keys() <= REFUSALS
        ]

    def errors_alone(self) -> Counter[int]:
        """Old's statuses where all that it answered says nothing; empty where something did."""
        if not all(report.errors_alone for report in self.endpoints.values()):
            return Counter()
        return sum((report.errors for report in self.endpoints.values()), Counter())

    @property
    def differing(self) -> int:
        return sum(report.differing() for report in self.endpoints.values())

    def figures(self, names: Collection[str] | None = None) -> dict[str, float]:
        """``requests``, ``mismatches`` and each kind, in percent of the requests, over all endpoints or those named.

        Without requests there are no percentages.
        """
        reports = [report for name, report in self.endpoints.items() if names is None or name in names]
        requests = sum(report.requests for report in reports)
        if not requests:
            return {"requests": 0.0}
        kinds: Counter[Kind] = Counter()
        for report in reports:
            kinds.update(report.differing_by_kind())
        differing = sum(report.differing() for report in reports)
        percent = {"mismatches": differing, **{kind.value: kinds[kind] for kind in Kind}}
        return {"requests": float(requests), **{name: 100.0 * n / requests for name, n in percent.items()}}

    def groups(self, *levels: Level) -> list[Group]:
        """Worst first: what breaks whole answers, then what is most frequent. All levels unless some are named."""
        found = list(self._groups(set(levels) or set(Level)))
        order = list(Level)
        return sorted(
            found,
            key=lambda g: (
                order.index(g.key.level), g.key.kind not in WHOLE_ANSWER, -g.tally.count, g.endpoint, g.key.path,
                g.tally.samples[0].order if g.tally.samples else 0,
            ),
        )  # fmt: skip

    def _groups(self, levels: set[Level]) -> Iterator[Group]:
        for name, report in self.endpoints.items():
            excused = report.excused()
            for key, tally in report.findings:
                if key.level in levels and key not in excused:
                    yield Group(name, key, tally)

    def noisy(self) -> list[tuple[str, str, str, int]]:
        """Endpoint, what moved, where, and in how many requests old differed from itself."""
        return [
            (name, matter, path, count)
            for name, report in sorted(self.endpoints.items())
            for (matter, path), count in sorted(report.noise.noise.most_common(MAX_NAMED))
        ]


def _says_nothing(status: int) -> bool:
    return status in REFUSALS | _NOT_THERE or status >= _SERVER_ERROR


def _failing(findings: Findings) -> frozenset[Key]:
    """The failing keys of a request; of very many, a few and one that is never excused."""
    keys = sorted((key for key in findings.keys if key.level is Level.FAIL), key=lambda key: (key.path, key.kind))
    return frozenset(keys if len(keys) <= MAX_KEYS else [*keys[:MAX_KEYS], Key(Kind.VALUE, FURTHER_PATHS)])
