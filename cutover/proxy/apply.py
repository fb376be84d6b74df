"""A change as it is decided, and carried out: replace, reload or rename, verify."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cutover.errors import ProxyError
from cutover.proxy import switch, verify
from cutover.proxy.base import Live, Mode
from cutover.proxy.render import Header, read_header

if TYPE_CHECKING:
    from cutover.proxy.nginx import NginxProxy


@dataclass(frozen=True)
class Found:
    """How things stand before a change."""

    live: Live
    text: str | None
    header: Header | None
    running: bool

    @property
    def link_decides(self) -> bool:
        """Whether the configuration that runs asks the link, so that a rename is a change."""
        return self.header is not None and self.header.mode == "client" and self.header.revision == self.live.revision


@dataclass(frozen=True)
class Move:
    """From what was found to a weight. ``text`` is the new file; None where only the link moves."""

    weight: int
    revision: str
    mode: Mode
    text: str | None
    found: Found
    toward_old: bool
    timings: dict[str, float] = field(default_factory=dict)
    interrupted: asyncio.Event = field(default_factory=asyncio.Event)
    """Cuts the wait for the new weight short. What is being written is written to its end."""


@dataclass(frozen=True)
class Applied:
    live: Live
    draining: str = ""


async def apply(proxy: NginxProxy, move: Move) -> Applied:
    """Replace, reload or rename, verify; what is still draining."""
    clock, was = time.monotonic(), move.found.live.weight or 0
    if move.text is None:
        wanted = Live(move.weight, move.revision)
        await switch.point(proxy.host, proxy.spec, move.weight)
        move.timings["apply"] = time.monotonic() - clock
        await verify.answered(proxy.spec, wanted, move.interrupted)
        move.timings["verify"] = time.monotonic() - clock - move.timings["apply"]
        return Applied(wanted)
    if move.mode == "client":
        # Workers that ask the link see it at once: it may not run ahead of the file toward new.
        first = min(move.weight, was) if move.found.link_decides else move.weight
        await switch.point(proxy.host, proxy.spec, first)
    wanted = Live(move.weight, await put(proxy, move.weight, move.text))
    since = await reload(proxy, running=move.found.running)
    if move.mode == "client" and move.found.link_decides:
        await switch.point(proxy.host, proxy.spec, move.weight)
    move.timings["apply"] = time.monotonic() - clock
    await verify.reloaded(proxy.host, proxy.spec, wanted, since, move.interrupted)
    move.timings["verify"] = time.monotonic() - clock - move.timings["apply"]
    if not move.toward_old:
        return Applied(wanted)
    clock = time.monotonic()
    draining = await verify.drained(proxy.host, since)
    move.timings["drain"] = time.monotonic() - clock
    return Applied(wanted, draining)


async def reload(proxy: NginxProxy, *, running: bool) -> verify.Before:
    if not running:
        orphans = await proxy.host.orphans()
        await proxy.host.start()
        return verify.Before(orphans, await proxy.host.log_mark())
    since = await verify.before(proxy.host)
    await proxy.host.reload()
    return since


async def put(proxy: NginxProxy, weight: int, text: str) -> str:
    """Write the file, and return its revision. Weight 0 was written beside it before: a full disk takes a rename."""
    try:
        await proxy.host.replace(proxy.config, text)
    except ProxyError:
        if weight != 0 or not await _rename_spare(proxy):
            raise
        text = await proxy.current() or ""
    header = read_header(text)
    return header.revision if header else ""


async def _rename_spare(proxy: NginxProxy) -> bool:
    try:
        await proxy.host.rename(proxy.spare, proxy.config)
    except ProxyError:
        return False
    return True
