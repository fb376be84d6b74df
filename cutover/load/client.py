"""One client: a connection that sends a request, reads its answer, and asks what to do next."""

from __future__ import annotations

import asyncio
from typing import Protocol

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from cutover.load.clock import Clock
from cutover.load.order import Prepared

FINAL_STATUS = 200


class Crowd(Protocol):
    """What the clients of a worker have in common."""

    clock: Clock
    buffer: memoryview

    def next(self, client: Client) -> None:
        """Let a client that has nothing to do ``send``, ``end``, or rest until there is something."""
        ...

    def answered(self, client: Client, status: int) -> None: ...

    def failed(self, client: Client, kind: str, what: str) -> None: ...


class Client(asyncio.BufferedProtocol):
    """A keep-alive connection. ``closed`` is done when it is gone; its result says whether that was an error.

    Of the request under way: ``since`` is the moment from which its time counts, ``sent`` that at which it was sent,
    both by ``time.perf_counter``; ``waited`` are the seconds in between that were surely the backend's; ``received``
    are the bytes of its answer so far.
    """

    def __init__(self, crowd: Crowd, wire: dict[str, bytes]) -> None:
        self.crowd = crowd
        self.wire = wire
        self.closed: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport | None = None
        self.request: Prepared | None = None
        self.since = self.sent = self.waited = 0.0
        self.received = 0
        self.parser = HttpResponseParser(self)
        self._begins = self._ends = 0
        self._status = 0
        self._keep = True
        self._headers_complete = self._framed = self._broken = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # it is a stream
        self.crowd.next(self)

    def get_buffer(self, _sizehint: int) -> memoryview:
        return self.crowd.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.received += nbytes
        try:
            self.parser.feed_data(self.crowd.buffer[:nbytes])
        except (HttpParserError, HttpParserUpgrade) as error:
            self.fail("protocol", f"not an HTTP/1 answer: {error}")
            return
        if self._ends:
            if self._begins != 1 or self._ends != 1:
                self.fail("protocol", "more than one answer to one request")
            else:
                self._finish()

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        if self.request is not None:
            if self._headers_complete and not self._framed and exc is None:
                self._ends = self._begins
                self._keep = False
                self._finish()
            else:
                when = "in the middle of an answer" if self._begins else "before an answer"
                kind = "closed" if exc is None else "reset"
                self.fail(kind, f"connection {kind} {when}")
        if not self.closed.done():
            self.closed.set_result(self._broken)

    def fail(self, kind: str, what: str) -> None:
        """Count the request under way as an error, and give up the connection."""
        self._broken = True
        self.crowd.failed(self, kind, what)
        self.request = None
        self.end()

    def send(self, request: Prepared, *, sent: float, since: float, waited: float = 0.0) -> None:
        self.request, self.sent, self.since, self.waited, self.received = request, sent, since, waited, 0
        if self.transport is not None:
            self.transport.write(self.wire[request.wire])

    @property
    def gone(self) -> bool:
        return self.transport is None or self.transport.is_closing()

    def end(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    def _finish(self) -> None:
        self.crowd.answered(self, self._status)
        head = self.request is not None and self.request.head
        self.request = None
        if self.transport is None:
            return
        if not self._keep:
            self.transport.abort()
            return
        if head:
            # The parser still waits for the body that the headers of an answer to HEAD announce.
            self.parser = HttpResponseParser(self)
        self._begins = self._ends = 0
        self._headers_complete = self._framed = False
        self.crowd.next(self)

    def on_message_begin(self) -> None:
        self._begins += 1

    def on_header(self, name: bytes, _value: bytes) -> None:
        if len(name) in _FRAMING_LENGTHS and name.lower() in _FRAMING:
            self._framed = True

    def on_headers_complete(self) -> None:
        self._status = self.parser.get_status_code()
        self._headers_complete = self._status >= FINAL_STATUS
        if self._headers_complete and self.request is not None and self.request.head:
            self._end()

    def on_message_complete(self) -> None:
        if not self._headers_complete:
            self._begins -= 1
        elif self.request is None or not self.request.head:
            self._end()

    def _end(self) -> None:
        self._ends += 1
        self._keep = self.parser.should_keep_alive()


_FRAMING = (b"content-length", b"transfer-encoding")
_FRAMING_LENGTHS = tuple(map(len, _FRAMING))
