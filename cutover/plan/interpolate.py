"""``${NAME}``, ``${NAME:-default}``, ``${NAME:?message}`` and ``$${`` in a text. Every other ``$`` is itself."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from cutover.plan.base import MAX_SUGGESTIONS
from cutover.plan.variables import REFERENCE
from cutover.redact import MASK, MIN_SECRET_LENGTH

# Behind so many complaints about one text the rest of it is not read.
MAX_COMPLAINTS = 20
# A few variables in a row that each hold the one before twice would fill the memory.
MAX_EXPANDED_CHARS = 8 * 1024 * 1024
MAX_NESTING = 8

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HEAD = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(:-|:\?|\})")
_STOP = re.compile(r"\$\$\{|\$\{|\}")
_MEND = "write ${NAME}, ${NAME:-default} or ${NAME:?message}, or $${ for a plain ${"


@dataclass(frozen=True)
class Complaint:
    """What is wrong with one variable, and what to do about it."""

    message: str
    hint: str | None = None


@dataclass
class Expansion:
    """A text with its variables filled in: the ``names`` it used, and ``complaints`` about those it could not fill.

    ``kept`` counts the names that stay as they are, for the run to fill in. ``unfilled``: it uses one of ``vars`` about
    which there was a complaint already.
    """

    text: str
    names: set[str] = field(default_factory=set)
    kept: Counter[str] = field(default_factory=Counter)
    complaints: list[Complaint] = field(default_factory=list)
    unfilled: bool = False


@dataclass(frozen=True)
class Scope:
    """What steps save, as seen from one place of a plan.

    ``saved`` says of each name who saves it; ``usable`` are those that may stand here, None where none ever may.
    """

    saved: Mapping[str, str] = field(default_factory=dict)
    usable: Collection[str] | None = None


class TooLargeError(Exception):
    """The variables of a plan expand to more text than any plan needs."""


@dataclass
class Variables:
    """The environment, and under it the plan's ``vars`` in the order in which they are written.

    ``masked`` are names whose values are shown as ``***`` from the sixth character on. Names in ``scope`` are the
    run's alone: they stay as they are. ``seen`` collects each name's values as they were used.
    """

    environ: Mapping[str, str]
    vars: dict[str, str] = field(default_factory=dict)
    masked: Collection[str] = ()
    scope: Scope = field(default_factory=Scope)
    seen: dict[str, set[str]] = field(default_factory=dict)
    uses: dict[str, set[str]] = field(default_factory=dict)
    unfilled: set[str] = field(default_factory=set)
    spent: int = 0
    suggestions: int = MAX_SUGGESTIONS

    def define(self, name: str, text: str) -> Expansion:
        """Add one of ``vars``; the environment wins over it, and it may use those above it."""
        expansion = Expansion(self.environ[name]) if name in self.environ else self.expand(text)
        self.vars[name] = expansion.text
        self.uses[name] = expansion.names
        if expansion.complaints or expansion.unfilled:
            self.unfilled.add(name)
        if name in self.masked:
            expansion.text = _masked(expansion.text)
        return expansion

    def value(self, name: str) -> str | None:
        return self.environ[name] if name in self.environ else self.vars.get(name)

    def expand(self, text: str) -> Expansion:
        """Never raises but ``TooLargeError``; what is wrong is among the complaints."""
        expansion = Expansion(text)
        if "${" in text:
            expansion.text, _ = _Scanner(text, self, expansion).scan(0, 0, live=True)
            expansion.complaints += self._strays(expansion)
            for name in tuple(expansion.names):
                expansion.names |= self.uses.get(name, set())
            self.spent += len(expansion.text)
            if self.spent > MAX_EXPANDED_CHARS:
                raise TooLargeError
        return expansion

    def unset(self, name: str) -> Complaint:
        close: list[str] = []
        if self.suggestions:
            self.suggestions -= 1
            close = get_close_matches(name, sorted({*self.environ, *self.vars, *self.scope.saved}), n=1, cutoff=0.75)
        hint = f"did you mean ${{{close[0]}}}?" if close else f"set it, or write ${{{name}:-default}}"
        return Complaint(f"the variable {name!r} is not set", hint)

    def saved(self, name: str, *, bare: bool) -> Complaint | None:
        """What is wrong with a name here that a step saves. ``bare``: it stands without a default."""
        who = self.scope.saved[name]
        if self.scope.usable is None:
            hint = "it can stand in steps after that one, but in no name and no message, and in headers of backends"
            return Complaint(f"{name!r} is what {who} saves, and can't stand here", hint)
        if name not in self.scope.usable:
            return Complaint(f"{name!r} is saved only later, by {who}", "put that step before this one")
        return None if bare else Complaint(f"{name!r} is saved by {who}: it has a value", f"write ${{{name}}}")

    def _strays(self, expansion: Expansion) -> list[Complaint]:
        """What would be taken for a saved value, and is meant as a text."""
        if self.scope.usable is None:
            return []
        found = Counter(name for name in REFERENCE.findall(expansion.text) if name in self.scope.saved)
        return [
            Complaint(
                f"the text ${{{name}}} can't stand here, as {self.scope.saved[name]} saves {name!r}",
                "save it there under another name",
            )
            for name in found - expansion.kept
        ]


def _masked(text: str) -> str:
    return MASK if len(text) >= MIN_SECRET_LENGTH else text


@dataclass
class _Scanner:
    text: str
    variables: Variables
    expansion: Expansion
    complained: int = 0

    def scan(self, at: int, depth: int, *, live: bool) -> tuple[str, int]:
        """The text from ``at`` to the brace that closes it (to the end at depth 0), and the index behind that.

        What is not ``live`` is a default that nobody needs: read, but not filled in.
        """
        parts: list[str] = []
        size = 0
        while self.complained < MAX_COMPLAINTS and (stop := _STOP.search(self.text, at)):
            parts.append(self.text[at : stop.start()])
            at = stop.end()
            if stop.group() == "$${":
                parts.append("${")
            elif stop.group() == "${":
                part, at = self._variable(stop.start(), depth, live=live)
                parts.append(part)
            elif depth:
                return "".join(parts), at
            else:
                parts.append("}")
            size += len(parts[-1])
            if size > MAX_EXPANDED_CHARS:
                raise TooLargeError
        parts.append(self.text[at:])
        if depth:
            self._complain(f"a ${{ is not closed: {self.text[:40]!r}", _MEND)
        return "".join(parts), len(self.text)

    def _variable(self, start: int, depth: int, *, live: bool) -> tuple[str, int]:
        head = _HEAD.match(self.text, start)
        if head is None or depth >= MAX_NESTING:
            what = "is not a variable" if head is None else "is nested too deep"
            self._complain(f"{self.text[start : start + 24]!r} {what}", _MEND)
            return self.text[start : start + 2], start + 2
        name, operator = head.groups()
        value = self.variables.value(name)
        saved = name in self.variables.scope.saved
        rest, end = "", head.end()
        if operator != "}":
            needed = live and not saved and operator == ":-" and not value
            rest, end = self.scan(head.end(), depth + 1, live=needed)
        if live and saved:
            bare = operator == "}"
            self.expansion.kept[name] += bare
            if complaint := self.variables.saved(name, bare=bare):
                self._complain(complaint.message, complaint.hint)
        if not live or saved:
            return self.text[start:end], end
        self.expansion.names.add(name)
        self.expansion.unfilled |= name in self.variables.unfilled
        return self._filled(name, operator, value, rest), end

    def _filled(self, name: str, operator: str, value: str | None, rest: str) -> str:
        if operator == ":-" and not value:
            value = rest
        elif operator == ":?" and not value:
            self._complain(
                f"the variable {name!r} is {'not set' if value is None else 'empty'}: {rest or 'it is needed'}"
            )
        elif value is None:
            complaint = self.variables.unset(name)
            self._complain(complaint.message, complaint.hint)
        value = value or ""
        if not value.isascii() and _not_utf8(value):
            self._complain(f"the variable {name!r} is not UTF-8 text")
            return ""
        self.variables.seen.setdefault(name, set()).add(value)
        return _masked(value) if name in self.variables.masked else value

    def _complain(self, message: str, hint: str | None = None) -> None:
        complaint = Complaint(message, hint)
        self.complained += 1
        if complaint not in self.expansion.complaints:
            self.expansion.complaints.append(complaint)


def _not_utf8(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)
