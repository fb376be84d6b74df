"""What was found: kinds, levels, and tallies that stay small however much differs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from cutover.parity.brief import brief

MAX_SAMPLES = 5
# Members named by ids would make a path of each; beyond so many, findings are counted under one.
MAX_PATHS = 1000
FURTHER_PATHS = "(further paths)"


class Level(StrEnum):
    """``fail`` makes a request a mismatch; ``warn`` and ``note`` are shown."""

    FAIL = "fail"
    WARN = "warn"
    NOTE = "note"


class Kind(StrEnum):
    MISSING = "missing"
    ADDED = "added"
    TYPE = "type"
    VALUE = "value"
    ORDER = "order"
    LENGTH = "length"
    STATUS = "status"
    HEADER = "header"
    BODY = "body"
    CONNECTION = "connection"


class _Absent:
    def __repr__(self) -> str:
        return "nothing"

    def __reduce__(self) -> str:
        return "ABSENT"


ABSENT = _Absent()


@dataclass(frozen=True, slots=True)
class Sample:
    """One place where it was seen; ``where`` has the indexes that a group's path leaves out. Values are cut down.

    ``order`` is when its request was sent, among all.
    """

    where: str
    old: Any
    new: Any
    request: str = ""
    order: int = 0


@dataclass(frozen=True, slots=True)
class Key:
    """What groups findings of one endpoint. ``path`` is index-free; for headers it is the header's name.

    ``pair`` parts those of one place that are different matters to a client: what became what.
    """

    kind: Kind
    path: str
    level: Level = Level.FAIL
    pair: str = ""

    @property
    def matter(self) -> tuple[str, str]:
        """What noise is judged by: that a thing comes and goes is one matter, that its value moves another."""
        return ("presence" if self.kind in _PRESENCE else self.kind.value, self.path)


_PRESENCE = {Kind.MISSING, Kind.ADDED, Kind.LENGTH}


@dataclass(slots=True)
class Tally:
    count: int = 0
    message: str = ""
    cure: str = ""
    samples: list[Sample] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Record:
    """Two paired objects that differ, cut down, to show one difference in its surroundings."""

    where: str
    old: dict[str, Any]
    new: dict[str, Any]


@dataclass(slots=True)
class Findings:
    """The differences of one comparison, or of all of one endpoint; ``record`` is the first pair that differed."""

    tallies: dict[Key, Tally] = field(default_factory=dict)
    record: Record | None = None

    def add(
        self,
        kind: Kind,
        path: str,
        old: Any = ABSENT,
        new: Any = ABSENT,
        *,
        level: Level = Level.FAIL,
        message: str = "",
        cure: str = "",
        where: str = "",
        count: int = 1,
    ) -> None:
        """``cure`` is the line of YAML that would ignore or normalise this finding."""
        pair = f"{old} -> {new}" if kind is Kind.STATUS else ""
        tally = self._tally(Key(kind, path, level, pair), message, cure)
        tally.count += count
        if len(tally.samples) < MAX_SAMPLES:
            tally.samples.append(Sample(where or path, brief(old, name=path), brief(new, name=path)))

    def _tally(self, key: Key, message: str, cure: str) -> Tally:
        tally = self.tallies.get(key)
        if tally is None:
            if len(self.tallies) >= MAX_PATHS and key.path != FURTHER_PATHS:
                return self._tally(replace(key, path=FURTHER_PATHS), "", "")
            tally = self.tallies[key] = Tally(message=message, cure=cure)
        elif tally.cure != cure:
            # What holds for one of them only would promise to cure them all.
            tally.message = tally.cure = ""
        elif tally.message != message:
            tally.message = ""
        return tally

    def merge(self, other: Findings, request: str = "", order: int = 0) -> None:
        """Take in what another comparison found, and keep the samples of the first requests."""
        self.record = self.record or other.record
        for key, tally in other.tallies.items():
            mine = self._tally(key, tally.message, tally.cure)
            mine.count += tally.count
            if request:
                mine.samples += [replace(sample, request=request, order=order) for sample in tally.samples]
            else:
                mine.samples += tally.samples
            mine.samples = sorted(mine.samples, key=lambda sample: sample.order)[:MAX_SAMPLES]

    def only(self, keys: set[Key]) -> Findings:
        return Findings({key: tally for key, tally in self.tallies.items() if key in keys}, self.record)

    def at_most(self, level: Level) -> Findings:
        """The same findings, none of them worse than ``level``."""
        capped = Findings()
        for key, tally in self.tallies.items():
            lowered = key if _RANK[key.level] >= _RANK[level] else replace(key, level=level)
            capped.merge(Findings({lowered: tally}, self.record))
        return capped

    @property
    def keys(self) -> set[Key]:
        return set(self.tallies)

    @property
    def failed(self) -> bool:
        return any(key.level is Level.FAIL for key in self.tallies)

    @property
    def warned(self) -> bool:
        """Whether there is more than notes."""
        return any(key.level is not Level.NOTE for key in self.tallies)

    def __iter__(self) -> Iterator[tuple[Key, Tally]]:
        return iter(sorted(self.tallies.items(), key=lambda kt: (_RANK[kt[0].level], -kt[1].count, kt[0].path)))

    def __bool__(self) -> bool:
        return bool(self.tallies)


_RANK = {Level.FAIL: 0, Level.WARN: 1, Level.NOTE: 2}
