"""What the proxy sees, for gates: its log from the last verified shift on, wherever it lives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from cutover.checks.traffic import Traffic
from cutover.engine import backlog
from cutover.engine.session import Session
from cutover.errors import CutoverError, ProxyError
from cutover.hosts.base import Host, LogCursor, LogRead
from cutover.plan.model import Plan
from cutover.proxy import NginxProxy, ProxySpec
from cutover.proxy.spec import address, is_name

if TYPE_CHECKING:
    from cutover.traffic.observer import Chunk, Observer
    from cutover.traffic.tries import Backends

CHUNK_BYTES = 8 * 1024 * 1024
LOOK_BYTES = 64 * 1024


async def log_end(session: Session) -> Mapping[str, Any]:
    """Where the proxy's log ends now, as a journal keeps it; nothing where it can't be had: no shift fails for it."""
    try:
        return asdict(await session.proxy.host.log_end(await session.proxy.access_log()))
    except CutoverError as error:
        session.artifacts_note(f"gates on traffic begin later: {error.message}")
        return {}


async def log_trouble(proxy: NginxProxy) -> str | None:
    """Why nothing could be learned from the log of a server block that is not cutover's; None where it could.

    Looks at its newest lines: others than cutover's format can't be read.
    """
    from cutover.traffic.lines import parse  # noqa: PLC0415 - start-up time

    if proxy.spec.proxy.server is not None:
        return None
    try:
        log = ProxyLog(proxy)
        end = (await log.read(None)).cursor
        begin = LogCursor(end.file, max(0, end.offset - LOOK_BYTES))
        data = (await log.read(begin)).data
    except CutoverError as error:
        return error.message
    newest = parse(data) if data else None
    if newest is not None and newest.unreadable == newest.count:
        needed = f"access_log {await proxy.access_log()} {proxy.spec.variable};"
        return f"the access log is not in the format that cutover reads: your own server block needs `{needed}`"
    return None


def observer(session: Session) -> Observer:
    """One for all gates at this weight; made anew after a shift, and in each process from where the shift left it."""
    state = session.state
    stay = (state.weight, state.revision, tuple(sorted(state.log.items())))
    if session.observed is None or session.observed[0] != stay:
        session.observed = (stay, _observer(session))
    return session.observed[1]


def _observer(session: Session) -> Observer:
    from cutover.traffic.counting import Counting  # noqa: PLC0415 - start-up time
    from cutover.traffic.observer import Observer  # noqa: PLC0415 - start-up time

    gates = list(_traffic_checks(session.plan))
    counting = Counting(
        backends_of(session.proxy.spec),
        [prefix for gate in gates for prefix in gate.prefixes],
        session.state.revision or "",
    )
    log = session.state.log
    return Observer(
        ProxyLog(session.proxy),
        LogCursor(**log) if log else None,
        counting,
        weight=session.state.weight,
        same_clock=session.plan.proxy.control.kind != "docker",
        window=max((gate.longest_window for gate in gates), default=0.0),
    )


def _traffic_checks(plan: Plan) -> Iterator[Traffic]:
    for steps in plan.phases.values():
        for step in steps:
            for settings in (step.settings, *(gate.settings for gate in getattr(step.settings, "gates", ()))):
                if isinstance(settings, Traffic):
                    yield settings


def backends_of(spec: ProxySpec) -> Backends:
    """Whose the addresses are that nginx logs; those that two backends share are left to the side it logs."""
    from cutover.traffic.tries import FALLBACK, NEW, OLD, UNKNOWN, Backends  # noqa: PLC0415 - start-up time

    whose: dict[str, str] = {}
    shared: set[str] = set()
    named: list[str] = []
    for backend, servers in ((OLD, spec.old), (NEW, spec.new), (FALLBACK, spec.fallback)):
        for server in map(address, servers):
            if is_name(server):
                named.append(backend)
            elif whose.setdefault(server, backend) != backend:
                shared.add(server)
        # What nginx logs where a pool has no server at all.
        whose[f"{spec.id}_{backend}"] = backend
    sides = set(named) - {FALLBACK}
    return Backends(
        {server: backend for server, backend in whose.items() if server not in shared},
        rest=sides.pop() if len(sides) == 1 else UNKNOWN,
        pinned=frozenset(route.path for route in spec.proxy.routes if route.to is not None),
    )


class ProxyLog:
    """Implements ``Source``. Without a cursor it begins at the log's end."""

    def __init__(self, proxy: NginxProxy) -> None:
        self._proxy = proxy

    async def read(self, cursor: LogCursor | None) -> Chunk:
        from cutover.traffic.observer import Chunk  # noqa: PLC0415 - start-up time

        file = await self._file()
        try:
            if cursor is None:
                return Chunk(b"", await file.end())
            read = await file.read(cursor, CHUNK_BYTES)
        except ProxyError as error:
            if self._proxy.spec.proxy.server is not None:
                raise
            needed = f"access_log {file.path} {self._proxy.spec.variable};"
            raise ProxyError(f"{error.message}: your own server block needs `{needed}`", error.hint) from error
        return Chunk(read.data, read.cursor, read.behind, read.note)

    async def newest(self, cursor: LogCursor, seconds: float) -> LogCursor | None:
        return await backlog.newest(await self._file(), cursor, seconds)

    async def _file(self) -> LogFile:
        return LogFile(self._proxy.host, await self._proxy.access_log())


@dataclass(frozen=True)
class LogFile:
    """Implements ``backlog.Log``."""

    host: Host
    path: str

    async def end(self) -> LogCursor:
        return await self.host.log_end(self.path)

    async def read(self, cursor: LogCursor, limit: int) -> LogRead:
        return await self.host.read_log(self.path, cursor, limit)
