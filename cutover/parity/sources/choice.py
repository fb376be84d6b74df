"""Which of very many requests are asked: spread over endpoints, the most frequent of each first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from operator import itemgetter
from typing import NamedTuple
from urllib.parse import unquote_plus

from cutover.parity.options import ComparedRequest
from cutover.parity.sources.drawn import LeavingOut

MAX_KEPT_BYTES = 16 * 1024 * 1024
_OVERHEAD_BYTES = 200

FORGOTTEN = "rare, among more requests than are kept in memory"
NEVER_SUCCEEDED = "answered with 4xx, and no request of its endpoint ever succeeded"


class Candidate(NamedTuple):
    """A request that may be asked; those that are equal are the same request."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...] = ()

    def request(self) -> ComparedRequest:
        headers = {"headers": dict(self.headers)} if self.headers else {}
        return ComparedRequest.model_validate({"method": self.method, "path": self.path, **headers})

    @property
    def size(self) -> int:
        return len(self.path) + sum(len(name) + len(value) for name, value in self.headers) + _OVERHEAD_BYTES


@dataclass(slots=True)
class _Endpoint:
    """``counts`` is of those candidates that are kept; ``total`` of all that there were."""

    total: int = 0
    succeeded: bool = False
    counts: dict[Candidate, int] = field(default_factory=dict)

    @property
    def size(self) -> int:
        return sum(candidate.size for candidate in self.counts) + _OVERHEAD_BYTES

    def by_interest(self) -> list[Candidate]:
        """The most frequent of each set of parameters, then the second of each: a rare filter is worth a request."""
        ranks: dict[frozenset[str], int] = {}
        ranked = []
        for candidate in sorted(self.counts, key=lambda candidate: -self.counts[candidate]):
            names = _parameter_names(candidate.path)
            rank = ranks[names] = ranks.get(names, -1) + 1
            ranked.append((rank, candidate))
        return [candidate for _, candidate in sorted(ranked, key=lambda pair: pair[0])]


class Choice:
    """Counts candidates, and keeps as many as memory allows: what is rare goes first.

    What is kept and chosen depends on the candidates and their order alone.
    """

    def __init__(self, leaving_out: LeavingOut, max_bytes: int = MAX_KEPT_BYTES) -> None:
        self._leaving_out = leaving_out
        self._max_bytes = max_bytes
        self._bytes = 0
        self._endpoints: dict[str, _Endpoint] = {}

    def add(self, endpoint: str, candidate: Candidate, *, succeeded: bool = True, count: int = 1) -> None:
        """Count requests; one that did not succeed is chosen only if another of its endpoint did."""
        known = self._endpoints.get(endpoint)
        if known is None:
            known = self._endpoints[endpoint] = _Endpoint()
            self._bytes += _OVERHEAD_BYTES
        known.total += count
        known.succeeded = known.succeeded or succeeded
        before = known.counts.get(candidate, 0)
        known.counts[candidate] = before + count
        if not before:
            self._bytes += candidate.size
            if self._bytes > self._max_bytes:
                self._forget()

    def chosen(self, limit: int | None) -> list[ComparedRequest]:
        """At most ``limit``: each endpoint's first, then each one's second, and so on; busy endpoints first."""
        known = [(name, endpoint) for name, endpoint in self._endpoints.items() if endpoint.succeeded]
        known.sort(key=lambda item: -item[1].total)
        chosen = list(islice(_in_turns([endpoint.by_interest() for _, endpoint in known]), limit))
        self._tell(set(chosen), limit)
        return [candidate.request() for candidate in chosen]

    def _tell(self, chosen: set[Candidate], limit: int | None) -> None:
        for name, endpoint in self._endpoints.items():
            if not endpoint.succeeded:
                self._leaving_out.add(NEVER_SUCCEEDED, name, endpoint.total)
                continue
            if forgotten := endpoint.total - sum(endpoint.counts.values()):
                self._leaving_out.add(FORGOTTEN, name, forgotten)
            if rest := sum(count for candidate, count in endpoint.counts.items() if candidate not in chosen):
                self._leaving_out.add(f"beyond the limit of {limit}", name, rest)

    def _forget(self) -> None:
        """Keep the more frequent half of each endpoint's; where that is not enough, the more important endpoints."""
        for endpoint in self._endpoints.values():
            ordered = sorted(endpoint.counts.items(), key=lambda item: -item[1])
            endpoint.counts = dict(ordered[: -(-len(ordered) // 2)])
        self._bytes = sum(endpoint.size for endpoint in self._endpoints.values())
        if self._bytes > self._max_bytes * 3 // 4:
            self._forget_endpoints()

    def _forget_endpoints(self) -> None:
        ranked = sorted(self._endpoints.items(), key=lambda item: (item[1].succeeded, item[1].total))
        for name, endpoint in ranked:
            if self._bytes <= self._max_bytes // 2:
                break
            self._leaving_out.add(FORGOTTEN, name, endpoint.total)
            self._bytes -= endpoint.size
            del self._endpoints[name]


def _parameter_names(path: str) -> frozenset[str]:
    query = path.partition("?")[2]
    return frozenset(unquote_plus(pair.partition("=")[0]) for pair in query.split("&")) if query else frozenset()


def _in_turns(lists: list[list[Candidate]]) -> Iterator[Candidate]:
    turns = [(turn, number, candidate) for number, items in enumerate(lists) for turn, candidate in enumerate(items)]
    turns.sort(key=itemgetter(0, 1))
    return (candidate for _, _, candidate in turns)
