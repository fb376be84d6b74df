"""Ids that each side gave to what it created: mapped to one another, and not compared."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from cutover.parity.document import MAX_DEPTH, too_deep

# A value of so many characters is nobody's count or price: it is the id wherever it stands.
_TELLING_CHARS = 8
_ENDINGS = ("_id", "Id", "_uid", "_uuid", "_pk", "_key")


@dataclass(frozen=True, slots=True)
class Id:
    """What one save took of both answers. ``names`` are its variable, and the members it came from or was sent in."""

    names: frozenset[str]
    old: str | int
    new: str | int

    def stands_under(self, name: str) -> bool:
        """Whether a member of this name holds this id: a small number may also be somebody else's."""
        return name in self.names or self._telling

    @property
    def _telling(self) -> bool:
        return all(isinstance(value, str) and len(value) >= _TELLING_CHARS for value in (self.old, self.new))


@dataclass(frozen=True, slots=True)
class Ids:
    """Those of one sequence so far."""

    ids: tuple[Id, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.ids)

    @classmethod
    def of(cls, members: Mapping[str, Collection[str]], old: Mapping[str, Any], new: Mapping[str, Any]) -> Ids:
        """Of what both sides gave under the same variable; ``members`` are the names under which each one stands."""
        return cls(
            tuple(
                Id(_names(variable, members.get(variable, ())), old[variable], new[variable])
                for variable in sorted(old.keys() & new.keys())
                if _can_be_id(old[variable]) and _can_be_id(new[variable]) and old[variable] != new[variable]
            )
        )

    def same(self, name: str, old: Any, new: Any) -> bool:
        """Whether two values of a member that differ are one thing by each side's own name for it."""
        if any(_is(old, one.old) and _is(new, one.new) and one.stands_under(name) for one in self.ids):
            return True
        return isinstance(old, str) and isinstance(new, str) and _is_url(new) and self.url_as_old(new) == old

    def as_old(self, document: Any) -> Any:
        """New's document with old's ids in it, to tell which of its records is which.

        Raises ``NotComparableError`` for what is nested too deep.
        """
        return self._renamed(document, "", 0) if self.ids else document

    def _renamed(self, value: Any, name: str, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise too_deep()
        if type(value) is dict:
            return {key: self._renamed(one, key, depth + 1) for key, one in value.items()}
        if type(value) is list:
            return [self._renamed(one, name, depth + 1) for one in value]
        for one in self.ids:
            if _is(value, one.new) and one.stands_under(name):
                return one.old
        return self.url_as_old(value) if type(value) is str and _is_url(value) else value

    def url_as_old(self, url: str) -> str:
        """A link of new's with old's ids as segments of its path."""
        parts = urlsplit(url)
        given = {quote(str(one.new), safe=""): quote(str(one.old), safe="") for one in self.ids}
        path = "/".join(given.get(segment, segment) for segment in parts.path.split("/"))
        return parts._replace(path=path).geturl() if path != parts.path else url


def _names(variable: str, members: Collection[str]) -> frozenset[str]:
    return frozenset({variable, *(variable + ending for ending in _ENDINGS), *members})


def _can_be_id(value: Any) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)


def _is(value: Any, given: str | int) -> bool:
    return type(value) is type(given) and value == given


def _is_url(text: str) -> bool:
    return text.startswith(("/", "http://", "https://"))
