"""What a side said: an answer, or why there is none."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Answer:
    """``headers`` are as sent, repeated ones apart; ``body`` is decoded from ``encoding``.

    ``hops`` are the Locations that led to this answer, where redirects were followed.
    """

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | bytearray = b""
    encoding: str = ""
    url: str = ""
    http_version: str = ""
    hops: tuple[str, ...] = ()

    def values(self, name: str) -> list[str]:
        """Each value of a header, in order; names know no case."""
        return [value for key, value in self.headers if key.lower() == name]

    def by_name(self) -> dict[str, Counter[str]]:
        headers: dict[str, Counter[str]] = {}
        for name, value in self.headers:
            headers.setdefault(name.lower(), Counter())[value.strip()] += 1
        return headers

    @property
    def media_type(self) -> str:
        return content_type(self)[0]

    @property
    def is_redirect(self) -> bool:
        return self.status in {301, 302, 303, 307, 308}


def content_type(answer: Answer) -> tuple[str, dict[str, str]]:
    """Media type and parameters, in lower case; empty where the header is missing."""
    values = answer.values("content-type")
    return parse_content_type(values[0]) if values else ("", {})


def parse_content_type(value: str) -> tuple[str, dict[str, str]]:
    media_type, *parameters = value.split(";")
    pairs = (p.partition("=") for p in parameters if p.strip())
    return media_type.strip().lower(), {k.strip().lower(): v.strip().strip('"').lower() for k, _, v in pairs}


@dataclass(frozen=True, slots=True)
class Failure:
    """No whole answer. ``broken`` is an answer that can't be read: cut, or wrongly encoded."""

    kind: Literal["connection", "timeout", "too_large", "broken"]
    reason: str
