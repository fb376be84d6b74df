"""The closed loop: each client asks one request after another, so a slow backend is asked less."""

from __future__ import annotations

import asyncio
from time import perf_counter

from cutover.load.client import Client
from cutover.load.clock import Clock
from cutover.load.crowd import Crowd, Say, why_not_connected
from cutover.load.order import Order

PAUSE_AFTER_ERROR_S = 0.05


class ClosedLoop(Crowd):
    """As many clients as ``concurrency`` says, kept busy."""

    def __init__(self, order: Order, clock: Clock, progress: Say) -> None:
        super().__init__(order, clock, progress)
        self._left = order.count

    async def load(self) -> None:
        async with asyncio.TaskGroup() as clients:
            for _ in range(self.order.concurrency):
                clients.create_task(self._keep_busy())

    async def _keep_busy(self) -> None:
        """One client's life: connect, stay until the connection is gone, connect anew."""
        while not self._over:
            began = perf_counter()
            try:
                broken = await (await self.connect()).closed
            except OSError as error:
                broken = True
                self._not_connected(error, began)
            if broken and not self._over:
                await asyncio.sleep(PAUSE_AFTER_ERROR_S)

    def next(self, client: Client) -> None:
        now = perf_counter()
        if self._over and (now >= self.start or self.stopped):
            client.end()
            return
        if self._left is not None and now >= self.start:
            self._left -= 1
        client.send(next(self.requests), sent=now, since=now)

    @property
    def _over(self) -> bool:
        return self.stopped or self._left == 0

    def _not_connected(self, error: OSError, began: float) -> None:
        """A request that could not even be sent; one that waited for its connection has waited."""
        if began < self.start or self._over:
            return
        if self._left is not None:
            self._left -= 1
        self.lost(began, *why_not_connected(error), waited=perf_counter() - began)
