"""How ids are named: which member of a list's items is the ``study_id`` of ``/studies/{study_id}``."""

from __future__ import annotations

import re
from collections.abc import Iterable

ID_WORDS = ("id", "uuid", "guid", "uid", "pk", "slug", "key", "code", "number", "no", "name")
ENVELOPES = (
    "results", "items", "data", "value", "values", "content", "records", "rows", "entries", "list", "hits", "features",
    "objects", "elements", "embedded",
)  # fmt: skip

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


def words(name: str) -> list[str]:
    """``studyId``, ``study-id`` and ``study_id`` are ``["study", "id"]``."""
    return [word.lower() for word in _WORDS.findall(name)]


def forms(noun: str) -> set[str]:
    """A noun as it stands and what it may be in the singular: ``studies``, ``study``."""
    found = {noun}
    if noun.endswith("ies"):
        found.add(noun[:-3] + "y")
    if noun.endswith("es"):
        found.add(noun[:-2])
    if noun.endswith("s"):
        found.add(noun[:-1])
    return found


def stem(variable: str) -> str:
    """What a variable is the id of: ``study`` of ``study_id``; empty of ``id``, which is anything's."""
    parts = words(variable)
    while parts and parts[-1] in ID_WORDS:
        parts.pop()
    return "".join(parts)


def is_of(noun: str, variable: str) -> bool:
    """Whether a path's last word is what the variable is the id of: ``studies`` of ``study_id``."""
    of = stem(variable)
    return bool(of) and not forms("".join(words(noun))).isdisjoint(forms(of))


def fields_for(variable: str, noun: str, *, direct: bool) -> list[str]:
    """Names, as one word, of members that may hold the variable's value; the likeliest first.

    ``noun`` is the last word of the list's path. ``direct``: the list is where the variable's path begins, or it is of
    what the variable names, so that plain ``id`` means it.
    """
    own = words(variable)
    named = ["".join(own)]
    if direct:
        last = own[-1:] if own and own[-1] in ID_WORDS else []
        kinds = [*last, *(word for word in ID_WORDS if word not in last)]
        nouns = sorted(forms("".join(words(noun))) | ({stem(variable)} if stem(variable) else set()), key=len)
        named += kinds[:1]
        named += [one + kind for kind in kinds[:1] for one in nouns]
        named += kinds[1:]
        named += [one + kind for kind in kinds[1:] for one in nouns]
    return [name for name in dict.fromkeys(named) if name]


def member(names: Iterable[str], wanted: str) -> str | None:
    """The member's own spelling of a name."""
    return next((name for name in names if "".join(words(name)) == wanted), None)
