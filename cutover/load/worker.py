"""A worker process: reads an order from standard input, keeps its clients busy, and prints what they saw.

Standard output holds JSON lines: ``{"progress": ...}`` a few times a second, and ``{"tally": ...}`` at the end, or
``{"impossible": reason}``. It ends at once when its standard input does.
"""

from __future__ import annotations

import asyncio
import errno
import gc
import itertools
import json
import os
import resource
import ssl
import sys
from time import perf_counter
from typing import Any

from cutover.load.client import Client
from cutover.load.clock import Clock
from cutover.load.order import ImpossibleError, Order, Prepared
from cutover.load.tally import LOCAL, Tally

BUFFER_BYTES = 256 * 1024
TICK_S = 0.05
TICKS_PER_PROGRESS = 5
PAUSE_AFTER_ERROR_S = 0.05
STOP_MARGIN_S = 5.0
TIMER_GRAIN_S = 0.001
SPARE_DESCRIPTORS = 32
MAX_SAMPLES = 50
CLIENT_ERROR, SERVER_ERROR = 400, 500
OWN_ERRNOS = frozenset({errno.EADDRNOTAVAIL, errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Worker:
    """The crowd of clients, and what they saw."""

    def __init__(self, order: Order, clock: Clock) -> None:
        self.order = order
        self.clock = clock
        self.buffer = memoryview(bytearray(BUFFER_BYTES))
        self.tally = Tally()
        self.start = 0.0
        self._requests = itertools.cycle(order.requests)
        self._wire = {request.wire: request.wire.encode("latin-1") for request in order.requests}
        self._left = order.count
        self._stopped = False
        self._clients: set[Client] = set()
        self._last_answer = 0.0
        self._idle_before = 0.0
        self._tls = ssl.create_default_context() if order.tls else None

    async def run(self) -> Tally:
        """Warm up, load, wait for the answers under way, and return the counts."""
        address = await self._address()
        loop = asyncio.get_running_loop()
        self.start = perf_counter() + self.order.warm_up
        gc.collect()
        gc.freeze()
        starting = loop.call_later(self.order.warm_up, self._begin)
        ending = loop.call_later(self.order.warm_up + self.order.seconds, self._stop)
        ticking = asyncio.create_task(self._tick())
        try:
            async with asyncio.timeout(self.order.warm_up + self.order.seconds + self.order.timeout + STOP_MARGIN_S):
                async with asyncio.TaskGroup() as clients:
                    for _ in range(self.order.concurrency):
                        clients.create_task(self._keep_busy(address))
        finally:
            starting.cancel()
            ending.cancel()
            ticking.cancel()
        self._stop()
        return self.tally

    async def _address(self) -> str:
        """The first address of the host that accepts a connection, else the first; names are resolved only here."""
        loop = asyncio.get_running_loop()
        try:
            found = await asyncio.wait_for(
                loop.getaddrinfo(self.order.host, self.order.port, type=1), timeout=self.order.timeout
            )
        except OSError as error:
            raise ImpossibleError(f"{self.order.host} does not resolve: {error.strerror}") from None
        except TimeoutError:
            raise ImpossibleError(f"{self.order.host} does not resolve in time") from None
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

    async def _keep_busy(self, address: str) -> None:
        """One client's life: connect, stay until the connection is gone, connect anew."""
        loop = asyncio.get_running_loop()
        server = self.order.host if self._tls else None
        while not self._over:
            client = Client(self, self._wire)
            try:
                async with asyncio.timeout(self.order.timeout):
                    self._clients.add(client)
                    await loop.create_connection(
                        lambda: client,  # noqa: B023 - called before the next turn
                        address,
                        self.order.port,
                        ssl=self._tls,
                        server_hostname=server,
                    )
                self.tally.connects += 1
                broken = await client.closed
            except OSError as error:
                broken = True
                self._not_connected(error)
            finally:
                self._clients.discard(client)
            if broken and not self._over:
                await asyncio.sleep(PAUSE_AFTER_ERROR_S)

    def _not_connected(self, error: OSError) -> None:
        if isinstance(error, TimeoutError) and error.errno is None:
            self._lost("timeout", "connecting timed out")
        elif error.errno in OWN_ERRNOS:
            self._lost(LOCAL, error.strerror or str(error))
        elif isinstance(error, ssl.SSLError):
            self._lost("connection", f"TLS: {error.reason or error}")
        else:
            code = error.errno or 0
            self._lost("connection", os.strerror(code) if code else str(error) or type(error).__name__)

    @property
    def _over(self) -> bool:
        return self._stopped or self._left == 0

    def _begin(self) -> None:
        self._idle_before = self.clock.idle

    def _stop(self) -> None:
        """Send no more; the second call, when the last answers are in, ends the measurement."""
        now = perf_counter()
        if not self._stopped:
            self._stopped = True
            idle = self.clock.idle - self._idle_before
            self.tally.busy = max(0.0, 1 - idle / max(now - self.start, idle, TIMER_GRAIN_S))
        self.tally.seconds = max(0.0, (self._last_answer or now) - self.start)

    def next(self, sent: float) -> Prepared | None:
        if self._stopped:
            return None
        if self._left is not None and sent >= self.start:
            if self._left == 0:
                return None
            self._left -= 1
        return next(self._requests)

    def answered(self, client: Client, status: int) -> None:
        sent = client.sent
        if sent < self.start:
            return
        request, tally = client.request, self.tally
        tally.requests += 1
        tally.statuses[status] += 1
        self._last_answer = self.clock.woke
        expected = request.expected if request is not None else None
        if status < CLIENT_ERROR if expected is None else status in expected:
            tally.latency.add(self.clock.woke - sent)
            tally.surely.add(max(0.0, self.clock.earliest - sent))
            return
        kind = "status" if status < CLIENT_ERROR else "4xx" if status < SERVER_ERROR else "5xx"
        self._error(kind, f"{request.label if request is not None else ''}: {status}")

    def failed(self, kind: str, what: str, client: Client | None) -> None:
        if client is None or client.sent < self.start or client.request is None:
            return
        self.tally.requests += 1
        self._last_answer = perf_counter()
        self._error(kind, f"{client.request.label}: {what}")

    def _lost(self, kind: str, what: str) -> None:
        """A request that could not even be sent."""
        if perf_counter() >= self.start and not self._over:
            if self._left is not None:
                self._left -= 1
            self.tally.requests += 1
            self._last_answer = perf_counter()
            self._error(kind, what)

    def _error(self, kind: str, what: str) -> None:
        self.tally.errors[kind] += 1
        if what in self.tally.samples or len(self.tally.samples) < MAX_SAMPLES:
            self.tally.samples[what] += 1

    async def _tick(self) -> None:
        """Time out what is late, note how late this very tick is, and tell of the progress."""
        ticks = 0
        while True:
            before = perf_counter()
            await asyncio.sleep(TICK_S)
            now = perf_counter()
            if before >= self.start:
                self.tally.lag.add(max(0.0, now - before - TICK_S - TIMER_GRAIN_S))
            for client in [c for c in self._clients if c.request is not None and now - c.sent > self.order.timeout]:
                if client.sent >= self.start:
                    self.tally.latency.add(now - client.sent)
                    self.tally.surely.add(now - client.sent)
                client.fail("timeout", "timed out")
            ticks += 1
            if ticks % TICKS_PER_PROGRESS == 0:
                say({"progress": self._progress(now)})

    def _progress(self, now: float) -> dict[str, float]:
        tally = self.tally
        return {
            "requests": tally.requests,
            "errors": tally.failed,
            "p95": tally.latency.percentile(95),
            "seconds": max(0.0, now - self.start),
        }


def say(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message, separators=(",", ":")) + "\n")
    sys.stdout.flush()


def allow_descriptors(needed: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed += SPARE_DESCRIPTORS
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if resource.RLIM_INFINITY != hard < needed:
        raise ImpossibleError(f"{needed} descriptors are needed, {hard} are allowed (ulimit -Hn)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def end_with_input() -> None:
    """Nobody reads any more: whoever gave the order is gone."""
    if not os.read(sys.stdin.fileno(), 1):
        os._exit(1)


async def work(order: Order, clock: Clock) -> None:
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), end_with_input)
    try:
        allow_descriptors(order.concurrency)
        tally = await Worker(order, clock).run()
    except ImpossibleError as error:
        say({"impossible": str(error)})
    else:
        say({"tally": tally.to_json()})


def main() -> None:
    order = Order.from_json(json.loads(sys.stdin.readline()))
    clock = Clock()
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(clock)) as runner:
        runner.run(work(order, clock))


if __name__ == "__main__":
    main()
