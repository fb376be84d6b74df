"""Whom the proxy tried, from a line of its log: a retry hides a failure from the client, not from here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

# "," parts tries, " : " parts those after an internal redirect from those before it.
_BETWEEN = re.compile(r", | : ")
_AFTER_REDIRECT = " : "
NO_ANSWER = "-"
SERVER_ERROR = 500
GAVE_UP = 499
UPGRADED = "101"
OLD, NEW, FALLBACK, UNKNOWN = "old", "new", "fallback", "unknown"


@dataclass(frozen=True)
class Backends:
    """Whose an address in the log is.

    ``addresses``: as nginx names them. ``rest``: the backend whose servers are names, if there is only one: what else
    was tried is its. ``pinned``: routes whose side is not drawn.
    """

    addresses: Mapping[str, str]
    rest: str = UNKNOWN
    pinned: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True)
class Try:
    """``timed``: whether its time says how quick the backend is."""

    backend: str
    failed: bool
    timed: bool
    address: str = ""


@dataclass(frozen=True)
class Said:
    """The fields of a line that say whom it went to, as they stand there."""

    addresses: str
    statuses: str
    status: int
    side: str
    fallback: str
    route: str


@dataclass(frozen=True)
class Reading:
    """What a line means. ``tries`` is empty where no backend was asked.

    ``drawn``: whether the split decided where it was sent first. ``hidden``: a try failed, unseen by the client.
    """

    tries: tuple[Try, ...]
    drawn: bool
    status: int
    hidden: bool

    @property
    def gave_up(self) -> bool:
        """The client went away before it had its answer."""
        return self.status == GAVE_UP


def read(said: Said, backends: Backends) -> Reading:
    """Raise ``ValueError`` where the fields do not belong together."""
    if said.addresses in {"", NO_ANSWER}:
        return Reading((), drawn=False, status=said.status, hidden=False)
    addresses, statuses = split(said.addresses), split(said.statuses)
    if len(addresses) != len(statuses):
        raise ValueError("as many statuses as addresses were expected")
    redirected = len(split(said.addresses.rpartition(_AFTER_REDIRECT)[0])) if _AFTER_REDIRECT in said.addresses else 0
    tries = tuple(
        _try(address, status, said, backends, late=position >= redirected > 0)
        for position, (address, status) in enumerate(zip(addresses, statuses, strict=True))
    )
    first = tries[0].backend
    return Reading(
        tries,
        drawn=first in {OLD, NEW} and said.route not in backends.pinned,
        status=said.status,
        hidden=said.status < SERVER_ERROR and any(one.failed for one in tries),
    )


def split(text: str) -> list[str]:
    return _BETWEEN.split(text)


def _try(address: str, status: str, said: Said, backends: Backends, *, late: bool) -> Try:
    code = int(status) if status != NO_ANSWER else 0
    # A client that goes away takes the try with it: that is no failure of the backend, but it took that long at least.
    left = code == 0 and said.status == GAVE_UP
    return Try(
        _whose(address, said, backends, late=late),
        failed=not left and (code == 0 or code >= SERVER_ERROR),
        timed=status != UPGRADED,
        address=address,
    )


def _whose(address: str, said: Said, backends: Backends, *, late: bool) -> str:
    known = backends.addresses.get(address)
    if known is not None:
        return known
    if said.fallback and late:
        return FALLBACK
    return said.side if said.side in {OLD, NEW} else backends.rest
