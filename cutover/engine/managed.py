"""The managed nginx by hand: start, stop, look."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cutover.engine.commands import open_or_continue
from cutover.engine.opening import Options, work_on
from cutover.engine.session import Session
from cutover.errors import ProxyError, UsageError
from cutover.proxy import NginxProxy, ProxySpec, open_proxy


async def start(options: Options) -> dict[str, Any]:
    """Start it, or find it running; at the weight its configuration says, 0 where there is none."""
    _require_managed(options)
    found: dict[str, Any] = {}

    async def work(session: Session) -> None:
        if session.state.run and not session.state.open:
            await session.proxy.ensure(session.guard)
        else:
            await open_or_continue(session, [])
        live = await session.proxy.live()
        found.update(url=session.plan.proxy.url, weight=live.weight, revision=live.revision)

    await work_on(options, "proxy start", work)
    return found


async def stop(options: Options, sure: Callable[[], bool]) -> bool:
    """Stop it; whether it was running."""
    proxy = _require_managed(options)
    if not await proxy.host.running():
        return False
    if not sure():
        raise UsageError("nginx was left running")

    async def work(_: Session) -> None:
        await proxy.host.stop()

    await work_on(options, "proxy stop", work)
    return True


async def status(options: Options) -> dict[str, Any]:
    """Whether the proxy runs, and what it answers, of whatever kind it is."""
    plan = options.load().plan
    proxy = open_proxy(ProxySpec.of(plan), options.state_folder(plan.name), options.templates)
    try:
        running = await proxy.host.running()
    except ProxyError as error:
        return _told(plan.proxy.control.kind, plan.proxy.url, running=False, weight=None, reason=error.message)
    live = await proxy.live()
    return _told(plan.proxy.control.kind, plan.proxy.url, running=running, weight=live.weight, reason=live.reason)


def _told(control: str, url: str, *, running: bool, weight: int | None, reason: str) -> dict[str, Any]:
    return {"control": control, "url": url, "running": running, "weight": weight, "reason": reason}


def _require_managed(options: Options) -> NginxProxy:
    plan = options.load().plan
    if plan.proxy.control.kind != "managed":
        raise UsageError(
            f"the plan's proxy is {plan.proxy.control.kind}, not managed: cutover neither starts nor stops it",
            "use what starts it (systemctl, docker)",
        )
    return open_proxy(ProxySpec.of(plan), options.state_folder(plan.name), options.templates)
