"""The clients of a worker: what they have in common, however the pace is set, and what they saw."""

from __future__ import annotations

import asyncio
import errno
import gc
import itertools
import os
import ssl
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from time import perf_counter

from cutover.load.client import Client
from cutover.load.clock import Clock
from cutover.load.order import ImpossibleError, Order
from cutover.load.tally import LOCAL, Tally

BUFFER_BYTES = 256 * 1024
TICK_S = 0.05
TICKS_PER_PROGRESS = 5
STOP_MARGIN_S = 5.0
TIMER_GRAIN_S = 0.001
MAX_SAMPLES = 50
CLIENT_ERROR, SERVER_ERROR = 400, 500
OWN_ERRNOS = frozenset({errno.EADDRNOTAVAIL, errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
KINDS = {errno.ECONNREFUSED: "refused", errno.ECONNRESET: "reset"}

Say = Callable[[Mapping[str, float]], None]


class Crowd(ABC):
    """Clients of one backend and their counts. Subclasses say who sends when."""

    def __init__(self, order: Order, clock: Clock, progress: Say) -> None:
        self.order = order
        self.clock = clock
        self.buffer = memoryview(bytearray(BUFFER_BYTES))
        self.tally = Tally()
        self.start = 0.0
        self.stopped = False
        self.requests = itertools.cycle(order.requests)
        self._progress = progress
        self._wire = {request.wire: request.wire.encode("latin-1") for request in order.requests}
        self._clients: set[Client] = set()
        self._address = ""
        self._last_answer = 0.0
        self._idle_before = 0.0
        self._tls = ssl.create_default_context() if order.tls else None

    @abstractmethod
    async def load(self) -> None:
        """Ask from now on, ``start`` included, until it is over and the last answer is in."""

    @abstractmethod
    def next(self, client: Client) -> None: ...

    @property
    def least_seconds(self) -> float:
        """How long it lasts, however early the last answer was."""
        return 0.0

    async def run(self) -> Tally:
        """Warm up, load, wait for the answers under way, and return the counts."""
        self._address = await self._first_address()
        loop = asyncio.get_running_loop()
        self.start = perf_counter() + self.order.warm_up
        gc.collect()
        gc.freeze()
        starting = loop.call_later(self.order.warm_up, self._begin)
        ending = loop.call_later(self.order.warm_up + self.order.seconds, self._stop)
        ticking = asyncio.create_task(self._tick())
        try:
            async with asyncio.timeout(self.order.warm_up + self.order.seconds + self.order.timeout + STOP_MARGIN_S):
                await self.load()
        finally:
            starting.cancel()
            ending.cancel()
            ticking.cancel()
        self._stop()
        return self.tally

    async def _first_address(self) -> str:
        """The first address of the host that accepts a connection, else the first; names are resolved only here."""
        loop = asyncio.get_running_loop()
        try:
            found = await asyncio.wait_for(
                loop.getaddrinfo(self.order.host, self.order.port, type=1), timeout=self.order.timeout
            )
        except TimeoutError:
            raise ImpossibleError(f"{self.order.host} does not resolve in time") from None
        except OSError as error:
            raise ImpossibleError(f"{self.order.host} does not resolve: {error.strerror}") from None
        addresses = list(dict.fromkeys(str(info[4][0]) for info in found))
        for address in addresses[:-1]:
            try:
                connecting = loop.create_connection(asyncio.Protocol, address, self.order.port)
                transport, _ = await asyncio.wait_for(connecting, timeout=self.order.timeout)
            except OSError:
                continue
            transport.abort()
            return address
        return addresses[-1]

    async def connect(self) -> Client:
        """A client, connected and at work. Raises ``OSError``."""
        client = Client(self, self._wire)
        async with asyncio.timeout(self.order.timeout):
            await asyncio.get_running_loop().create_connection(
                lambda: client, self._address, self.order.port,
                ssl=self._tls, server_hostname=self.order.host if self._tls else None,
            )  # fmt: skip
        self.tally.connects += 1
        if not client.closed.done():
            self._clients.add(client)
            client.closed.add_done_callback(lambda _: self._clients.discard(client))
        return client

    def _begin(self) -> None:
        self._idle_before = self.clock.idle

    def _stop(self) -> None:
        """Send no more; the second call, when the last answers are in, ends the measurement."""
        now = perf_counter()
        if not self.stopped:
            self.stopped = True
            idle = self.clock.idle - self._idle_before
            self.tally.busy = max(0.0, 1 - idle / max(now - self.start, idle, TIMER_GRAIN_S))
        self.tally.seconds = max(0.0, (self._last_answer or now) - self.start, self.least_seconds)

    def answered(self, client: Client, status: int) -> None:
        if client.since < self.start or client.request is None:
            return
        request, tally = client.request, self.tally
        tally.requests += 1
        tally.statuses[status] += 1
        tally.received += client.received
        self._last_answer = self.clock.woke
        if status < CLIENT_ERROR if request.expected is None else status in request.expected:
            tally.latency.add(self.clock.woke - client.since)
            tally.surely.add(max(0.0, self.clock.earliest - client.sent) + client.waited)
            return
        kind = "status" if status < CLIENT_ERROR else "4xx" if status < SERVER_ERROR else "5xx"
        self._error(kind, f"{request.label}: {status}")

    def failed(self, client: Client, kind: str, what: str) -> None:
        if client.request is not None:
            self.tally.received += client.received if client.since >= self.start else 0
            waited = client.waited + perf_counter() - client.sent
            self.lost(client.since, kind, f"{client.request.label}: {what}", waited)

    def lost(self, since: float, kind: str, what: str, waited: float = 0.0) -> None:
        """Count a request without an answer; a time-out is a time, too: so long at least was surely ``waited``."""
        if since < self.start:
            return
        now = perf_counter()
        if kind == "timeout":
            self.tally.latency.add(now - since)
            self.tally.surely.add(waited)
        self.tally.requests += 1
        self._last_answer = now
        self._error(kind, what)

    def _error(self, kind: str, what: str) -> None:
        self.tally.errors[kind] += 1
        if what in self.tally.samples or len(self.tally.samples) < MAX_SAMPLES:
            self.tally.samples[what] += 1

    def time_out(self, now: float) -> None:
        """Give up what waits for longer than it may."""
        for client in [c for c in self._clients if c.request is not None and now - c.since > self.order.timeout]:
            client.fail("timeout", "timed out")

    async def _tick(self) -> None:
        """Give up what is late, note how late this very tick is, and tell of the progress."""
        ticks = 0
        while True:
            before = perf_counter()
            await asyncio.sleep(TICK_S)
            now = perf_counter()
            if before >= self.start:
                self.tally.lag.add(max(0.0, now - before - TICK_S - TIMER_GRAIN_S))
            self.time_out(now)
            ticks += 1
            if ticks % TICKS_PER_PROGRESS == 0:
                self._progress(self._seen(now))

    def _seen(self, now: float) -> dict[str, float]:
        tally = self.tally
        return {
            "requests": tally.requests,
            "errors": tally.failed,
            "p95": tally.latency.percentile(95),
            "seconds": max(0.0, now - self.start),
        }


def why_not_connected(error: OSError) -> tuple[str, str]:
    """The kind of an error, and what to say of it."""
    if isinstance(error, TimeoutError) and error.errno is None:
        return "timeout", "connecting timed out"
    if error.errno in OWN_ERRNOS:
        return LOCAL, error.strerror or str(error)
    if isinstance(error, ssl.SSLError):
        return "tls", f"TLS: {error.reason or error}"
    code = error.errno or 0
    return KINDS.get(code, "connection"), os.strerror(code) if code else str(error) or type(error).__name__
