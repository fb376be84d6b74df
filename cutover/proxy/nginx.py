"""nginx as a proxy: what the engine asks of it, on whatever host it lives."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from cutover.errors import ProxyError
from cutover.hosts.base import Host
from cutover.hosts.nginx_conf import log_folder
from cutover.paths import StateFolder
from cutover.proxy import by_hand, change, lease, status
from cutover.proxy.base import Changed, Guard, Intent, Live, Rendered
from cutover.proxy.render import (
    HAS_KEEPALIVE_MIN_TIMEOUT,
    HAS_RESOLVE,
    Facts,
    read_header,
    render,
    render_include,
)
from cutover.proxy.spec import ProxySpec, is_name

KEPT_ZERO = "weight-0.conf"
ASK_TRIES = 3


class NginxProxy:
    """Implements ``Proxy``. ``config`` is the file that cutover owns, a path on the host."""

    def __init__(
        self, spec: ProxySpec, host: Host, config: str, state: StateFolder, templates: Path | None = None
    ) -> None:
        self.spec = spec
        self.host = host
        self.config = config
        self.state = state
        self.templates = templates
        self._facts: Facts | None = None

    @property
    def managed(self) -> bool:
        return self.spec.proxy.control.kind == "managed"

    @property
    def spare(self) -> str:
        """The file of weight 0 that lies beside the config, for a rollback on a full disk."""
        return by_hand.spare_path(self.config)

    async def ensure(self, guard: Guard) -> Live:
        """Raises ``ProxyError`` where an nginx that is not ours is down, or has this plan's file but can't be asked."""
        text = await self.current()
        if not await self.host.running():
            if text is None and self.managed:
                return (await self.change(0, guard)).live
            await self.host.start()
        live = await self._asked()
        if live.weight is not None:
            return live
        header = read_header(text)
        if header is not None and header.name == self.spec.name and header.authentic and not self._is_zero(text):
            raise ProxyError(
                f"{self.config} is in place, but the proxy can't be asked what it runs: {live.reason}",
                hint="proxy.url, or proxy.status, has to lead to this nginx",
            )
        return (await self.change(0, guard)).live

    async def has_ended(self) -> bool:
        return self.managed and not await self.host.running() and not await self.host.orphans()

    async def render(self, weight: int, *, settled: bool = False) -> Rendered:
        return render(self.spec, weight, await self.facts(), settled=settled)

    async def render_include(self, *, settled: bool = False) -> str:
        """The second file, for the user's own server block."""
        return render_include(self.spec, await self.facts(), settled=settled)

    async def current(self) -> str | None:
        return await self.host.read(self.config)

    async def live(self) -> Live:
        return await status.ask(self.spec)

    async def drift(self, expected: Live) -> str | None:
        live = await self._asked()
        if live.weight is None:
            message = f"the proxy can't be asked what it runs: {live.reason}"
            if live.away:
                raise ProxyError(message)
            return message
        if expected.revision is not None and live.revision != expected.revision:
            return f"revision {live.revision} runs instead of {expected.revision}: somebody else changed the proxy"
        if live.lease == "ended" and expected.weight:
            raise lease.LeaseEndedError(lease.ended(await lease.read(self, live)))
        if expected.weight is not None and live.weight != expected.weight:
            return f"weight {live.weight} is live instead of {expected.weight}: somebody else changed the proxy"
        if (why := await self.host.absence()) is not None:
            # What answers are its workers: no reload reaches them, and by request a reload is the way back.
            raise why
        text = await self.current()
        problem = change.file_drift(text, read_header(text), live)
        return f"{self.config} {problem}: somebody else changed it" if problem else None

    async def change(self, weight: int, guard: Guard, *, settle: bool = False) -> Changed:
        return await change.change(self, weight, guard, settle=settle)

    async def recover(self, intent: Intent, guard: Guard) -> Live:
        return await change.recover(self, intent, guard)

    async def by_hand(self, weight: int) -> list[str]:
        """Shell commands that bring a weight about, as things stand: a master that is gone hears no signal."""
        try:
            orphans = None if await self.host.running() else await self.host.orphans()
        except ProxyError:
            orphans = None
        return by_hand.commands(self.spec, weight, self.config, orphans)

    async def losses(self) -> list[str]:
        spec, version = self.spec, await self.host.version()
        shown = ".".join(map(str, version))
        losses = []
        if version < HAS_KEEPALIVE_MIN_TIMEOUT:
            losses.append(
                f"nginx {shown} has no keepalive_min_timeout (1.27.4 has): each reload closes idle connections of "
                "clients, and some of them see a request fail"
                + (
                    "; shifts reload nothing here"
                    if spec.by_client
                    else "; split: {by: client} shifts without a reload"
                )
            )
        names = [s for s in [*spec.old, *spec.new, *spec.fallback] if is_name(s)]
        if names and spec.proxy.resolver is None:
            losses.append(
                f"{', '.join(names)}: nginx resolves names only when it reads its configuration; "
                "proxy.resolver makes it follow their changes (nginx 1.27.3 or later)"
            )
        elif names and version < HAS_RESOLVE:
            losses.append(f"nginx {shown} can't follow changes of names (1.27.3 can): proxy.resolver has no effect")
        if names and not spec.by_client and spec.proxy.server is None:
            losses.append(
                f"{', '.join(names)}: a name with several addresses gets the weight of its side once for each"
            )
        if spec.proxy.server is None:
            losses.append(
                "the server block is yours: routes of the plan have no effect, and gates on live traffic need "
                f"access_log {await self.access_log()} {spec.variable}; in it"
            )
        return losses

    async def access_log(self) -> str:
        """The log with one JSON line per request; a path on the host."""
        return (await self.facts()).log

    async def facts(self) -> Facts:
        if self._facts is None:
            version = await self.host.version()
            self._facts = Facts(version, await self._log_path(), self.templates)
        return self._facts

    async def place_include(self, *, settled: bool) -> Callable[[], Awaitable[None]]:
        """Put the second file where the user's block includes it from; returns what undoes it."""
        if self.spec.proxy.server is not None:
            return _nothing
        path = self.spec.include_path(self.config)
        before, text = await self.host.read(path), await self.render_include(settled=settled)
        if before == text:
            return _nothing
        await self.host.replace(path, text)

        async def undo() -> None:
            if before is None:
                await self.host.remove(path)
            else:
                await self.host.replace(path, before)

        return undo

    def kept_zero(self) -> Rendered | None:
        """The configuration of weight 0 that the run's start wrote down."""
        try:
            text = (self.state.emergency / KEPT_ZERO).read_text(encoding="utf-8")
        except OSError:
            return None
        header = read_header(text)
        return Rendered(text, header.revision, 0) if header else None

    async def _asked(self) -> Live:
        """What runs; asked again before it is said that nothing answers."""
        live = await self.live()
        for _ in range(ASK_TRIES - 1):
            if live.weight is not None:
                break
            await asyncio.sleep(0.05)
            live = await self.live()
        return live

    async def _log_path(self) -> str:
        control = self.spec.proxy.control
        if self.managed:
            return str(self.state.nginx / "access.log")
        conf = control.local.conf if control.local else control.docker.conf if control.docker else ""
        return f"{log_folder(await self.host.read(conf) or '')}/cutover-{self.spec.name}.log"

    def _is_zero(self, text: str | None) -> bool:
        return bool(text) and "\n# weight: 0\n" in (text or "")[:500]


async def _nothing() -> None:
    pass
