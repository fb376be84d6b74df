"""Ids for the variables of paths, from old's own answers: lists, links, and what the document gives as examples."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from cutover.openapi.document import Document
from cutover.openapi.operations import Operation, Parameter
from cutover.openapi.templates import VARIABLE, nameless
from cutover.parity.answers import Answer, Failure
from cutover.parity.options import ComparedRequest
from cutover.parity.sources.linked import LinkedFrom, linked_from, value_at
from cutover.parity.sources.listing import as_id, document_of, ids_in, items_of, slim
from cutover.parity.sources.naming import is_of, stem
from cutover.parity.sources.parameters import NotAskableError, plain_schema, values_of, variants

MAX_IDS = 3
"""Of one operation."""

MAX_PARENTS = 10
"""Patients that are tried until one has studies."""

MAX_ASKED = 200
MAX_FAILURES = 3
_MAX_NOTES = 2
_VOWELS = frozenset("aeio")
_LISTING_WORDS = ("search", "list", "all", "index", "query", "find", "recent", "latest")
_IN_SEGMENTS = ":@!$&'()*+,;=-._~"

Ask = Callable[[ComparedRequest], Awaitable[Answer | Failure]]
Bindings = dict[str, str]


class NoIdError(Exception):
    """Nothing gave an id; the message says for what, and what was tried."""


@dataclass(frozen=True, slots=True)
class _List:
    """An operation that may list what is looked for. ``direct``: plain ``id`` in its items is meant."""

    operation: Operation
    bindings: Bindings
    noun: str
    direct: bool


@dataclass
class Ids:
    """Asks old for lists, each once, and no more than ``MAX_ASKED`` times in all."""

    document: Document
    ask: Ask
    _items: dict[tuple[str, str], tuple[list[Any], str]] = field(default_factory=dict)
    _asked: int = 0
    _failures: int = 0
    _under_way: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._lists = [one for one in self.document.operations if one.method == "GET"]
        self._links = linked_from(self.document)

    async def of(self, operation: Operation) -> list[Bindings]:
        """Values for all variables of a path, a few times; one empty mapping where it has none.

        They are found from left to right: studies are those of the patient before them. Raises ``NoIdError``.
        """
        found: list[Bindings] = [{}]
        names = operation.variables
        for number, name in enumerate(names):
            room = MAX_IDS if number == len(names) - 1 else MAX_PARENTS
            found = await self._bound(operation, name, found, room)
        return found

    async def _bound(self, operation: Operation, name: str, outer: list[Bindings], room: int) -> list[Bindings]:
        """Each mapping with a value for one more variable; the first of each before the second of any."""
        families: list[list[Bindings]] = []
        notes: list[str] = []
        for bindings in outer:
            values = await self._values(operation, name, bindings, notes)
            if values:
                families.append([{**bindings, name: value} for value in values])
            if len(families) >= MAX_IDS:
                break
        turns = [(turn, number, one) for number, family in enumerate(families) for turn, one in enumerate(family)]
        found = [one for _, _, one in sorted(turns, key=lambda each: each[:2])]
        if not found:
            told = list(dict.fromkeys(notes))
            raise NoIdError(f"no list answer gave the {name}" + (f" ({'; '.join(told[:_MAX_NOTES])})" if told else ""))
        return found[:room]

    async def _values(self, operation: Operation, name: str, bindings: Bindings, notes: list[str]) -> list[str]:
        parameter = _path_parameter(operation, name)
        schema = plain_schema(self.document, parameter.schema)
        if isinstance(schema.get("enum"), list):
            return self._of_document(parameter)
        for link in self._links.get(operation.key, []):
            if name in link.values and (found := await self._from_link(link, name, bindings, notes)):
                return found
        for one in self._candidates(operation, name, bindings):
            items, note = await self._listed(one)
            if found := ids_in(items, name, one.noun, schema, direct=one.direct):
                return found
            if one.direct:
                notes.append(note or f"{one.operation.name} holds none")
        return self._of_document(parameter)

    def _of_document(self, parameter: Parameter) -> list[str]:
        values, described = values_of(self.document, parameter)
        return [text for value in values if (text := as_id(value))] if described else []

    def _candidates(self, operation: Operation, name: str, bindings: Bindings) -> Iterator[_List]:
        """Where the variable's own path begins; what lies beside it there; lists of its name; any list at all."""
        before, _, after = operation.template.partition("{" + name + "}")
        whole = before.endswith("/") and after[:1] in {"", "/"}
        prefix = nameless(before.rstrip("/"))
        noun = _last_word(before)
        seen: set[str] = {operation.key}
        beside = {f"{prefix}/{word}" for word in _LISTING_WORDS}
        for shapes in ({prefix}, beside) if whole else ():
            for one in self._lists:
                bound = dict(zip(one.variables, bindings.values(), strict=False))
                if (
                    one.key not in seen
                    and nameless(one.template.rstrip("/")) in shapes
                    and len(bound) == len(one.variables)
                ):
                    seen.add(one.key)
                    yield _List(one, bound, noun, direct=True)
        for one in self._lists:
            last = _last_word(one.template)
            if one.key not in seen and last and is_of(last, name) and bindings.keys() >= set(one.variables):
                seen.add(one.key)
                yield _List(one, {each: bindings[each] for each in one.variables}, last, direct=True)
        if stem(name):
            for one in self._lists:
                if one.key not in seen and not one.variables:
                    yield _List(one, {}, _last_word(one.template), direct=False)

    async def _listed(self, one: _List) -> tuple[list[Any], str]:
        """The items, and why there are none."""
        key = (fill(one.operation, one.bindings), one.noun)
        if key not in self._items:
            document, note = await self._document(one.operation, one.bindings)
            items = await asyncio.to_thread(lambda: slim(items_of(document, one.noun)))
            self._items[key] = items, note or ("" if items else f"{one.operation.name} lists nothing")
        return self._items[key]

    async def _document(self, operation: Operation, bindings: Bindings) -> tuple[Any, str]:
        if self._asked >= MAX_ASKED:
            return None, f"old was asked for lists {MAX_ASKED} times already"
        if self._failures >= MAX_FAILURES:
            return None, "old does not answer"
        try:
            variant = variants(self.document, operation)[0]
        except NotAskableError as error:
            return None, f"{operation.name}: {error}"
        self._asked += 1
        answer = await self.ask(request_for(operation, bindings, variant.query, variant.headers))
        self._failures = self._failures + 1 if isinstance(answer, Failure) else 0
        document, why = await asyncio.to_thread(document_of, answer)
        return document, f"{operation.name} {why}" if why else ""

    async def _from_link(self, link: LinkedFrom, name: str, bindings: Bindings, notes: list[str]) -> list[str]:
        source = link.operation
        if source.key in self._under_way:
            return []
        self._under_way.add(source.key)
        try:
            places = [bindings] if bindings.keys() >= set(source.variables) else await self.of(source)
        except NoIdError:
            return []
        finally:
            self._under_way.discard(source.key)
        found: list[str] = []
        for place in places:
            document, note = await self._document(source, place)
            found += value_at(link.values[name], document, place)
            notes += [note] if note else []
        return list(dict.fromkeys(found))


def request_for(
    operation: Operation, bindings: Mapping[str, str], query: str, headers: tuple[tuple[str, str], ...]
) -> ComparedRequest:
    path = fill(operation, bindings)
    own = {"headers": dict(headers)} if headers else {}
    full = f"{path}?{query}" if query else path
    return ComparedRequest.model_validate({"method": operation.method, "path": full, **own})


def fill(operation: Operation, bindings: Mapping[str, str]) -> str:
    """The path with values in place of its variables."""
    parts = VARIABLE.split(operation.template)
    filled = [
        quote(bindings[part].encode("utf-8", "surrogatepass"), safe=_IN_SEGMENTS)
        if number % 2
        else quote(part.encode("utf-8", "surrogatepass"), safe=_IN_SEGMENTS + "/%")
        for number, part in enumerate(parts)
    ]
    return "".join(filled)


def _path_parameter(operation: Operation, name: str) -> Parameter:
    """Every variable of a template has one."""
    return next(one for one in operation.parameters if one.location == "path" and one.name == name)


def _last_word(template: str) -> str:
    """The last part of a path, empty where that is a variable."""
    last = template.rstrip("/").rpartition("/")[2]
    return "" if VARIABLE.search(last) else last
