"""Lines of the access log, taken together where they say the same but for their times and clients."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple


class Key(NamedTuple):
    """What a group's lines have in common: fields of the log, and the prefix among those told apart ("": none)."""

    addresses: str
    statuses: str
    status: int
    side: str
    fallback: str
    route: str
    override: str
    revision: str
    probe: str
    prefix: str


@dataclass
class Group:
    """How many lines there are with the same response times, and of the same bucket of clients."""

    times: Counter[str] = field(default_factory=Counter)
    buckets: Counter[str] = field(default_factory=Counter)


Groups = defaultdict[Key, Group]


def no_groups() -> Groups:
    return defaultdict(Group)
