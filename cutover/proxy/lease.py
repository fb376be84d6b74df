"""A dead-man's lease of a split by client: nginx sends traffic to new only for so long as somebody renews it.

The link ``lease`` leads to a folder with the file ``required`` and one file for each ten seconds (a slot, by the
proxy's clock) of the lease: nginx asks for that of the present ones, and sends all to old where it is not there.
Granting, renewing and releasing need no reload, and an end needs nobody.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from cutover.errors import ProxyError
from cutover.plan.units import format_duration
from cutover.proxy import switch
from cutover.proxy.base import LeaseState, Live

if TYPE_CHECKING:
    from cutover.proxy.nginx import NginxProxy

SLOT_S = 10
LONGEST_SLOTS = 3600 // SLOT_S + 2
"""Of a lease of an hour, the longest that a plan can ask for, wherever in a slot it begins and ends."""
SKEW_MAX_S = 2.0
SEEN_TIMEOUT_S = 3.0
POLL_S = 0.005
FOLDER = "slots"
_SPAN = "span"
"""The file with the first and the last slot: what is to be removed one day, and when the lease ends."""


class LeaseEndedError(ProxyError):
    """nginx has returned all traffic to old: to renew would move it."""


@dataclass(frozen=True)
class Lease:
    """``until``: when nginx returns all traffic to old, by the proxy's clock. ``clock``: its time when it was asked."""

    until: float
    clock: float
    state: LeaseState

    @property
    def left_s(self) -> float:
        return max(0.0, self.until - self.clock) if self.state == "held" else 0.0


def slots(now: float, seconds: float) -> range:
    """The slots of a lease from now on. It ends with the last of them: never early, and less than a slot late."""
    return range(int(now) // SLOT_S, ceil((now + seconds) / SLOT_S))


async def grant(proxy: NginxProxy, seconds: float) -> Lease:
    """From now on traffic needs this lease to go to new. Traffic that is there stays; what had ended is refused."""
    asked, live = await _asked(proxy)
    if live.lease == "ended":
        raise LeaseEndedError(ended(await read(proxy, live)))
    await proxy.host.write_tree(f"{proxy.spec.switch_dir}/{FOLDER}", {"required": ""})
    ours = slots(asked, seconds)
    await _write_anew(proxy, ours)
    await proxy.host.link(proxy.spec.lease_link, FOLDER)
    if live.clock is not None:
        await _seen(proxy, "held")
    return _lease(ours, asked)


async def renew(proxy: NginxProxy, seconds: float, *, anew: bool = False) -> Lease:
    """So many seconds from now on. Raises ``LeaseEndedError`` where it comes too late, or where there is none.

    ``anew``: nothing is taken for granted of what a process before may have left undone.
    """
    clock, live = await _asked(proxy)
    if live.clock is None:
        raise ProxyError("the configuration that nginx runs knows no lease", hint="run `cutover rollback`")
    if live.lease != "held":
        raise LeaseEndedError(ended(await read(proxy, live)) if live.lease else "somebody else took the lease away")
    ours = slots(clock, seconds)
    if anew:
        await _write_anew(proxy, ours)
        return _lease(ours, clock)
    known = await _span(proxy)
    end = max(ours.stop, known.stop)
    if end > known.stop:
        past = range(known.start, ours.start) if known else ()
        await _write(proxy, range(ours.start, end), since=known.stop, gone=past)
    return _lease(range(ours.start, end), clock)


async def release(proxy: NginxProxy, *, ended_too: bool = False) -> None:
    """Traffic needs no lease any more, and stays where nginx has it now.

    Raises ``LeaseEndedError`` where nginx has returned it to old, unless that is where it is to stay (``ended_too``).
    """
    live = await proxy.live()
    if live.weight is None:
        raise ProxyError(f"the lease stays: the proxy can't be asked whether it has ended: {live.reason}")
    if live.lease == "ended" and not ended_too:
        raise LeaseEndedError(ended(await read(proxy, live)))
    if live.lease == "ended":
        await switch.prepare(proxy.host, proxy.spec, 0)
        await switch.point(proxy.host, proxy.spec, 0)
    known = await _span(proxy)
    await proxy.host.remove(proxy.spec.lease_link)
    if live.clock is not None:
        await _seen(proxy, None)
    if known:
        await _remove(proxy, known)
        await proxy.host.put_files(f"{proxy.spec.switch_dir}/{FOLDER}", {}, gone=[_SPAN])


async def read(proxy: NginxProxy, live: Live) -> Lease | None:
    """The lease as ``live`` has it; None where traffic needs none, or where its files can't be read."""
    if live.lease is None or live.clock is None:
        return None
    span = await _span(proxy)
    return Lease(float(span.stop * SLOT_S), live.clock, live.lease) if span else None


def ended(lease: Lease | None) -> str:
    """What became of traffic."""
    when = f" at {_of_day(lease.until)}" if lease is not None else ""
    return f"the lease ended{when}, as nobody renewed it: nginx returned all traffic to old"


def skew(sent: float, answered: float, clock: float) -> float:
    """How far the proxy's clock is ahead of ours, in seconds, at the least: the answer took its time."""
    return min(0.0, clock - sent) or max(0.0, clock - answered)


def refuse_skew(seconds: float) -> None:
    if abs(seconds) > SKEW_MAX_S:
        way = "ahead of" if seconds > 0 else "behind"
        raise ProxyError(
            f"the proxy's clock is {format_duration(abs(seconds))} {way} this machine's: a lease takes at most "
            f"{SKEW_MAX_S:g}s",
            hint="set both clocks (NTP)",
        )


async def _asked(proxy: NginxProxy) -> tuple[float, Live]:
    """The proxy's time, and what it answers. What runs before the first shift may not tell: then it is our time."""
    sent = time.time()
    live = await proxy.live()
    answered = time.time()
    if live.weight is None:
        raise ProxyError(f"the proxy can't be asked for its time: {live.reason}")
    if live.clock is None:
        return answered, live
    refuse_skew(skew(sent, answered, live.clock))
    return live.clock, live


async def _write_anew(proxy: NginxProxy, ours: range) -> None:
    """These slots and no others. What goes beyond them goes first: who is killed here leaves no longer lease behind."""
    known = await _span(proxy)
    # Without a span there may be any slot that the longest lease has.
    others = set(known) - set(ours) if known else range(ours.stop, ours.start + LONGEST_SLOTS)
    await _remove(proxy, others)
    await _write(proxy, ours, gone=())


async def _remove(proxy: NginxProxy, gone: Iterable[int]) -> None:
    """The last first: behind a gap the lease would begin again."""
    names = [str(slot) for slot in sorted(gone, reverse=True)]
    if names:
        await proxy.host.put_files(f"{proxy.spec.switch_dir}/{FOLDER}", {}, gone=names)


async def _write(proxy: NginxProxy, ours: range, *, since: int = 0, gone: Iterable[int]) -> None:
    """Those before ``since`` are there. The span comes first: it is never less than what is to be removed one day."""
    files = {_SPAN: f"{ours.start} {ours.stop}\n", **{str(slot): "" for slot in ours if slot >= since}}
    await proxy.host.put_files(f"{proxy.spec.switch_dir}/{FOLDER}", files, gone=map(str, sorted(gone)))


async def _span(proxy: NginxProxy) -> range:
    text = await proxy.host.read(f"{proxy.spec.switch_dir}/{FOLDER}/{_SPAN}")
    numbers = (text or "").split()
    if len(numbers) != 2 or not all(number.isdigit() for number in numbers):  # noqa: PLR2004 - first and end
        return range(0)
    return range(*map(int, numbers))


async def _seen(proxy: NginxProxy, state: LeaseState | None) -> None:
    deadline = time.monotonic() + SEEN_TIMEOUT_S
    while (live := await proxy.live()).lease != state:
        if time.monotonic() > deadline:
            seen = live.reason or f"the lease is {live.lease or 'off'}"
            raise ProxyError(
                f"nginx does not see the files in {proxy.spec.switch_dir}: {seen} instead of {state or 'off'}"
            )
        await asyncio.sleep(POLL_S)


def _lease(ours: range, clock: float) -> Lease:
    return Lease(float(ours.stop * SLOT_S), clock, "held")


def _of_day(at: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(at))
