"""Fetching a document from where it is named: a URL, a file, or a path on a backend."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

from cutover.openapi.document import Document
from cutover.openapi.errors import DocumentError
from cutover.openapi.patience import Patience, in_thread
from cutover.openapi.place import Place, place_of, shown
from cutover.openapi.text import PARSE_TIMEOUT_S, load
from cutover.unreached import why_unreached

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession

__all__ = ["Place", "place_of", "read_document", "shown"]

TIMEOUT_S = 10.0
MAX_DOCUMENT_BYTES = 20 * 1024 * 1024
MAX_REDIRECTS = 5
ACCEPT = "application/json, application/yaml;q=0.9, */*;q=0.8"

_CHUNK_BYTES = 64 * 1024
_OK = 200
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PORTS = {"http": 80, "https": 443}


async def read_document(where: str, *, base: str, headers: Mapping[str, str]) -> Document:
    """Read and parse the document that ``where`` names.

    ``base`` is the URL of the side whose document it is, and ``headers`` are what that side is sent: they go to its
    own origin and to no other. Raises ``DocumentError``, with the reason, also when nobody answers in ``TIMEOUT_S``.
    """
    place = place_of(where)
    if place is Place.FILE:
        return await in_thread(lambda patience: _from_file(where, patience), PARSE_TIMEOUT_S, where)
    url = where if place is Place.URL else base.rstrip("/") + where
    try:
        async with asyncio.timeout(TIMEOUT_S):
            content, url = await _fetch(url, base, headers)
    except TimeoutError:
        raise DocumentError(shown(url), f"no whole answer within {TIMEOUT_S:g}s") from None
    name, path = shown(url), urlsplit(url).path or "/"
    return await in_thread(lambda patience: _parse(content, name, path, patience), PARSE_TIMEOUT_S, name)


def _from_file(where: str, patience: Patience) -> Document:
    try:
        with Path(where).open("rb") as file:
            content = file.read(MAX_DOCUMENT_BYTES + 1)
    except OSError as error:
        raise DocumentError(where, f"can't be read: {error.strerror}") from None
    if len(content) > MAX_DOCUMENT_BYTES:
        raise _too_large(where)
    return _parse(content, where, "/", patience)


def _parse(content: bytes, name: str, path: str, patience: Patience) -> Document:
    return Document.parse(load(content, name, patience), name, path=path)


def _too_large(name: str) -> DocumentError:
    return DocumentError(name, f"is larger than {MAX_DOCUMENT_BYTES // 1024**2} MB")


@dataclass(frozen=True)
class _Origin:
    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> _Origin:
        """Raises ``ValueError`` for what is no URL."""
        parts = urlsplit(url)
        return cls(parts.scheme, parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0))


async def _fetch(url: str, base: str, headers: Mapping[str, str]) -> tuple[bytes, str]:
    """The content, and the URL that gave it in the end."""
    import aiohttp  # noqa: PLC0415 - start-up time

    try:
        origin = _Origin.of(url)
        sent = {"Accept": ACCEPT}
        if origin == _Origin.of(base):
            sent = {**{name: value for name, value in headers.items() if name.lower() != "accept"}, **sent}
        sent = _with_credentials(url, sent)
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(force_close=True), cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
        )
        async with session:
            return await _follow(session, shown(url), origin, sent)
    except aiohttp.ServerDisconnectedError:
        raise DocumentError(shown(url), "the connection was closed without an answer") from None
    except aiohttp.ClientResponseError as error:
        raise DocumentError(shown(url), f"no HTTP answer: {error.message.partition(chr(10))[0]}") from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        if isinstance(error, TimeoutError):
            raise
        raise DocumentError(shown(url), f"can't be asked: {why_unreached(error)}") from None


async def _follow(session: ClientSession, url: str, origin: _Origin, headers: Mapping[str, str]) -> tuple[bytes, str]:
    for _ in range(MAX_REDIRECTS + 1):
        async with session.get(url, headers=headers, allow_redirects=False) as response:
            if response.status not in _REDIRECTS:
                return await _content(response, url), url
            target = _as_own(urljoin(url, response.headers.get("Location", "")), url, headers)
        if _Origin.of(target) != origin:
            hint = "if it is meant, name that URL"
            raise DocumentError(
                shown(url), f"redirects to another origin, {shown(target).partition('?')[0]}; not followed", hint=hint
            )
        url = target
    raise DocumentError(shown(url), f"redirects more than {MAX_REDIRECTS} times")


def _as_own(target: str, url: str, headers: Mapping[str, str]) -> str:
    """A service that was asked under its public name redirects to that, and means itself."""
    host = next((value for name, value in headers.items() if name.lower() == "host"), None)
    parts = urlsplit(target)
    if host is None or parts.netloc != host:
        return target
    asked = urlsplit(url)
    return urlunsplit(parts._replace(scheme=asked.scheme, netloc=asked.netloc))


async def _content(response: ClientResponse, url: str) -> bytes:
    if response.status != _OK:
        raise DocumentError(shown(url), f"answered {response.status}, expected {_OK}")
    content = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
        content += chunk
        if len(content) > MAX_DOCUMENT_BYTES:
            raise _too_large(shown(url))
    return bytes(content)


def _with_credentials(url: str, headers: dict[str, str]) -> dict[str, str]:
    """A URL's own userinfo goes over whatever a side is sent."""
    userinfo = urlsplit(url).netloc.rpartition("@")[0]
    if not userinfo:
        return headers
    kept = {name: value for name, value in headers.items() if name.lower() != "authorization"}
    return {**kept, "Authorization": "Basic " + base64.b64encode(unquote(userinfo).encode()).decode()}
