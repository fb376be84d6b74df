"""When a change is done: what fresh connections are answered, and what became of the workers from before."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from cutover.hosts import processes
from cutover.hosts.base import Host
from cutover.hosts.local import LocalHost
from cutover.hosts.nginx_conf import busy_address
from cutover.proxy import status
from cutover.proxy.base import Live
from cutover.proxy.render import KEEPALIVE_MIN_TIMEOUT_S
from cutover.proxy.spec import ProxySpec

ANSWERS_IN_A_ROW = 5
VERIFY_TIMEOUT_S = 10.0
INTERRUPTED_TIMEOUT_S = 2.0
LINK_TIMEOUT_S = 3.0
DRAIN_TIMEOUT_S = KEEPALIVE_MIN_TIMEOUT_S + 1.0
# nginx's master starts the workers of a reload, then lets the earlier ones accept for another 100 ms.
RELOAD_S = 0.15
CALM_TIMEOUT_S = 1.0
SETTLED_S = 0.4
POLL_S = 0.002
POLL_WORKERS_S = 0.02
LOOK_AT_LOG_S = 0.1


class NotServedError(Exception):
    """The proxy was not seen to serve what it should; the text says what was seen instead."""


@dataclass(frozen=True)
class Before:
    """What was so before a reload: the workers, and where the error log ended."""

    workers: frozenset[int]
    mark: object


async def before(host: Host) -> Before:
    """Taken when no other reload is under way, as far as can be told: its workers would pass for those of ours."""
    deadline = time.monotonic() + CALM_TIMEOUT_S
    while isinstance(host, LocalHost) and time.monotonic() < deadline:
        if all(processes.age_s(worker) > RELOAD_S for worker in (await host.workers()).active):
            break
        await asyncio.sleep(POLL_WORKERS_S)
    return Before((await host.workers()).active, await host.log_mark())


async def reloaded(
    host: Host, spec: ProxySpec, wanted: Live, since: Before, interrupted: asyncio.Event, *, mind_log: bool = True
) -> None:
    """Return when fresh connections in a row get ``wanted`` and no earlier worker accepts; else ``NotServedError``.

    Interrupted, it still waits a little: what is taken back in the midst of a reload can't be told from what comes.
    Without ``mind_log``, an ``[emerg]`` since then is not held against it: nginx goes on about the configuration
    before for some seconds.
    """
    deadline, look_at_log = time.monotonic() + VERIFY_TIMEOUT_S, time.monotonic() + LOOK_AT_LOG_S
    row, retired = 0, False
    while True:
        retired = retired or await _retired(host, since)
        seen = await status.ask(spec)
        row = row + 1 if _same(seen, wanted) else 0
        if row >= ANSWERS_IN_A_ROW and await _taken_over(host, since):
            if mind_log:
                await _refuse_emergencies(host, since)
            return
        if mind_log and time.monotonic() > look_at_log:
            await _refuse_emergencies(host, since)
            look_at_log = time.monotonic() + LOOK_AT_LOG_S
        if interrupted.is_set():
            deadline = min(deadline, time.monotonic() + INTERRUPTED_TIMEOUT_S)
            interrupted = asyncio.Event()
        if time.monotonic() > deadline:
            raise NotServedError(_told(seen, wanted, row))
        if row == 0 or row >= ANSWERS_IN_A_ROW:
            await asyncio.sleep(POLL_S)


async def answered(spec: ProxySpec, wanted: Live, interrupted: asyncio.Event) -> None:
    """Return at the first answer that is ``wanted``: enough where no worker was replaced."""
    deadline = time.monotonic() + LINK_TIMEOUT_S
    while not _same(seen := await status.ask(spec), wanted):
        if interrupted.is_set() or time.monotonic() > deadline:
            raise NotServedError(_told(seen, wanted, 0))
        await asyncio.sleep(POLL_S)


async def settled(spec: ProxySpec, wanted: Live) -> bool:
    """Whether fresh connections get ``wanted`` and nothing else, for longer than a reload takes to be done."""
    end = time.monotonic() + SETTLED_S
    while time.monotonic() < end:
        if not _same(await status.ask(spec), wanted):
            return False
        await asyncio.sleep(POLL_WORKERS_S)
    return True


async def quiet(host: Host) -> None:
    """Return when the workers have stayed the same for longer than a reload takes; at the latest after some seconds."""
    deadline, same_since, known = time.monotonic() + VERIFY_TIMEOUT_S, time.monotonic(), frozenset[int]()
    while time.monotonic() < min(deadline, same_since + SETTLED_S):
        active = (await host.workers()).active
        if active != known:
            same_since, known = time.monotonic(), active
        await asyncio.sleep(POLL_WORKERS_S)


async def gone_quiet(host: Host, since: Before) -> None:
    """Return when no earlier worker accepts and others do, whatever they answer."""
    deadline = time.monotonic() + VERIFY_TIMEOUT_S
    while not await _taken_over(host, since):
        if time.monotonic() > deadline:
            raise NotServedError("the workers from before go on")
        await asyncio.sleep(POLL_WORKERS_S)


async def drained(host: Host, since: Before) -> str:
    """Wait until the earlier workers have ended, for as long as kept connections may take; then say what is left."""
    deadline = time.monotonic() + DRAIN_TIMEOUT_S
    while left := (await host.workers()).draining & since.workers:
        if time.monotonic() > deadline:
            break
        await asyncio.sleep(POLL_WORKERS_S)
    if not left:
        return ""
    names = f"{len(left)} earlier worker{'s' * (len(left) > 1)} (process {', '.join(map(str, sorted(left)))})"
    if isinstance(host, LocalHost):
        count = await asyncio.to_thread(processes.connections, left)
        return f"{names} with {count} connections still serve what they had begun"
    return f"{names} still serve what they had begun"


async def _retired(host: Host, since: Before) -> bool:
    """Have the earlier workers stop accepting as soon as their successors do, where that is in our power.

    A worker bears its title once it accepts. The kernel wakes the earlier ones first, and nginx lets them go 100 ms
    later: until then a fresh connection meets a successor only by chance.
    """
    if not isinstance(host, LocalHost):
        return True
    successors = (await host.workers()).active - since.workers
    if len(successors) < max(1, len(since.workers)):
        return False
    host.retire(since.workers)
    return True


async def _taken_over(host: Host, since: Before) -> bool:
    active = (await host.workers()).active
    return bool(active) and not active & since.workers


async def _refuse_emergencies(host: Host, since: Before) -> None:
    lines = await host.emergencies(since.mark)
    if not lines:
        return
    address = busy_address("\n".join(lines))
    if address is not None:
        raise NotServedError(f"{address} is in use: nginx could not bind it ({lines[0].strip()})")
    raise NotServedError(f"nginx refused the configuration: {lines[0].strip()}")


def _same(seen: Live, wanted: Live) -> bool:
    return (seen.weight, seen.revision) == (wanted.weight, wanted.revision)


def _told(seen: Live, wanted: Live, row: int) -> str:
    if seen.weight is None:
        return seen.reason
    if row:
        return "workers from before still accept connections"
    return (
        f"workers answer weight {seen.weight}, revision {seen.revision} "
        f"instead of weight {wanted.weight}, revision {wanted.revision}"
    )
