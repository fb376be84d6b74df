"""The managed nginx by hand: start, stop, look."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cutover.engine import events as e
from cutover.engine.commands import open_or_continue
from cutover.engine.opening import Options, work_on
from cutover.engine.session import Session
from cutover.errors import ProxyError, UsageError
from cutover.proxy import ProxySpec, open_proxy


async def start(options: Options) -> dict[str, Any]:
    """Start it, or find it running; at the weight its configuration says, 0 where there is none."""
    return await ready(options, required=_require_managed)


async def ready(options: Options, *, required: Callable[[Session], None] | None = None) -> dict[str, Any]:
    """The proxy, of whatever kind, runs a configuration of this plan: weight 0 where none was there."""
    found: dict[str, Any] = {}

    async def work(session: Session) -> None:
        if required is not None:
            required(session)
        if session.state.run:
            live = await session.proxy.ensure(session.guard)
            if session.state.pending is not None:
                session.emit(e.ProxyReady(live.weight, live.revision))
        else:
            await open_or_continue(session, [])
        live = await session.proxy.live()
        found.update(url=session.plan.proxy.url, weight=live.weight, revision=live.revision)

    await work_on(options, "proxy start", work)
    return found


async def stop(options: Options, sure: Callable[[], bool]) -> bool:
    """Stop it; whether it was running."""
    stopped = False

    async def work(session: Session) -> None:
        nonlocal stopped
        _require_managed(session)
        host = session.proxy.host
        if not await host.running() and not await host.orphans():
            return
        if not sure():
            raise UsageError("nginx was left running")
        await host.stop()
        stopped = True

    await work_on(options, "proxy stop", work)
    return stopped


async def status(options: Options) -> dict[str, Any]:
    """Whether the proxy runs, and what it answers, of whatever kind it is."""
    plan = options.load().plan
    proxy = open_proxy(ProxySpec.of(plan), options.state_folder(plan.name), options.templates)
    try:
        absence = await proxy.host.absence()
    except ProxyError as error:
        return _told(plan.proxy.control.kind, plan.proxy.url, running=False, weight=None, reason=error.message)
    live = await proxy.live()
    reason = live.reason
    if absence is not None and live.weight is not None:
        reason = f"{absence.message}; {absence.hint}"
    return _told(plan.proxy.control.kind, plan.proxy.url, running=absence is None, weight=live.weight, reason=reason)


def _told(control: str, url: str, *, running: bool, weight: int | None, reason: str) -> dict[str, Any]:
    return {"control": control, "url": url, "running": running, "weight": weight, "reason": reason}


def _require_managed(session: Session) -> None:
    kind = session.plan.proxy.control.kind
    if kind != "managed":
        raise UsageError(
            f"the plan's proxy is {kind}, not managed: cutover neither starts nor stops it",
            "use what starts it (systemctl, docker)",
        )
