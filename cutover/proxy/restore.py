"""Back to what was, where a change failed or was interrupted."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from cutover.errors import CutoverError, UnsafeError
from cutover.proxy import by_hand, switch, verify
from cutover.proxy.apply import Move, reload

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
            hint="\n".join(by_hand.commands(proxy.spec, weight, proxy.config)),
        ) from error


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
