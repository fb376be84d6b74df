"""The open loop: requests arrive at a fixed rate and wait for no answer, as those of many people do.

A closed loop asks a backend that stalls no more, and so hardly counts the stall (coordinated omission). Here what would
have been asked meanwhile has arrived, waits, and its wait counts: times are from the intended arrival.

Arrivals are spaced evenly, as those of wrk2 and of k6's constant-arrival-rate are: two loads of the same rate are then
the same load, and no burst that chance made stands in the percentiles as if it were the backend's.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from time import perf_counter

from cutover.load.client import Client
from cutover.load.clock import Clock
from cutover.load.crowd import Crowd, Say, why_not_connected
from cutover.load.order import Order, Prepared


@dataclass(frozen=True, slots=True)
class Waiting:
    """An arrival that found no connection. ``idle`` is what the clock had counted by then, in seconds."""

    due: float
    request: Prepared
    idle: float


class OpenLoop(Crowd):
    """Arrivals, and connections to send them on: the last one used first, so that few stay in use and others age."""

    def __init__(self, order: Order, clock: Clock, progress: Say) -> None:
        super().__init__(order, clock, progress)
        if order.rate is None:
            raise ValueError("an open loop needs a rate")
        self._rate = order.rate
        # Those before 0 are the warm-up's.
        self._number = -int(order.warm_up * order.rate)
        self._all_arrived = asyncio.Event()
        self._waiting: deque[Waiting] = deque()
        self._resting: list[Client] = []
        self._connections = self._connecting = 0
        self._group = asyncio.TaskGroup()

    @property
    def least_seconds(self) -> float:
        return self.order.arrivals / self._rate

    async def load(self) -> None:
        async with self._group:
            self._let_arrive()
            await self._all_arrived.wait()
            for client in self._resting:
                client.end()

    def _let_arrive(self) -> None:
        """All that are due by now, and this again when the next one is."""
        now = perf_counter()
        while self._number < self.order.arrivals and self._due <= now:
            self._arrive(self._due, now)
            self._number += 1
        if self._number < self.order.arrivals:
            asyncio.get_running_loop().call_later(self._due - perf_counter(), self._let_arrive)
        else:
            self._all_arrived.set()

    @property
    def _due(self) -> float:
        return self.start + self.order.offset + self._number / self._rate

    def _arrive(self, due: float, now: float) -> None:
        request, client = next(self.requests), self._rested()
        if client is not None:
            self._send(client, request, due, now)
        else:
            self._waiting.append(Waiting(due, request, self.clock.idle))
            if due >= self.start and self._connections >= self.order.concurrency:
                self.tally.queued += 1
            self._connect_more()

    def _rested(self) -> Client | None:
        while self._resting:
            client = self._resting.pop()
            if not client.gone:
                return client
        return None

    def next(self, client: Client) -> None:
        if self._waiting:
            first = self._waiting.popleft()
            self._send(client, first.request, first.due, perf_counter(), self._surely_waited(first))
        elif self._all_arrived.is_set():
            client.end()
        else:
            self._resting.append(client)

    def _send(self, client: Client, request: Prepared, due: float, now: float, waited: float = 0.0) -> None:
        self._note_late(due, now, waited)
        client.send(request, sent=now, since=due, waited=waited)

    def _note_late(self, due: float, now: float, waited: float) -> None:
        if due >= self.start:
            self.tally.late.add(max(0.0, now - due - waited))

    def _surely_waited(self, waiting: Waiting) -> float:
        """While this process had nothing to do, every connection was waiting for the backend."""
        return self.clock.idle - waiting.idle

    def time_out(self, now: float) -> None:
        super().time_out(now)
        while self._waiting and now - self._waiting[0].due > self.order.timeout:
            first = self._waiting.popleft()
            waited = self._surely_waited(first)
            self._note_late(first.due, now, waited)
            self.lost(first.due, "timeout", f"{first.request.label}: no connection was free in time", waited)

    def _connect_more(self) -> None:
        if self._connecting < len(self._waiting) and self._connections < self.order.concurrency:
            self._connections += 1
            self._connecting += 1
            self._group.create_task(self._connection())

    async def _connection(self) -> None:
        """A connection's life. Who came when another had already taken it, or waits when it ends, gets the next."""
        client = None
        try:
            client = await self.connect()
        except OSError as error:
            self._not_connected(error)
        self._connecting -= 1
        self._connect_more()
        if client is not None:
            await client.closed
        self._connections -= 1
        self._connect_more()

    def _not_connected(self, error: OSError) -> None:
        """One of those that wait is lost: the first, unless it came later and still has time."""
        kind, what = why_not_connected(error)
        if self._waiting and (kind != "timeout" or perf_counter() - self._waiting[0].due >= self.order.timeout):
            first = self._waiting.popleft()
            self.lost(first.due, kind, what, waited=self._surely_waited(first))
