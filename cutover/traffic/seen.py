"""What the proxy saw in a stretch of time: counts per backend and route, which add up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from cutover.traffic.times import Times

MAX_EXAMPLES = 5

Tries = Mapping[tuple[str, str], tuple[int, int]]
"""By (route, backend): how many failed, and how many there were."""


@dataclass
class Tally:
    """What became of the requests that one backend was tried for.

    ``failed`` counts tries without an answer or with a 5xx, whatever the client saw; ``hidden`` requests of which the
    client did not see it. ``drawn``: requests that the split sent here first. ``heard``: those of them that say that
    the backend answers; of new all that had an answer, of old those that it served, and not for as long as a WebSocket
    lasts. ``client_errors``: answers of 5xx to clients whose request came here first. ``gave_up``: clients who left
    before they had an answer; ``in_vain``: those whose request the split had sent here.
    """

    requests: int = 0
    tries: int = 0
    failed: int = 0
    hidden: int = 0
    drawn: int = 0
    heard: int = 0
    client_errors: int = 0
    gave_up: int = 0
    in_vain: int = 0
    times: Times = field(default_factory=Times)

    def merge(self, other: Tally) -> None:
        self.requests += other.requests
        self.tries += other.tries
        self.failed += other.failed
        self.hidden += other.hidden
        self.drawn += other.drawn
        self.heard += other.heard
        self.client_errors += other.client_errors
        self.gave_up += other.gave_up
        self.in_vain += other.in_vain
        self.times.merge(other.times)

    @property
    def errors(self) -> float:
        """Percent of tries that failed; 0.0 where there were none."""
        return 100 * self.failed / self.tries if self.tries else 0.0


@dataclass
class Seen:
    """Counts by (route, backend). ``seconds``: how long was looked.

    Left out of them: ``probes`` of cutover's own, ``picked`` by testers, ``earlier`` (answered under the configuration
    before), ``unreadable`` lines (with an ``example``), and ``elsewhere``: tries of servers that belong to no backend.
    ``buckets``: by client, how many requests of each bucket of clients. ``behind``: bytes of the log not read yet.
    ``quiet``: for how many seconds new has had no request.
    """

    tallies: dict[tuple[str, str], Tally] = field(default_factory=dict)
    buckets: Counter[str] = field(default_factory=Counter)
    elsewhere: Counter[str] = field(default_factory=Counter)
    lines: int = 0
    probes: int = 0
    picked: int = 0
    earlier: int = 0
    unreadable: int = 0
    example: str = ""
    seconds: float = 0.0
    behind: int = 0
    quiet: float = 0.0
    notes: list[str] = field(default_factory=list)

    def tally(self, route: str, backend: str) -> Tally:
        """To count in."""
        found = self.tallies.get((route, backend))
        if found is None:
            found = self.tallies[route, backend] = Tally()
        return found

    def total(self, backend: str, belongs: Callable[[str], bool] | None = None) -> Tally:
        """Of a backend on all routes, or on those that ``belongs`` says."""
        total = Tally()
        for (route, whose), tally in self.tallies.items():
            if whose == backend and (belongs is None or belongs(route)):
                total.merge(tally)
        return total

    def requests(self, backend: str) -> int:
        return sum(tally.requests for (_, whose), tally in self.tallies.items() if whose == backend)

    def heard(self, backend: str, route: str | None = None) -> int:
        """On all routes, or on one."""
        return sum(tally.heard for tally in self.of(backend, route))

    def in_vain(self, backend: str, route: str | None = None) -> int:
        """On all routes, or on one."""
        return sum(tally.in_vain for tally in self.of(backend, route))

    def of(self, backend: str, route: str | None) -> Iterable[Tally]:
        if route is None:
            return (tally for (_, whose), tally in self.tallies.items() if whose == backend)
        tally = self.tallies.get((route, backend))
        return () if tally is None else (tally,)

    def tries(self) -> Tries:
        """As they stand now: what is counted later does not change them."""
        return {key: (tally.failed, tally.tries) for key, tally in self.tallies.items()}

    @property
    def split_routes(self) -> set[str]:
        """Those on which requests were drawn for a side, and not sent to the one that the plan names."""
        return {route for (route, _), tally in self.tallies.items() if tally.drawn}

    @property
    def routes(self) -> list[str]:
        return sorted({route for route, _ in self.tallies})

    def merge(self, other: Seen) -> None:
        for (route, backend), tally in other.tallies.items():
            self.tally(route, backend).merge(tally)
        self.buckets.update(other.buckets)
        self.elsewhere.update(other.elsewhere)
        self.lines += other.lines
        self.probes += other.probes
        self.picked += other.picked
        self.earlier += other.earlier
        self.unreadable += other.unreadable
        self.example = self.example or other.example

    @classmethod
    def merged(cls, parts: Iterable[Seen]) -> Seen:
        whole = cls()
        for part in parts:
            whole.merge(part)
        return whole
