"""Requests from a HAR 1.2 file, as browsers and proxies save what they sent."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cutover.parity.endpoints import EndpointOf, endpoint
from cutover.parity.sources.drawn import Drawn, LeavingOut, source_mistake
from cutover.parity.sources.logline import asked
from cutover.parity.sources.recorded import STATIC, Recorded
from cutover.plan.request import SAFE_METHODS

MAX_FILE_BYTES = 100 * 1024 * 1024

NO_REQUEST = "entries without a request that can be read"
NO_ANSWER = "got no answer when it was recorded"
HAS_BODY = "GET and HEAD with a body"
HEADERS = "headers that requests are asked without"

# What changes an answer and is no credential; browsers' own headers about caching, tracing and origin do neither.
KEPT_HEADERS = (
    "accept", "accept-language", "accept-version", "api-version", "prefer", "x-api-version", "x-requested-with",
    "x-tenant", "x-tenant-host", "x-tenant-id",
)  # fmt: skip
_BROWSERS_HEADERS = frozenset({
    "accept-encoding", "alt-used", "cache-control", "connection", "content-length", "content-type", "dnt", "host",
    "if-modified-since", "if-none-match", "keep-alive", "origin", "pragma", "priority", "range", "referer", "te",
    "upgrade-insecure-requests", "user-agent",
})  # fmt: skip
_BROWSERS_PREFIXES = (":", "sec-", "x-cutover", "x-forwarded-")
_STATIC_TYPES = frozenset({"script", "stylesheet", "font", "manifest", "source-map", "texttrack"})
_STATIC_MEDIA = ("javascript", "ecmascript", "text/css", "font")
_API_TYPES = frozenset({"xhr", "fetch"})
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e]*")
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class _Entry:
    """``host`` is with its port; ``status`` is 0 where there was no answer. ``headers`` have names in lower case."""

    method: str
    host: tuple[str, int]
    target: str
    status: int
    headers: list[tuple[str, str]]
    media_type: str
    resource_type: str
    has_body: bool

    @property
    def of_api(self) -> bool:
        return self.resource_type in _API_TYPES or "json" in self.media_type


def read_har(
    file: Path, *, origins: Collection[str], limit: int | None = None, endpoint_of: EndpointOf = endpoint
) -> Drawn:
    """At most ``limit`` GET and HEAD requests, chosen as those of an access log, with the headers that change answers.

    ``origins`` are the service's own URLs. A file recorded elsewhere has none of them: then the host that gave most of
    the JSON is taken for the service. What went to others is left out. Raises ``PydanticCustomError``.
    """
    recorded = Recorded(endpoint_of, open_to_all=False)
    leaving_out = recorded.leaving_out
    entries = list(_entries(_listed(file), file, leaving_out))
    hosts = _hosts(entries, {host for url in origins if (host := _host(url))})
    for entry in entries:
        if entry.host not in hosts:
            leaving_out.add(f"asked of others than {_named(hosts)}", "{}:{}".format(*entry.host))
        elif reason := _reason(entry):
            leaving_out.add(reason, f"{entry.method} {entry.target.partition('?')[0]}")
        else:
            recorded.add(entry.method, entry.target, entry.status, _headers(entry, leaving_out))
    return recorded.drawn(limit)


def _reason(entry: _Entry) -> str:
    if entry.method in SAFE_METHODS and entry.has_body:
        return HAS_BODY
    if entry.resource_type in _STATIC_TYPES or any(word in entry.media_type for word in _STATIC_MEDIA):
        return STATIC
    return NO_ANSWER if not entry.status else ""


def _hosts(entries: list[_Entry], own: set[tuple[str, int]]) -> set[tuple[str, int]]:
    if any(entry.host in own for entry in entries):
        return own
    asked_most = Counter(entry.host for entry in entries if entry.of_api) or Counter(entry.host for entry in entries)
    return {host for host, _ in asked_most.most_common(1)}


def _named(hosts: set[tuple[str, int]]) -> str:
    return " and ".join(f"{name}:{port}" for name, port in sorted(hosts))


def _host(url: str) -> tuple[str, int] | None:
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return None
    return (parts.hostname.lower(), port) if parts.hostname and port else None


def _headers(entry: _Entry, leaving_out: LeavingOut) -> tuple[tuple[str, str], ...]:
    kept: dict[str, str] = {}
    for name, value in entry.headers:
        if name in KEPT_HEADERS and _HEADER_VALUE.fullmatch(value):
            kept[name] = value
        elif name not in _BROWSERS_HEADERS and not name.startswith(_BROWSERS_PREFIXES):
            leaving_out.add(HEADERS, name)
    return tuple(sorted(kept.items()))


def _listed(file: Path) -> list[Any]:
    try:
        if file.stat().st_size > MAX_FILE_BYTES:
            cure = "save it without the contents of answers"
            raise source_mistake(f"{file} is larger than {MAX_FILE_BYTES // 1024**2} MB: {cure}")
        content = file.read_bytes()
    except OSError as error:
        raise source_mistake(f"{file} can't be read: {error.strerror}") from None
    document = _parsed(content.removeprefix(b"\xef\xbb\xbf"), file)
    log = document.get("log") if isinstance(document, dict) else None
    entries = log.get("entries") if isinstance(log, dict) else None
    if not isinstance(entries, list):
        raise source_mistake(f"{file} is no HAR file: it has no list at log.entries")
    return entries


def _parsed(content: bytes, file: Path) -> Any:
    import orjson  # noqa: PLC0415 - start-up time

    try:
        return orjson.loads(content)
    except ValueError:
        try:
            # Bodies of answers may hold what is no text.
            return json.loads(content.decode("utf-8", "replace"))
        except json.JSONDecodeError as error:
            raise source_mistake(f"{file}:{error.lineno}:{error.colno}: no JSON: {error.msg}") from None
        except (ValueError, RecursionError) as error:
            raise source_mistake(f"{file} is no JSON that can be read: {error}") from None


def _entries(listed: list[Any], file: Path, leaving_out: LeavingOut) -> Iterator[_Entry]:
    for number, value in enumerate(listed, 1):
        place = f"{file}, entry {number}"
        entry = _entry(value)
        if entry is None:
            leaving_out.add(NO_REQUEST, place)
        else:
            yield entry


def _entry(value: Any) -> _Entry | None:
    """None for what is of wrong types, and for what is no HTTP (a WebSocket, an extension, a data: URL)."""
    request, response = _object(value, "request"), _object(value, "response")
    method, url = _text(request, "method"), _text(request, "url")
    host = _host(url)
    if not (method.isalpha() and url.startswith(("http://", "https://")) and host):
        return None
    parts = urlsplit(url)
    target = asked((parts.path or "/").encode("utf-8", "surrogatepass"))
    query = asked(parts.query.encode("utf-8", "surrogatepass"))
    status = response.get("status")
    return _Entry(
        method=method.upper(),
        host=host,
        target=f"{target}?{query}" if query else target,
        status=status if type(status) is int else 0,
        headers=list(_pairs(request.get("headers"))),
        media_type=_text(_object(response, "content"), "mimeType").lower(),
        resource_type=_text(value, "_resourceType").lower(),
        has_body=bool(_text(_object(request, "postData"), "text")),
    )


def _pairs(headers: Any) -> Iterator[tuple[str, str]]:
    for header in headers if isinstance(headers, list) else ():
        if name := _text(header, "name"):
            yield name.lower(), _text(header, "value")


def _object(value: Any, name: str) -> dict[str, Any]:
    inner = value.get(name) if isinstance(value, dict) else None
    return inner if isinstance(inner, dict) else {}


def _text(value: Any, name: str) -> str:
    text = value.get(name) if isinstance(value, dict) else None
    return text if isinstance(text, str) else ""
