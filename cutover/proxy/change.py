"""A weight change, whole: look, render, test, intent, replace, reload, verify; and back on failure."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from cutover.errors import CutoverError, ProxyError, UnsafeError
from cutover.proxy import by_hand, switch, verify
from cutover.proxy.base import Changed, Guard, Intent, Live, Mode, Rendered
from cutover.proxy.render import FULL, Header, read_header

if TYPE_CHECKING:
    from cutover.proxy.nginx import NginxProxy

T = TypeVar("T")


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
            await _finish(_start_as_before(proxy, intent))
        await _finish(_restore(proxy, move, "a change that was cut short"))
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
            await _put(proxy, move.weight, move.text or "")
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
    task = asyncio.create_task(_apply(proxy, move))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        if not move.toward_old:
            move.interrupted.set()
        try:
            await _see_through(task)
        except (CutoverError, verify.NotServedError) as error:
            await _see_through(_restore(proxy, move, str(error)))
        else:
            if not move.toward_old:
                await _see_through(_restore(proxy, move, "interrupted"))
        raise
    except (CutoverError, verify.NotServedError) as error:
        await _finish(_restore(proxy, move, str(error)))
        hint = error.hint if isinstance(error, CutoverError) else None
        raise ProxyError(f"weight {move.weight} was not reached: {error}; {_as_before(move.found)}", hint) from error
    except Exception as error:
        await _finish(_restore(proxy, move, repr(error)))
        raise


async def _apply(proxy: NginxProxy, move: Move) -> Applied:
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
    wanted = Live(move.weight, await _put(proxy, move.weight, move.text))
    since = await _reload(proxy, running=move.found.running)
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


async def _reload(proxy: NginxProxy, *, running: bool) -> verify.Before:
    if not running:
        await proxy.host.start()
        return verify.Before(frozenset(), await proxy.host.log_mark())
    since = await verify.before(proxy.host)
    await proxy.host.reload()
    return since


async def _put(proxy: NginxProxy, weight: int, text: str) -> str:
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


async def _restore(proxy: NginxProxy, move: Move, cause: str) -> None:
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
        since = await _reload(proxy, running=True)
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


async def _finish(work: Coroutine[Any, Any, T] | asyncio.Task[T]) -> T:
    """See it through, and only then be cancelled, if we were meanwhile."""
    task = work if isinstance(work, asyncio.Task) else asyncio.create_task(work)
    cancelled = await _ended(task)
    result = task.result()
    if cancelled:
        raise asyncio.CancelledError
    return result


async def _see_through(work: Coroutine[Any, Any, T] | asyncio.Task[T]) -> T:
    """As ``_finish``, for one who is being cancelled already and will say so."""
    task = work if isinstance(work, asyncio.Task) else asyncio.create_task(work)
    await _ended(task)
    return task.result()


async def _ended(task: asyncio.Task[Any]) -> bool:
    """Whether we were cancelled while it went to its end: its waits have limits of their own."""
    cancelled = False
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            cancelled = True
    return cancelled


def _stands(found: Found, wanted: Live) -> bool:
    return found.header is not None and found.header.authentic and found.header.revision == wanted.revision
