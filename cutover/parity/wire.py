"""What a request's own connection is told to do and says: httpx knows neither its version of HTTP nor its age."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import aiohttp

MAX_LINE_BYTES = 64 * 1024
MAX_HEADERS = 1000


class DroppedError(Exception):
    """The connection ended before there was an answer; the message says how."""


@dataclass(slots=True)
class Wire:
    """Of one attempt. ``reused``: the connection had been kept, so its server may have given it up meanwhile."""

    reused: bool = False
    version: str = ""


_wire: ContextVar[Wire | None] = ContextVar("wire", default=None)


def watched() -> Wire:
    """What the next request of this task tells."""
    wire = Wire()
    _wire.set(wire)
    return wire


def open_session(connections: int) -> aiohttp.ClientSession:
    """Without cookies, and without the second attempt that aiohttp makes of its own accord, of a DELETE too."""
    import aiohttp  # noqa: PLC0415 - start-up time

    trace = aiohttp.TraceConfig()
    trace.on_connection_reuseconn.append(_note_reuse)
    trace.on_request_end.append(_note_version)
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=connections),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers={"User-Agent", "Accept", "Accept-Encoding", "Content-Type"},
        max_line_size=MAX_LINE_BYTES,
        max_field_size=MAX_LINE_BYTES,
        max_headers=MAX_HEADERS,
        trace_configs=[trace],
        middlewares=(_once,),
    )


async def _note_reuse(_session: Any, _context: Any, _params: Any) -> None:
    if (wire := _wire.get()) is not None:
        wire.reused = True


async def _note_version(_session: Any, _context: Any, params: aiohttp.TraceRequestEndParams) -> None:
    if (wire := _wire.get()) is not None and (version := params.response.version) is not None:
        wire.version = f"HTTP/{version.major}.{version.minor}"


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    import aiohttp  # noqa: PLC0415 - start-up time

    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
        raise DroppedError(f"no answer: {error}") from error
