"""What a run would do: a plan of the work, as JSON data. Asks the proxy only to read, and changes nothing."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cutover.checks.base import Check
from cutover.engine.opening import Options
from cutover.engine.phases import CLEANUP_PHASE, FULL_WEIGHT
from cutover.engine.session import last_state
from cutover.engine.state import RunState
from cutover.errors import ProxyError
from cutover.hosts.nginx_conf import log_folder
from cutover.journal import open_journal
from cutover.plan import LoadedPlan
from cutover.plan.model import ROLLBACK_PHASE, Plan
from cutover.plan.step import Gate, Step
from cutover.proxy import NginxProxy, ProxySpec, open_proxy
from cutover.proxy.base import Live
from cutover.proxy.render import HAS_KEEPALIVE_MIN_TIMEOUT, Facts, render, render_include

# What is rendered for where nginx can't be asked: one that lacks nothing.
ASSUMED_VERSION = HAS_KEEPALIVE_MIN_TIMEOUT
Json = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """What the proxy said, or ``reason`` why it could not be asked; ``facts`` are then those of a recent nginx."""

    facts: Facts
    live: Live
    reason: str | None = None


async def outline(options: Options) -> Json:
    """What ``cutover plan`` tells. Raises only for a plan with mistakes: a proxy that can't be asked is a sentence."""
    loaded = options.load()
    plan = loaded.plan
    journal = open_journal(options.store, plan.name, create=False)
    last = last_state(journal, plan.name) if journal is not None else RunState()
    proxy = open_proxy(ProxySpec.of(plan), options.state_folder(plan.name), options.templates)
    asked = await _ask(proxy)
    complete = last.outcome == "done" and all(last.passed_under(p, loaded.hash) for p in plan.forward_phases)
    state = last if last.open or complete else RunState(weight=_found(plan, last, asked.live))
    phases = list(_phases(loaded, state))
    ahead = [phase for phase in phases if not phase["passed"] and phase["phase"] != ROLLBACK_PHASE]
    change = await _change(proxy, asked, ahead, state)
    return {
        "plan": plan.name,
        "description": plan.description,
        "plan_file": str(loaded.file),
        "plan_hash": loaded.hash,
        "run": _run(last, complete=complete) if last.run else None,
        "proxy": {"url": plan.proxy.url, "control": plan.proxy.control.kind, "by": plan.proxy.split.by},
        "live": {"weight": asked.live.weight, "revision": asked.live.revision, "reason": asked.live.reason},
        "phases": phases,
        "least_seconds": sum(phase["least_seconds"] for phase in ahead),
        "change": change,
        "diff": "\n".join(file["diff"] for file in change["files"] if file["diff"]),
        "losses": await proxy.losses() if asked.reason is None else [],
    }


async def rendering(options: Options, weight: int, *, settled: bool) -> Json:
    """The configuration for a weight: ``weight``, ``revision``, ``path``, ``text``.

    ``assumed``: why the nginx could not be asked for its version, and a recent one was taken; else None.
    """
    plan = options.load().plan
    proxy = open_proxy(ProxySpec.of(plan), options.state_folder(plan.name), options.templates)
    facts, reason = await _facts(proxy)
    rendered = render(proxy.spec, FULL_WEIGHT if settled else weight, facts, settled=settled)
    return {
        "weight": rendered.weight,
        "settled": settled,
        "revision": rendered.revision,
        "path": proxy.config,
        "text": rendered.text,
        "assumed": reason,
    }


def _run(last: RunState, *, complete: bool) -> Json:
    """The last run. ``complete``: all phases have passed for this very plan."""
    return {
        "run": last.run,
        "weight": last.weight,
        "status": last.status,
        "outcome": last.outcome,
        "complete": complete,
    }


def _found(plan: Plan, last: RunState, live: Live) -> int:
    """Where a new run would find traffic: what was new for the last run may be old for this one."""
    follows = last.outcome == "done" and set(last.new_servers) == set(plan.backends.old.servers)
    return 0 if follows else live.weight or 0


async def _ask(proxy: NginxProxy) -> Asked:
    facts, reason = await _facts(proxy)
    if reason is not None:
        return Asked(facts, Live(None, None, reason), reason)
    try:
        return Asked(facts, await proxy.live())
    except ProxyError as error:
        return Asked(facts, Live(None, None, error.message))


async def _facts(proxy: NginxProxy) -> tuple[Facts, str | None]:
    """What a rendering takes from the proxy's place; else what can be assumed, and why it must be."""
    try:
        return await proxy.facts(), None
    except ProxyError as error:
        log = f"{log_folder('')}/cutover-{proxy.spec.name}.log"
        return Facts(ASSUMED_VERSION, log, proxy.templates), error.message


def _phases(loaded: LoadedPlan, state: RunState) -> Iterator[Json]:
    """The phases as they would run, ``rollback`` last; with the weight that is live as each step begins."""
    weight = state.weight
    names = loaded.plan.forward_phases
    for name in [*names, *([ROLLBACK_PHASE] if ROLLBACK_PHASE in loaded.plan.phases else [])]:
        passed = name != ROLLBACK_PHASE and state.passed_under(name, loaded.hash)
        steps: list[Json] = []
        for number, step in enumerate(loaded.plan.phases[name], start=1):
            before = 0 if name == ROLLBACK_PHASE else weight
            weights = [] if passed else _weights(step, before)
            steps.append(_step(name, number, step, before, weights))
            weight = weights[-1] if weights else weight
        yield {
            "phase": name,
            "passed": passed,
            "least_seconds": sum(step["least_seconds"] for step in steps),
            "steps": steps,
        }


def _step(phase: str, number: int, step: Step, weight: int, weights: list[int]) -> Json:
    settings = step.settings
    return {
        "number": number,
        "type": step.type,
        "kind": settings.kind,
        "title": step.title,
        "summary": settings.summary(),
        **_asked(step),
        "from_weight": weight,
        "weights": weights,
        "hold_s": getattr(settings, "hold", None),
        "lease_s": getattr(settings, "lease", None),
        "gates": [_gate(gate) for gate in getattr(settings, "gates", ())],
        "every_s": getattr(settings, "every", None) if hasattr(settings, "gates") else None,
        "once": bool(getattr(settings, "once", False)),
        "retry": {"for_s": step.retry.for_, "every_s": step.retry.every} if step.retry else None,
        "timeout_s": step.timeout,
        "least_seconds": settings.least_seconds(),
        "on_fail": _consequence(phase, step, moved=weight > 0 or any(weights)),
    }


def _gate(gate: Gate) -> Json:
    return {
        "type": gate.type,
        "title": gate.title,
        "summary": gate.settings.summary(),
        **_asked(gate),
        "every_s": gate.every,
        "failures": gate.most_failures,
        "in_a_row": gate.in_a_row,
        "on_fail": gate.on_fail,
        "unknown": gate.unknown,
    }


def _asked(step: Step) -> Json:
    """What a check will ask, and the limits that it sets."""
    requests = list(step.settings.requests()) if isinstance(step.settings, Check) else []
    return {"requests": requests, "thresholds": [str(limit) for limit in getattr(step.settings, "thresholds", ())]}


def _weights(step: Step, before: int) -> list[int]:
    """The weights that a step would set, coming from ``before``."""
    weights = list(getattr(step.settings, "weights", ())) if step.type == "shift" else []
    return [w for w in weights if w >= before] if len(weights) > 1 else weights


def _consequence(phase: str, step: Step, *, moved: bool) -> str:
    """What a failure leads to: the step's own wish, else ``rollback`` once traffic has moved and ``stop`` before.

    ``noted``: in a rollback every step is tried, and what failed is told at the end.
    """
    if phase == ROLLBACK_PHASE:
        return "continue" if step.on_fail == "continue" else "noted"
    return step.on_fail or ("rollback" if moved else "stop")


async def _change(proxy: NginxProxy, asked: Asked, ahead: list[Json], state: RunState) -> Json:
    """The change to the proxy's files for the first weight that the run will set."""
    weights = [w for phase in ahead for step in phase["steps"] for w in step["weights"]]
    moves = [w for w in weights if w != state.weight]
    cleans = not moves and state.weight == FULL_WEIGHT and any(phase["phase"] == CLEANUP_PHASE for phase in ahead)
    settled = cleans or state.settled
    weight = moves[0] if moves else state.weight
    rendered = render(proxy.spec, weight, asked.facts, settled=settled)
    texts = {proxy.config: rendered.text}
    if proxy.spec.proxy.server is None:
        texts[proxy.spec.include_path(proxy.config)] = render_include(proxy.spec, asked.facts)
    reason = asked.reason
    files = []
    for path, text in texts.items():
        before = None
        if reason is None:
            try:
                before = await proxy.host.read(path)
            except ProxyError as error:
                reason = error.message
        files.append({"path": path, "diff": diff(before, text, path)})
    return {
        "weight": weight,
        "settled": settled,
        "revision": rendered.revision,
        "switch_dir": proxy.spec.switch_dir if proxy.spec.by_client else None,
        "reason": reason,
        "assumed_version": ".".join(map(str, asked.facts.version)),
        "files": files,
    }


def diff(before: str | None, after: str, path: str) -> str:
    """A unified diff; empty where nothing changes."""
    lines = difflib.unified_diff(
        (before or "").splitlines(keepends=True),
        after.splitlines(keepends=True),
        f"live {path}" if before is not None else "nothing yet",
        f"next {path}",
    )
    return "".join(line if line.endswith("\n") else f"{line}\n\\ no newline at the end\n" for line in lines)
