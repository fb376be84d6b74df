"""A weight change, whole: look, render, test, intent, replace, reload, verify; and back on failure."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from cutover.errors import CutoverError, ProxyError, UnsafeError
from cutover.proxy import switch, verify
from cutover.proxy.apply import Applied, Found, Move, apply, put
from cutover.proxy.base import Changed, Guard, Intent, Live, Mode, Rendered
from cutover.proxy.finishing import finish, see_through
from cutover.proxy.render import FULL, Header, read_header
from cutover.proxy.restore import restore

if TYPE_CHECKING:
    from cutover.proxy.nginx import NginxProxy


async def change(proxy: NginxProxy, weight: int, guard: Guard, *, settle: bool = False) -> Changed:
    """The rules of a shift. Raises ``ProxyError`` with traffic where it was, else ``UnsafeError``."""
    started = time.monotonic()
    found = await _look(proxy, weight)
    try:
        move = await _prepare(proxy, found, weight, guard, settle=settle)
    except ProxyError as error:
        raise ProxyError(f"{error.message}; {_as_before(found)}", error.hint) from error
    move.timings["prepare"] = time.monotonic() - started
    async with guard(_intent(proxy, move)):
        applied = await _carry_out(proxy, move)
    return Changed(live=applied.live, timings=move.timings, draining=applied.draining)


async def _prepare(proxy: NginxProxy, found: Found, weight: int, guard: Guard, *, settle: bool) -> Move:
    """All that can be found out before anything is changed."""
    move = await _plan(proxy, found, weight, settle=settle)
    if not move.toward_old:
        _refuse_drift(proxy, found)
    await _refuse_standstill(proxy, move, guard)
    if move.mode == "client":
        await switch.prepare(proxy.host, proxy.spec, weight)
    await _test(proxy, move)
    return move


def _as_before(found: Found) -> str:
    was = found.live.weight
    if was is not None:
        return f"traffic is at weight {was}, as before"
    return "what ran before runs on" if found.running else "no nginx runs, as before"


async def recover(proxy: NginxProxy, intent: Intent, guard: Guard) -> Live:
    """After a death between intent and outcome: finish what serves already or goes toward old; restore the rest."""
    found = await _look(proxy, 0)
    wanted = Live(intent.weight, intent.revision)
    if _stands(found, wanted) and await verify.settled(proxy.spec, wanted):
        return wanted
    if intent.from_weight is None or intent.weight <= intent.from_weight:
        return (await change(proxy, intent.weight, guard)).live
    move = Move(
        weight=intent.weight, revision=intent.revision, mode=intent.mode,
        text=None if intent.path == proxy.spec.link else "",
        found=Found(
            live=Live(intent.from_weight, intent.from_revision), text=intent.previous,
            header=read_header(intent.previous or found.text), running=True,
        ),
        toward_old=False,
    )  # fmt: skip
    async with guard(_intent_back(intent)):
        if found.running:
            await verify.quiet(proxy.host)
        else:
            await finish(_start_as_before(proxy, intent))
        await finish(restore(proxy, move, "a change that was cut short"))
    return Live(intent.from_weight, intent.from_revision)


async def _start_as_before(proxy: NginxProxy, intent: Intent) -> None:
    if intent.path == proxy.config and intent.previous is not None:
        await proxy.host.replace(proxy.config, intent.previous)
    await proxy.host.start()


async def _look(proxy: NginxProxy, weight: int) -> Found:
    running = await proxy.host.running()
    if not running and weight > 0:
        await proxy.host.start()
        running = True
    text = await proxy.current()
    # Asked also where no master runs: its workers may outlive it, and by client they still follow the link.
    live = await proxy.live()
    return Found(live, text, read_header(text), running)


async def _plan(proxy: NginxProxy, found: Found, weight: int, *, settle: bool) -> Move:
    was = found.live.weight
    toward_old = not settle and (weight == 0 or (was is not None and weight <= was))
    if proxy.spec.by_client and found.link_decides and toward_old and found.header:
        return Move(weight, found.header.revision, "client", None, found, toward_old)
    rendered = await _rendered(proxy, weight, settle=settle)
    header = read_header(rendered.text)
    mode: Mode = header.mode if header else "request"
    stays = found.link_decides and found.live.revision == rendered.revision and mode == "client"
    return Move(weight, rendered.revision, mode, None if stays else rendered.text, found, toward_old)


async def _rendered(proxy: NginxProxy, weight: int, *, settle: bool) -> Rendered:
    """The file for a weight; for weight 0 the one of the run's start has to do where none can be made."""
    try:
        return await proxy.render(FULL if settle else weight, settled=settle)
    except CutoverError:
        kept = await asyncio.to_thread(proxy.kept_zero) if weight == 0 else None
        if kept is None:
            raise
        return kept


def _refuse_drift(proxy: NginxProxy, found: Found) -> None:
    """Toward new, what runs must be what stands in the file, as cutover wrote it."""
    path = proxy.config
    if found.live.weight is None:
        raise ProxyError(f"the proxy can't be asked what it runs: {found.live.reason}")
    problem = file_drift(found.text, found.header, found.live)
    if problem is not None:
        raise ProxyError(f"{path} {problem}: somebody else changed it", hint="put it back, or run `cutover rollback`")


def file_drift(text: str | None, header: Header | None, live: Live) -> str | None:
    """How the file differs from what runs, in words that follow its name; None if it does not."""
    if text is None:
        return "is gone"
    if header is None:
        return "is not a file of cutover's any more"
    if not header.authentic:
        return "was edited"
    if live.revision is not None and header.revision != live.revision:
        return f"has revision {header.revision}, but {live.revision} runs"
    return None


async def _refuse_standstill(proxy: NginxProxy, move: Move, guard: Guard) -> None:
    """A stopped nginx that is not ours: leave the file of weight 0 for whoever starts it, and say so."""
    if move.found.running or proxy.managed or move.text is None:
        return
    try:
        await proxy.host.start()
    except ProxyError as error:
        async with guard(_intent(proxy, move)):
            await put(proxy, move.weight, move.text or "")
        raise UnsafeError(
            f"{error.message}; {proxy.config} has weight {move.weight} for its start", error.hint
        ) from error


async def _test(proxy: NginxProxy, move: Move) -> None:
    """What fails the test never stands at the live path. Toward old, a test that can't be made holds nothing up."""
    if move.text is None:
        return
    started = time.monotonic()
    try:
        undo = await proxy.place_include(settled=move.mode == "settled")
    except CutoverError:
        if not move.toward_old:
            raise
        return
    try:
        tested = await proxy.host.test(proxy.config, move.text)
    except ProxyError:
        if not move.toward_old:
            await undo()
            raise
        return
    if not tested.ok:
        await undo()
        raise ProxyError(f"nginx refuses the configuration for weight {move.weight}: {tested.output}")
    if not move.toward_old and not proxy.spec.is_followed(tested.passed_to):
        await undo()
        raise ProxyError(
            f"no server block of this nginx passes requests to {proxy.spec.passed_to}: none would follow the weight",
            hint=f"in your server block: proxy_pass http://{proxy.spec.passed_to};",
        )
    move.timings["test"] = time.monotonic() - started


def _intent(proxy: NginxProxy, move: Move) -> Intent:
    return Intent(
        weight=move.weight,
        revision=move.revision,
        from_weight=move.found.live.weight,
        from_revision=move.found.live.revision,
        mode=move.mode,
        path=proxy.config if move.text is not None else proxy.spec.link,
        previous=move.found.text if move.text is not None else None,
    )


def _intent_back(intent: Intent) -> Intent:
    """The intent to undo an intent."""
    header = read_header(intent.previous)
    return Intent(
        weight=intent.from_weight or 0,
        revision=intent.from_revision or "",
        from_weight=intent.weight,
        from_revision=intent.revision,
        mode=header.mode if header else intent.mode,
        path=intent.path,
        previous=None,
    )


async def _carry_out(proxy: NginxProxy, move: Move) -> Applied:
    """Apply and verify. A cancelled change toward old is finished first, one toward new is taken back first."""
    task = asyncio.create_task(apply(proxy, move))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        if not move.toward_old:
            move.interrupted.set()
        try:
            await see_through(task)
        except (CutoverError, verify.NotServedError) as error:
            await see_through(restore(proxy, move, str(error)))
        else:
            if not move.toward_old:
                await see_through(restore(proxy, move, "interrupted"))
        raise
    except (CutoverError, verify.NotServedError) as error:
        await finish(restore(proxy, move, str(error)))
        hint = error.hint if isinstance(error, CutoverError) else None
        raise ProxyError(f"weight {move.weight} was not reached: {error}; {_as_before(move.found)}", hint) from error
    except Exception as error:
        await finish(restore(proxy, move, repr(error)))
        raise


def _stands(found: Found, wanted: Live) -> bool:
    return found.header is not None and found.header.authentic and found.header.revision == wanted.revision
