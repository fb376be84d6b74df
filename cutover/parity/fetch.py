"""Asking one side: streamed, within limits, and nothing kept between requests."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from cutover.parity.answers import Answer, Failure
from cutover.parity.pace import Pace
from cutover.parity.wire import DroppedError, Wire, open_session, watched
from cutover.plan.request import Request
from cutover.unreached import why_unreached

if TYPE_CHECKING:
    import httpx

ACCEPT_ENCODING = "gzip"
MAX_REDIRECTS = 5
# What one step of decompression may hand out, so that a bomb is seen before it is unpacked.
_INFLATE_STEP_BYTES = 1024 * 1024
_COPIED_BYTES = 1024 * 1024

HeadersFor = Callable[[Mapping[str, str]], dict[str, str]]


@dataclass(frozen=True)
class Limits:
    """Of one request: ``timeout_s`` for all of it, ``max_body`` in bytes once decoded. ``rps`` is of the whole side."""

    timeout_s: float = 10.0
    max_body: int = 64 * 1024 * 1024
    connections: int = 8
    rps: float | None = None


@dataclass(frozen=True)
class Side:
    """One side of a comparison. ``headers`` makes a request's headers from those it brings itself."""

    name: str
    url: str
    headers: HeadersFor
    limits: Limits = field(default_factory=Limits)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Asker]:
        """A connection pool of its own, without cookies, proxies or redirects; watched by ``wire``."""
        from http.cookiejar import CookieJar, DefaultCookiePolicy  # noqa: PLC0415 - start-up time

        # A quarter of a second, in which the event loop would stand still.
        await asyncio.to_thread(import_module, "httpx_aiohttp")
        import httpx  # noqa: PLC0415 - start-up time
        from httpx_aiohttp import AiohttpTransport  # noqa: PLC0415 - start-up time

        async with (
            open_session(self.limits.connections) as session,
            httpx.AsyncClient(
                # The session's connector verifies certificates; the transport's own context is never used.
                transport=AiohttpTransport(client=session, verify=False, trust_env=False),
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
                follow_redirects=False,
                trust_env=False,
                timeout=httpx.Timeout(self.limits.timeout_s),
            ) as client,
        ):
            yield Asker(self, client, Pace(self.limits.rps))


class TooLargeError(Exception):
    """The body passed the limit."""


class BrokenBodyError(Exception):
    """The body can't be decoded; the message says why."""


@dataclass(frozen=True)
class Asker:
    """An open side."""

    side: Side
    client: httpx.AsyncClient
    pace: Pace

    async def ask(self, request: Request, path: str, *, follow: bool = False) -> Answer | Failure:
        """Send a request to ``path``; with ``follow``, go where GET and HEAD are redirected within the same origin."""
        answer = await self._ask(request, path)
        hops: list[str] = []
        while follow and isinstance(answer, Answer) and (target := self._redirected(request, answer)) is not None:
            hops.append(answer.values("location")[0].strip())
            if len(hops) > MAX_REDIRECTS:
                return Failure("broken", f"redirects more than {MAX_REDIRECTS} times")
            answer = await self._ask(request, target)
        return replace(answer, hops=tuple(hops)) if isinstance(answer, Answer) and hops else answer

    def _redirected(self, request: Request, answer: Answer) -> str | None:
        """The path to go on at, where that is this side's own."""
        locations = answer.values("location")
        if not (request.safe and answer.is_redirect and locations):
            return None
        target = urlsplit(urljoin(answer.url, locations[0]))
        own = {urlsplit(self.side.url).netloc, urlsplit(answer.url).netloc, self._host(request)}
        return target._replace(scheme="", netloc="", fragment="").geturl() if target.netloc in own else None

    def _host(self, request: Request) -> str:
        headers = self.side.headers(request.headers)
        return next((value for name, value in headers.items() if name.lower() == "host"), "")

    async def _ask(self, request: Request, path: str) -> Answer | Failure:
        import aiohttp  # noqa: PLC0415 - start-up time
        import httpx  # noqa: PLC0415 - start-up time

        timeout = self.side.limits.timeout_s
        await self.pace.next()
        try:
            async with asyncio.timeout(timeout):
                return await self._first_answer(request, self.side.url + path)
        except TooLargeError:
            return Failure("too_large", f"the body is larger than {self.side.limits.max_body} bytes")
        except BrokenBodyError as error:
            return Failure("broken", str(error))
        except (TimeoutError, httpx.ReadTimeout, httpx.ReadError) as error:
            if isinstance(error, httpx.ReadError):
                return Failure("broken", f"the answer was cut: {error or type(error).__name__}")
            return Failure("timeout", f"no whole answer within {timeout:g}s")
        except (DroppedError, httpx.HTTPError, httpx.InvalidURL, aiohttp.ClientError, OSError, ValueError) as error:
            return Failure("connection", self._why_unreached(error))

    def _why_unreached(self, error: Exception) -> str:
        if isinstance(error, DroppedError):
            return str(error)
        where = urlsplit(self.side.url).netloc.rpartition("@")[2]
        said = getattr(error, "message", None) or getattr(error.__cause__, "message", None)
        if said is not None:
            return f"{where}: no HTTP answer: {str(said).partition(chr(10))[0].rstrip(':')}"
        return f"{where}: {why_unreached(error)}"

    async def _first_answer(self, request: Request, url: str) -> Answer:
        """Servers give up kept connections: where one was, GET and HEAD are sent again, at last on a new one."""
        for _ in range(self.side.limits.connections):
            wire = watched()
            try:
                return await self._exchange(request, url, wire)
            except DroppedError:
                if not (wire.reused and request.safe):
                    raise
        return await self._exchange(request, url, watched())

    async def _exchange(self, request: Request, url: str, wire: Wire) -> Answer:
        headers, content = _outgoing(request, self.side.headers)
        async with self.client.stream(request.method, url, headers=headers, content=content) as response:
            encoding = response.headers.get("content-encoding", "").strip().lower()
            raw = response.aiter_raw()
            body = b"" if request.method == "HEAD" else await _read(raw, encoding, self.side.limits.max_body)
            return Answer(
                status=response.status_code,
                headers=tuple((n.decode("latin-1"), v.decode("latin-1")) for n, v in response.headers.raw),
                body=body,
                encoding="" if encoding == "identity" else encoding,
                url=url,
                http_version=wire.version,
            )


def _outgoing(request: Request, headers_for: HeadersFor) -> tuple[dict[str, str], bytes | None]:
    own = dict(request.headers)
    names = {name.lower() for name in own}
    if request.json_body is not None:
        content: bytes | None = json.dumps(request.json_body, ensure_ascii=False).encode()
        if "content-type" not in names:
            own["Content-Type"] = "application/json"
    else:
        content = request.body.encode() if request.body is not None else None
    if "accept-encoding" not in names:
        own["Accept-Encoding"] = ACCEPT_ENCODING
    return headers_for(own), content


async def _read(chunks: AsyncIterator[bytes], encoding: str, limit: int) -> bytes | bytearray:
    inflate = _inflater(encoding)
    body = bytearray()
    async for chunk in chunks:
        if inflate is None:
            body += chunk
        else:
            await _inflate(inflate, chunk, body, limit)
        if len(body) > limit:
            raise TooLargeError
    if inflate is not None and not inflate.eof and body:
        raise BrokenBodyError(f"the {encoding} body ends too early")
    # A copy of what is big would hold the event loop.
    return body if len(body) > _COPIED_BYTES else bytes(body)


def _inflater(encoding: str) -> zlib._Decompress | None:
    if encoding in {"", "identity"}:
        return None
    if encoding in {"gzip", "x-gzip"}:
        return zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    if encoding == "deflate":
        return zlib.decompressobj()
    raise BrokenBodyError(f"the body is encoded as {encoding}, which was not asked for")


async def _inflate(inflate: zlib._Decompress, chunk: bytes, body: bytearray, limit: int) -> None:
    try:
        body += inflate.decompress(chunk, _INFLATE_STEP_BYTES)
        if inflate.unused_data:
            raise BrokenBodyError("the body goes on after its end")
        while inflate.unconsumed_tail and len(body) <= limit:
            await asyncio.sleep(0)
            body += inflate.decompress(inflate.unconsumed_tail, _INFLATE_STEP_BYTES)
    except zlib.error as error:
        raise BrokenBodyError(f"the body is not what its encoding says: {error}") from None
