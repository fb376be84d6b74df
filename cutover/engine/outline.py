"""What a run would do: a plan of the work, as JSON data. Asks the proxy only to read, and changes nothing."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any

from cutover.checks.base import Check
from cutover.engine.opening import Options
from cutover.engine.phases import CLEANUP_PHASE, FULL_WEIGHT
from cutover.engine.session import last_state
from cutover.engine.state import RunState
from cutover.errors import CutoverError
from cutover.journal import open_journal
from cutover.plan import LoadedPlan
from cutover.plan.model import ROLLBACK_PHASE
from cutover.plan.step import Step
from cutover.proxy import NginxProxy, ProxySpec, open_proxy

Json = dict[str, Any]


async def outline(options: Options) -> Json:
    """What ``cutover plan`` tells. Raises only for a plan with mistakes: a proxy that can't be asked is a sentence."""
    loaded = options.load()
    plan = loaded.plan
    journal = open_journal(options.store, plan.name, create=False)
    last = last_state(journal, plan.name) if journal is not None else RunState()
    state = last if last.open else RunState()
    proxy = open_proxy(ProxySpec.of(plan), options.state_folder(plan.name), options.templates)
    phases = list(_phases(loaded, state))
    ahead = [phase for phase in phases if not phase["passed"] and phase["phase"] != ROLLBACK_PHASE]
    losses, no_losses = await _losses(proxy)
    return {
        "plan": plan.name,
        "description": plan.description,
        "plan_file": str(loaded.file),
        "plan_hash": loaded.hash,
        "run": {"run": state.run, "weight": state.weight, "status": state.status} if state.open else None,
        "proxy": {"url": plan.proxy.url, "control": plan.proxy.control.kind, "by": plan.proxy.split.by},
        "phases": phases,
        "least_seconds": sum(phase["least_seconds"] for phase in ahead),
        "change": await _change(proxy, ahead, state),
        "losses": losses,
        "losses_unknown": no_losses,
    }


async def rendering(options: Options, weight: int, *, settled: bool) -> Json:
    """The configuration for a weight: ``weight``, ``revision``, ``path``, ``text``."""
    plan = options.load().plan
    proxy = open_proxy(ProxySpec.of(plan), options.state_folder(plan.name), options.templates)
    rendered = await proxy.render(FULL_WEIGHT if settled else weight, settled=settled)
    return {
        "weight": rendered.weight,
        "settled": settled,
        "revision": rendered.revision,
        "path": proxy.config,
        "text": rendered.text,
    }


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
        "gates": [_gate(gate) for gate in getattr(settings, "gates", ())],
        "every_s": getattr(settings, "every", None) if hasattr(settings, "gates") else None,
        "once": bool(getattr(settings, "once", False)),
        "retry": {"for_s": step.retry.for_, "every_s": step.retry.every} if step.retry else None,
        "timeout_s": step.timeout,
        "least_seconds": settings.least_seconds(),
        "on_fail": _consequence(phase, step, moved=weight > 0 or any(weights)),
    }


def _gate(gate: Step) -> Json:
    return {
        "type": gate.type,
        "title": gate.title,
        "summary": gate.settings.summary(),
        **_asked(gate),
        "on_fail": gate.on_fail,
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
    """What a failure leads to: the step's own wish, else ``rollback`` once traffic has moved and ``stop`` before."""
    if phase == ROLLBACK_PHASE:
        return "continue"
    return step.on_fail or ("rollback" if moved else "stop")


async def _change(proxy: NginxProxy, ahead: list[Json], state: RunState) -> Json:
    """The change to the proxy's configuration for the first weight that the run will set."""
    weights = [w for phase in ahead for step in phase["steps"] for w in step["weights"]]
    moves = [w for w in weights if w != state.weight]
    settled = not moves and any(phase["phase"] == CLEANUP_PHASE for phase in ahead) and state.weight == FULL_WEIGHT
    weight = moves[0] if moves else state.weight
    current, reason = await _current(proxy)
    change: Json = {
        "weight": weight,
        "settled": settled,
        "path": proxy.config,
        "switch_dir": proxy.spec.switch_dir if proxy.spec.by_client else None,
        "asked": reason is None,
        "reason": reason,
        "revision": None,
        "diff": "",
    }
    try:
        rendered = await proxy.render(weight, settled=settled)
    except CutoverError as error:
        return {**change, "reason": reason or error.message}
    return {**change, "revision": rendered.revision, "diff": diff(current, rendered.text, proxy.config)}


async def _current(proxy: NginxProxy) -> tuple[str | None, str | None]:
    """The text that stands there, or why it could not be read."""
    try:
        return await proxy.current(), None
    except CutoverError as error:
        return None, error.message


async def _losses(proxy: NginxProxy) -> tuple[list[str], str | None]:
    try:
        return await proxy.losses(), None
    except CutoverError as error:
        return [], error.message


def diff(before: str | None, after: str, path: str) -> str:
    """A unified diff; empty where nothing changes."""
    lines = difflib.unified_diff(
        (before or "").splitlines(keepends=True),
        after.splitlines(keepends=True),
        f"live {path}" if before is not None else "nothing yet",
        f"next {path}",
    )
    return "".join(line if line.endswith("\n") else f"{line}\n\\ no newline at the end\n" for line in lines)
