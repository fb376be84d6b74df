"""What a source of requests gave, and what it left out."""

from __future__ import annotations

from dataclasses import dataclass, field

from pydantic_core import PydanticCustomError

from cutover.parity.options import ComparedRequest
from cutover.redact import redact

MAX_NAMED = 5
MAX_NAME_CHARS = 200
MAX_REASONS = 100
FURTHER_REASONS = "further reasons"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """``count`` is how often the source had such a thing; ``first`` names a few of them, each once."""

    reason: str
    count: int
    first: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, object]:
        return {"reason": self.reason, "count": self.count, "first": self.first}


@dataclass(frozen=True, slots=True)
class Drawn:
    """Requests in the order in which they are to be asked, none of them twice."""

    requests: list[ComparedRequest]
    left_out: list[LeftOut]


class LeavingOut:
    """Counts what is left out, by reason, in memory that does not grow with it; names are redacted."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._named: dict[str, dict[str, None]] = {}

    def add(self, reason: str, name: str = "", count: int = 1) -> None:
        if reason not in self._counts and len(self._counts) >= MAX_REASONS:
            reason = FURTHER_REASONS
        self._counts[reason] = self._counts.get(reason, 0) + count
        named = self._named.setdefault(reason, {})
        if name and len(named) < MAX_NAMED:
            named[_shown(name)] = None

    def told(self) -> list[LeftOut]:
        """The most frequent reason first."""
        reasons = sorted(self._counts, key=lambda reason: -self._counts[reason])
        return [LeftOut(_shown(reason), self._counts[reason], list(self._named[reason])) for reason in reasons]


def _shown(text: str) -> str:
    """Redacted, short, and without what a terminal would obey."""
    told = redact(text)
    told = told if told.isprintable() else "".join(sign if sign.isprintable() else "?" for sign in told)
    return told if len(told) <= MAX_NAME_CHARS else told[: MAX_NAME_CHARS - 3] + "..."


def source_mistake(message: str) -> PydanticCustomError:
    """A file that requests can't be taken from: which, and why."""
    return PydanticCustomError("requests_file", "{message}", {"message": redact(message)})
