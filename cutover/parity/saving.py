"""``save: {token: $.access_token}``: values that an answer gives, to be used later as ``${token}``.

A place is ``$.a.path`` in a JSON body, ``header:NAME`` or ``cookie:NAME``. A variable holds one value: a text, a
number, or true or false.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import PydanticCustomError, core_schema

from cutover.parity.jsonpath import JsonPath, lookup, parse_path

# A redactor can't look for any size of secret, and no server takes such a header.
MAX_CHARS = 8192
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ELSEWHERE = re.compile(r"(header|cookie):([!#$%&'*+.^_`|~0-9A-Za-z-]+)")


class NotSavedError(Exception):
    """What was to be saved and could not be; the message shows nothing of the answer. ``taken`` is what was there."""

    def __init__(self, message: str, taken: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.taken = taken


@dataclass(frozen=True)
class Place:
    """Where in an answer a value stands: at a JSON path, or in the header or cookie ``name``."""

    kind: Literal["json", "header", "cookie"]
    name: str = ""
    path: JsonPath | None = None

    @property
    def member(self) -> str:
        """The name under which it stands: the last one of a path, or that of a header or cookie."""
        names = [part for part in self.path.segments if isinstance(part, str)] if self.path is not None else []
        return names[-1] if names else self.name

    def __str__(self) -> str:
        return str(self.path) if self.path is not None else f"{self.kind}:{self.name}"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            parse_place, serialization=core_schema.to_string_ser_schema()
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {
            "type": "string",
            "pattern": r"^(\$|header:|cookie:)",
            "examples": ["$.access_token", "header:X-Auth-Token", "cookie:session"],
        }


def parse_place(text: object) -> Place:
    """Raise a mistake where a text is no place, or names several."""
    if isinstance(text, Place):
        return text
    if isinstance(text, str) and (elsewhere := _ELSEWHERE.fullmatch(text)):
        return Place("header" if elsewhere[1] == "header" else "cookie", elsewhere[2])
    if not isinstance(text, str) or not text.startswith(("$", "..")):
        raise _mistake(f"{text!r} is no place in an answer; write $.a.path, header:NAME or cookie:NAME")
    path = parse_path(text)
    if not path.single:
        raise _mistake(f"{text!r} may name several places; a variable holds one value, as of $.items[0].id")
    return Place("json", path=path)


def _variable_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise _mistake(f"{name!r} is not the name of a variable; write [A-Za-z_][A-Za-z0-9_]*")
    return name


def _mistake(message: str) -> PydanticCustomError:
    return PydanticCustomError("save", "{message}", {"message": message})


Saves = dict[Annotated[str, AfterValidator(_variable_name)], Place]


def take(saves: Mapping[str, Place], headers: Iterable[tuple[str, str]], body: bytes | bytearray) -> dict[str, Any]:
    """The value of each name in an answer. ``headers`` are as sent, repeated ones apart; ``body`` is decoded.

    Raises ``NotSavedError`` naming all that could not be taken.
    """
    answer = _Answer(list(headers), body)
    taken: dict[str, Any] = {}
    wrong: list[str] = []
    for name, place in saves.items():
        try:
            taken[name] = answer.value(place)
        except _MissingError as error:
            wrong.append(f"nothing to save as {name}: {error}")
    if wrong:
        raise NotSavedError("; ".join(wrong), taken)
    return taken


class _MissingError(Exception):
    """Why a place holds no value."""


class _Answer:
    def __init__(self, headers: list[tuple[str, str]], body: bytes | bytearray) -> None:
        self._headers = headers
        self._body = body
        self._document: Any = None
        self._parsed = False

    def value(self, place: Place) -> Any:
        match place.kind:
            case "json":
                value = self._at(place)
            case "header":
                value = self._header(place)
            case _:
                value = self._cookie(place)
        if value == "":
            raise _MissingError(f"{place} is empty")
        if isinstance(value, str) and len(value) > MAX_CHARS:
            raise _MissingError(f"{place} is longer than {MAX_CHARS} characters")
        if isinstance(value, str) and any("\ud800" <= character <= "\udfff" for character in value):
            raise _MissingError(f"{place} is not UTF-8 text")
        return value

    def _at(self, place: Place) -> Any:
        assert place.path is not None  # noqa: S101 - a place in JSON has one
        try:
            value = lookup(self._json(), place.path)
        except KeyError:
            raise _MissingError(f"there is no {place} in the answer") from None
        if value is None or isinstance(value, dict | list):
            kind = "null" if value is None else "an object" if isinstance(value, dict) else "a list"
            raise _MissingError(f"{place} is {kind}, and a variable holds one value")
        return value

    def _json(self) -> Any:
        if not self._parsed:
            try:
                self._document = json.loads(self._body, parse_constant=_refuse)
            except (ValueError, RecursionError):
                raise _MissingError("the body is no JSON" if self._body else "the answer has no body") from None
            self._parsed = True
        return self._document

    def _header(self, place: Place) -> str:
        values = [value for name, value in self._headers if name.lower() == place.name.lower()]
        if len(values) != 1:
            raise _MissingError(f"there {'are several' if values else 'is no'} {place} in the answer")
        return values[0].strip()

    def _cookie(self, place: Place) -> str:
        """As a browser: the last one counts, and its name knows case."""
        pairs = [
            value.partition(";")[0].partition("=") for name, value in self._headers if name.lower() == "set-cookie"
        ]
        values = [value.strip() for name, _, value in pairs if name.strip() == place.name]
        if not values:
            raise _MissingError(f"there is no {place} in the answer")
        return values[-1]


def _refuse(constant: str) -> Any:
    raise ValueError(constant)
