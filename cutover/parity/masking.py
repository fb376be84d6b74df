"""Texts and values of answers with ``***`` in place of the secrets in them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cutover.parity.confidential import (
    JWT,
    MIN_TOKEN_CHARS,
    PART,
    holds_secret,
    is_secret_member,
    is_secret_name,
    looks_secret,
    names_id,
    names_of,
)
from cutover.redact import MASK

_IN_TEXT = re.compile(
    # name=value, "name": "value", name: value; where quotes are cut off, to the end
    r"""(?P<lead>[?&;#]?)(?<![\w-])(?P<name>[A-Za-z_][\w.\[\]-]{1,60})\\?["']?\s{0,5}[=:]\s{0,5}(?!//)"""
    r"""(?:\\?"(?P<double>[^"]*)|\\?'(?P<single>[^']*)|(?P<nested>[\[{][^\]}]*)|(?P<bare>[^\s&;,"'<>}\]]+))"""
)
_IN_MARKUP = re.compile(
    r"""<[^<>]{0,200}?\b(?:name|id)=["']?(?P<name>[\w.-]{1,60})["']?[^<>]{0,200}?\b(?:value|content)=(?P<value>"[^"]*|'[^']*|[^\s>"']+)"""
    r"""|<[^<>]{0,200}?\b(?:value|content)=(?P<before>"[^"]*|'[^']*|[^\s>"']+)["']?[^<>]{0,200}?\b(?:name|id)=["']?(?P<after>[\w.-]{1,60})"""
    r"""|<(?P<element>[A-Za-z_][\w.:-]{1,60})(?:\s[^<>]{0,200})?>(?P<text>[^<]+)"""
)
_SCHEME = re.compile(
    r"\b(?i:Bearer|Basic|Token|ApiKey)\s+(?![\w-]+=[\"'])"
    r"(?P<value>(?=[a-z]*[A-Z0-9_~+/.=-][A-Za-z0-9])[A-Za-z0-9._~+/-]{6,}=*)"
)
_USERINFO = re.compile(r"://(?P<value>[^/?#\s@]{1,500})@")
_LONG_WORD = re.compile(rf"[A-Za-z0-9_.~+-]{{{MIN_TOKEN_CHARS},4096}}={{0,2}}")
_OF_TEXT = "text: "
_QUERY = frozenset("?&;#")


def masked_value(value: str, name: str = "") -> str:
    """A value of an answer with what is secret in it masked; ``name`` is its member's, or a path that ends with it."""
    if "eyJ" not in value and "://" not in value and "?" not in value and names_id(name):
        return value
    return MASK if looks_secret(value) else mask(value)


def is_secret_at(path: str, value: object) -> bool:
    """Whether a value may be one by the path that findings have: ``$.tokens[].x``, a header's name, words of a text."""
    if path.startswith("Set-Cookie:"):
        return False
    if path.startswith(_OF_TEXT):
        before = path.removeprefix(_OF_TEXT).removesuffix("#")
        text = before + str(value)
        return any(first >= len(before) or last > len(before) for first, last in spans(text))
    names = names_of(path) if path.startswith("$") else [path]
    values = value if isinstance(value, list) and not path.startswith("$") else [value]
    return any(holds_secret(name, one) for name in names[-1:] for one in values) or any(
        is_secret_member(name) and holds_secret(name, value) for name in names[:-1]
    )


def mask(text: str) -> str:
    """A text, or a URL, with ``***`` in place of what looks like a secret in it."""
    return masked_between(text, 0, len(text))


def masked_between(text: str, begin: int, end: int) -> str:
    """A part of a text, whose secrets may have their name before it."""
    if not text:
        return text
    told = ""
    at = begin
    for first, last in spans(text):
        if last <= at or first >= end:
            continue
        told += text[at : max(at, first)] + MASK
        at = min(last, end)
    return told + text[at:end]


def spans(text: str) -> list[tuple[int, int]]:
    """Where secrets are in a text, in order and without overlaps."""
    found = sorted(set(_found(text)))
    joined: list[tuple[int, int]] = []
    for first, last in found:
        if joined and first < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
        else:
            joined.append((first, last))
    return joined


def _found(text: str) -> Iterator[tuple[int, int]]:
    if "eyJ" in text:
        yield from (one.span() for one in JWT.finditer(text))
    yield from (one.span("value") for one in _SCHEME.finditer(text))
    if "://" in text:
        yield from (one.span("value") for one in _USERINFO.finditer(text))
    if "=" in text or ":" in text:
        yield from _pairs(text)
    if "<" in text:
        yield from _marked_up(text)
    yield from (one.span() for one in _LONG_WORD.finditer(text) if looks_secret(one[0]))


def _pairs(text: str) -> Iterator[tuple[int, int]]:
    at = 0
    while one := _IN_TEXT.search(text, at):
        group = next(name for name in ("double", "single", "nested", "bare") if one[name] is not None)
        name, value = one["name"], one[group]
        in_query = one["lead"] in _QUERY and one["lead"] != "" and one[0].find("=") >= 0
        secret = is_secret_name(name, value) if in_query else _told_by_name(name, value)
        if value not in {"", "...", MASK} and secret:
            yield one.span(group)
            at = one.end()
        else:
            # A pair may stand within the value of another: "url": "/cb?token=..."
            at = one.end("name")


def _told_by_name(name: str, value: str) -> bool:
    bare = value in {"true", "false", "null", "None"} or not value
    return not bare and holds_secret(_last(name), int(value) if value.isdecimal() and len(value) < 20 else value)  # noqa: PLR2004 - as numbers are


def _last(name: str) -> str:
    return next((part for part in reversed(PART.split(name)) if part), name)


def _marked_up(text: str) -> Iterator[tuple[int, int]]:
    for one in _IN_MARKUP.finditer(text):
        for named, group in (("name", "value"), ("after", "before"), ("element", "text")):
            if one[named] is None or not holds_secret(one[named], one[group].strip("\"' \n")):
                continue
            first, last = one.span(group)
            yield first + one[group].startswith(('"', "'")), last
