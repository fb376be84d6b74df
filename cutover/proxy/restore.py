"""Back to what was, where a change failed or was interrupted."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from cutover.errors import CutoverError, UnsafeError
from cutover.proxy import switch, verify
from cutover.proxy.apply import Move, reload
from cutover.proxy.base import Live

if TYPE_CHECKING:
    from cutover.proxy.nginx import NginxProxy


async def restore(proxy: NginxProxy, move: Move, cause: str) -> None:
    """Put back what was, verified; raises ``UnsafeError`` with what to do by hand."""
    was, unstopped = move.found.live, asyncio.Event()
    try:
        if move.mode == "client" or move.found.link_decides:
            if was.weight is not None:
                await switch.prepare(proxy.host, proxy.spec, was.weight)
            await switch.point(proxy.host, proxy.spec, was.weight)
        if move.text is None:
            await verify.answered(proxy.spec, was, unstopped)
            return
        if await _stands_as_before(proxy, move):
            return
        await _put_back(proxy, move)
        if not move.found.running:
            await _serve_without_master(proxy, was)
            return
        since = await reload(proxy, running=True)
        if was.weight is None:
            await verify.gone_quiet(proxy.host, since)
        else:
            await verify.reloaded(proxy.host, proxy.spec, was, since, unstopped, mind_log=False)
    except (CutoverError, verify.NotServedError) as error:
        weight = move.weight if move.toward_old else was.weight or 0
        raise UnsafeError(
            f"{cause}; and what was before could not be restored: {error}",
            hint="\n".join(await proxy.by_hand(weight)),
        ) from error


async def _serve_without_master(proxy: NginxProxy, was: Live) -> None:
    """Where workers served whose master was gone: they do, or, if they had made way already, a new nginx does."""
    if was.weight is None or await verify.settled(proxy.spec, was):
        return
    await proxy.host.start()
    await verify.answered(proxy.spec, was, asyncio.Event())


async def _stands_as_before(proxy: NginxProxy, move: Move) -> bool:
    """Whether neither the file nor what runs was changed: then nothing has to be written, which may be impossible."""
    if await proxy.current() != move.found.text:
        return False
    if not move.found.running or move.found.live.weight is None:
        return True
    return await verify.settled(proxy.spec, move.found.live)


async def _put_back(proxy: NginxProxy, move: Move) -> None:
    if move.found.text is None:
        await proxy.host.remove(proxy.config)
        return
    await proxy.place_include(settled=move.found.header is not None and move.found.header.mode == "settled")
    await proxy.host.replace(proxy.config, move.found.text)
