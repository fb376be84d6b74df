"""One request, asked of both sides, and asked again before a difference counts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from cutover.parity.answers import Answer, Failure
from cutover.parity.document import NotComparableError
from cutover.parity.exchange import Asked, Compared
from cutover.parity.fetch import Asker
from cutover.parity.findings import ABSENT, Findings, Key, Kind, Level
from cutover.parity.ids import Ids
from cutover.parity.noise import Matter, matters
from cutover.parity.options import ComparedRequest
from cutover.parity.origins import Origins
from cutover.parity.rules import Rules
from cutover.parity.work import Work

_SERVER_ERROR = 500


@dataclass(frozen=True, slots=True)
class Both:
    """One request as each side is asked it: the same, but for the ids of what each side created itself."""

    old: ComparedRequest
    new: ComparedRequest
    ids: Ids = field(default_factory=Ids)

    @classmethod
    def same(cls, request: ComparedRequest) -> Both:
        return cls(request, request)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one request. ``unknown`` says why it could not be compared; ``raw`` is what the first look found.

    ``status`` is what old answered.
    """

    findings: Findings = field(default_factory=Findings)
    raw: Findings = field(default_factory=Findings)
    noise: set[Matter] = field(default_factory=set)
    emptied: bool = False
    unknown: str = ""
    status: int = 0


class UnknownError(Exception):
    """This request can't be judged; the message says why."""


@dataclass(frozen=True)
class Rounds:
    """Both sides, ready to be asked."""

    old: Asker
    new: Asker
    origins: Callable[[Rules], Origins]
    work: Work

    async def compare(self, request: ComparedRequest, rules: Rules, *, new_first: bool) -> Outcome:
        """Old and new back to back; on a difference old again, then, for one that fails, both in the other order.

        What only one of the two looks shows is a warning, except that new failed where old did not. A request that
        writes is sent once.
        """
        look = Look(self, Both.same(request), rules)
        try:
            old, new = await look.ask(new_first=new_first)
            status = old.status
            first = await look.compare(old, new)
            if not first.findings.warned or not request.safe:
                return Outcome(first.findings, first.findings, emptied=first.emptied, status=status)
            del new  # bodies may be big
            again = await look.ask_old()
            noise = matters(await look.old_against_old(old, again))
            if not first.findings.failed:
                steady = first.findings.only({key for key in first.findings.keys if key.matter not in noise})
                return Outcome(steady, first.findings, noise, first.emptied, status=status)
            del old
            old, new = await look.ask(new_first=not new_first)
            noise |= matters(await look.old_against_old(again, old))
            second = await look.compare(old, new)
        except (UnknownError, NotComparableError) as error:
            return Outcome(unknown=str(error))
        told = _confirmed(first.findings, second.findings, noise)
        return Outcome(told, first.findings, noise, first.emptied, status=status)

    async def watch(self, request: ComparedRequest, rules: Rules, pause_s: float) -> Outcome:
        """Each side once, the second after a pause, and whatever differs: for two that ought to be the same."""
        look = Look(self, Both.same(request), rules)
        try:
            old = await look.ask_old()
            await asyncio.sleep(pause_s)
            seen = await look.compare(old, await look.ask_new())
        except (UnknownError, NotComparableError) as error:
            return Outcome(unknown=str(error))
        return Outcome(seen.findings, seen.findings, status=old.status)


@dataclass(frozen=True)
class Look:
    """One request under its rules."""

    rounds: Rounds
    both: Both
    rules: Rules

    async def ask(self, *, new_first: bool) -> tuple[Answer, Answer | Failure]:
        """Back to back, in the given order. Raises ``UnknownError`` where old gives no answer."""
        if new_first:
            new = await self.ask_new()
            return await self.ask_old(), new
        return await self.ask_old(), await self.ask_new()

    async def ask_old(self) -> Answer:
        answer = await self.rounds.old.ask(self.both.old, self.both.old.path, follow=self._follow)
        if isinstance(answer, Failure):
            raise UnknownError(f"old: {answer.reason}")
        if self.both.old.status not in {None, answer.status}:
            raise UnknownError(f"old answered {answer.status}, and the plan expects {self.both.old.status}")
        return answer

    async def ask_new(self) -> Answer | Failure:
        path = self.rounds.origins(self.rules).path_on_new(self.both.new.path)
        answer = await self.rounds.new.ask(self.both.new, path, follow=self._follow)
        if isinstance(answer, Failure) and answer.kind == "too_large":
            raise UnknownError(f"new: {answer.reason}")
        return answer

    @property
    def _follow(self) -> bool:
        return self.rules.options.redirects == "follow"

    async def compare(self, old: Answer, new: Answer | Failure) -> Compared:
        """Raises ``NotComparableError``."""
        if isinstance(new, Failure):
            findings = Findings()
            kind = Kind.BODY if new.kind == "broken" else Kind.CONNECTION
            path = "$" if new.kind == "broken" else "status"
            findings.add(kind, path, f"answered {old.status}", ABSENT, message=f"new: {new.reason}")
            return Compared(findings)
        origins = replace(self.rounds.origins(self.rules), ids=self.both.ids)
        return await self._compared(old, new, origins, self.rules)

    async def old_against_old(self, one: Answer, other: Answer) -> Findings:
        """Under the same rules, but nothing that matches here makes a rule a used one."""
        origins = self.rounds.origins(self.rules)
        alike = Origins(old=origins.old, new=origins.old, scheme=origins.scheme)
        return (await self._compared(one, other, alike, Rules(self.rules.options))).findings

    async def _compared(self, old: Answer, new: Answer, origins: Origins, rules: Rules) -> Compared:
        return await self.rounds.work.compare(old, new, Asked(self.both.old.method, self.both.old.path), rules, origins)


def _confirmed(first: Findings, second: Findings, noise: set[Matter]) -> Findings:
    """What both looks show and old alone does not; the rest of what is no noise, as a warning."""
    told = Findings()
    noisy = {key for look in (first, second) for key in look.keys if key.matter in noise and not _broken(look, key)}
    told.merge(first.only((first.keys & second.keys) - noisy))
    for look, other in ((first, second), (second, first)):
        for key in look.keys - other.keys - noisy:
            if key.level is not Level.NOTE:
                _add_passing(told, look, key)
    _tell_unread(told, first, noisy)
    return told


def _broken(look: Findings, key: Key) -> bool:
    """Whether new's body could not be read at all, which no movement of old's explains."""
    return key.kind is Kind.BODY and look.tallies[key].samples[0].new is ABSENT


def _tell_unread(told: Findings, look: Findings, noisy: set[Key]) -> None:
    for key in look.keys & noisy:
        if key.kind is Kind.BODY:
            seen = look.tallies[key].samples[0]
            message = "old differs from itself in all of it: nothing of this body is compared"
            told.add(key.kind, key.path, seen.old, seen.new, level=Level.WARN, message=message)


def _add_passing(told: Findings, look: Findings, key: Key) -> None:
    tally = look.tallies[key]
    seen = Findings({key: tally})
    if _new_failed(key, tally.samples[0].new):
        tally.message = f"{tally.message + '; ' if tally.message else ''}not every time it was asked"
        told.merge(seen)
        return
    tally.message, tally.cure = "seen once, gone when asked again: new may not answer the same every time", ""
    told.merge(seen.at_most(Level.WARN))


def _new_failed(key: Key, new: object) -> bool:
    if key.kind is Kind.STATUS:
        return isinstance(new, int) and new >= _SERVER_ERROR
    return key.kind is Kind.CONNECTION or (key.kind is Kind.BODY and new is ABSENT)
