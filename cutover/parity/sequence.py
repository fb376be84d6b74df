"""Requests one after the other, each by what the answers before it gave: create, read, delete.

Each side goes its own way: it is asked for the ids that it gave itself.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import quote

from cutover.parity.answers import Answer, Failure
from cutover.parity.document import NotComparableError
from cutover.parity.fetch import Asker
from cutover.parity.ids import Ids
from cutover.parity.options import ComparedRequest, SavingRequest
from cutover.parity.rounds import Both, Look, Outcome, Rounds, UnknownError
from cutover.parity.rules import Rules
from cutover.parity.saving import NotSavedError, take
from cutover.plan.variables import as_text, fill, names_in

T = TypeVar("T")
Step = tuple[SavingRequest, Rules, Outcome]


@dataclass
class _Values:
    """What one side has given so far, and why it gave no more."""

    side: str
    given: dict[str, Any] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    def save(self, request: SavingRequest, answer: Answer | Failure) -> None:
        if isinstance(answer, Failure):
            self.lack(request, answer.reason)
            return
        try:
            self.given |= take(request.save, answer.headers, answer.body)
        except NotSavedError as error:
            self.given |= error.taken
            self.lack(request, str(error))

    def lack(self, request: SavingRequest, reason: str) -> None:
        for name in request.save.keys() - self.given.keys():
            self.missing[name] = f"{self.side}, asked for {request}: {reason}"

    def reason(self, names: set[str]) -> str:
        return next((self.missing[name] for name in sorted(names) if name in self.missing), "")


@dataclass
class _Sequence:
    """One sequence under way."""

    rounds: Rounds
    saved: set[str]
    old: _Values = field(default_factory=lambda: _Values("old"))
    new: _Values = field(default_factory=lambda: _Values("new"))
    members: dict[str, set[str]] = field(default_factory=dict)

    async def step(self, request: SavingRequest, rules: Rules) -> Outcome:
        """Raises ``UnknownError`` and ``NotComparableError``."""
        names = names_in(_data(request), self.saved)
        if reason := self.old.reason(names) or self.new.reason(names):
            await self._clean_up(request, names)
            raise UnknownError(reason)
        for name in names:
            self.members.setdefault(name, set()).update(_members(request.json_body, f"${{{name}}}"))
        both = Both(_filled(request, self.old.given), _filled(request, self.new.given))
        look = Look(self.rounds, both, rules)
        ours = await _asked(look.ask_old(), request, self.old, self.new)
        self.old.save(request, ours)
        theirs = await _asked(look.ask_new(), request, self.new)
        self.new.save(request, theirs)
        for name, place in request.save.items():
            self.members.setdefault(name, set()).add(place.member)
        ids = Ids.of(self.members, self.old.given, self.new.given)
        seen = await Look(self.rounds, Both(both.old, both.new, ids), rules).compare(ours, theirs)
        return Outcome(seen.findings, seen.findings, emptied=seen.emptied, status=ours.status)

    async def _clean_up(self, request: SavingRequest, names: set[str]) -> None:
        """A side that created something is still asked to remove it, though there is nothing to compare with."""
        sides: tuple[tuple[Asker, _Values], ...] = ((self.rounds.old, self.old), (self.rounds.new, self.new))
        for asker, values in sides:
            if not request.safe and names <= values.given.keys():
                filled = _filled(request, values.given)
                await asker.ask(filled, filled.path)


async def run_sequence(
    name: str, requests: Sequence[SavingRequest], rounds: Rounds, rules_of: Callable[[ComparedRequest], Rules]
) -> AsyncIterator[Step]:
    """Every request with its outcome, in order."""
    sequence = _Sequence(rounds, {variable for request in requests for variable in request.save})
    for request in requests:
        rules = rules_of(request)
        try:
            outcome = await sequence.step(request, rules)
        except (UnknownError, NotComparableError) as error:
            outcome = Outcome(unknown=f"in {name}: {error}")
        yield request, rules, outcome


async def _asked(answer: Awaitable[T], request: SavingRequest, *lacking: _Values) -> T:
    """The answer, or, before ``UnknownError`` goes on, a note of which sides lack what it was to give."""
    try:
        return await answer
    except UnknownError as error:
        for side in lacking:
            side.lack(request, str(error))
        raise


def _data(request: SavingRequest) -> dict[str, Any]:
    return request.model_dump(include={"path", "headers", "body", "json_body"}, by_alias=True)


def _members(data: Any, text: str) -> Iterator[str]:
    """The names under which a text stands in JSON."""
    if isinstance(data, dict):
        yield from (name for name, value in data.items() if value == text)
    for value in data.values() if isinstance(data, dict) else data if isinstance(data, list) else ():
        yield from _members(value, text)


def _filled(request: SavingRequest, values: Mapping[str, Any]) -> ComparedRequest:
    data = fill(_data(request), values)
    in_path = {name: quote(as_text(value), safe="") for name, value in values.items()}
    return request.model_copy(
        update={
            "path": fill(request.path, in_path), "headers": data["headers"], "body": data["body"],
            "json_body": data["json"],
        }
    )  # fmt: skip
