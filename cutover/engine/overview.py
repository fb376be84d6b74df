"""What stands: the state of a plan's last run beside what the proxy says. Changes nothing."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from cutover.engine import latest
from cutover.engine.opening import Options, named
from cutover.engine.phases import FULL_WEIGHT
from cutover.engine.session import last_state
from cutover.engine.state import RunState
from cutover.errors import CutoverError, PlanError, UsageError
from cutover.journal import open_journal
from cutover.journal.base import Holder
from cutover.journal.lock import alive
from cutover.plan import LoadedPlan
from cutover.proxy import NginxProxy, ProxySpec, emergency, lease, open_proxy
from cutover.proxy.base import Live


async def status(options: Options) -> dict[str, Any]:
    """The keys of ``cutover status --json``. Times are ISO 8601, UTC."""
    name = named(options, wreck=True)
    loaded, mistake = _try_plan(options)
    state, holder, trouble = _recorded(options, name)
    live, on_lease = await _live(options, loaded, name)
    now = condition(state, holder)
    return {
        "plan": name,
        "run": state.run or None,
        "state": now,
        "phase": state.phase,
        "step": state.step_title,
        "weight": {"intended": state.weight, "live": live.weight},
        "lease": on_lease,
        "revision": live.revision,
        "lock": told_holder(holder),
        "last_error": trouble or state.last_error or mistake,
        "next": "cutover run" if _goes_on(now) and _is_over(on_lease, state) else next_command(now, state, loaded),
        "hold": _hold(state) if now == "holding" else None,
        "seen": _seen(state),
        "backends": _backends(state),
        "gates": _gates(state),
        "waiting_for": state.waiting_for or None,
        "proxy": live.reason or None,
        "started_at": iso(state.opened_at),
        "updated_at": iso(state.updated_at),
    }


def condition(state: RunState, holder: Holder | None) -> str:
    """The state's name; what was under way when its process died is ``interrupted``."""
    if state.status in {"running", "holding"} and holder is None:
        return "interrupted"
    return state.status


def next_command(now: str, state: RunState, loaded: LoadedPlan | None) -> str | None:
    """The command that makes sense now."""
    if state.open and now != "running" and (state.rolling_back or state.rollback_failed):
        return "cutover rollback"
    if loaded is None:
        return "cutover check"
    if now == "idle" and state.run:
        return "cutover resume" if state.approved_here else _next_phase(state, loaded)
    if now == "waiting":
        return "cutover approve" if state.asks_approval else "cutover resume"
    if now == "done":
        return "cutover cleanup" if not state.settled and state.weight == FULL_WEIGHT else None
    return "cutover status --watch" if now in {"running", "holding"} else "cutover run"


def _next_phase(state: RunState, loaded: LoadedPlan) -> str:
    for phase in loaded.plan.forward_phases:
        if not state.passed_under(phase, loaded.hash):
            known = {"preflight": "preflight", "validate": "validate", "cutover": "promote", "cleanup": "cleanup"}
            return f"cutover {known[phase]}" if phase in known else f"cutover run --only {phase}"
    return "cutover cleanup"


def told_holder(holder: Holder | None) -> dict[str, Any] | None:
    if holder is None:
        return None
    return {
        "pid": holder.pid,
        "host": holder.host,
        "user": holder.user,
        "command": holder.command,
        "since": iso(holder.since),
        "folder": holder.folder,
    }


def iso(seconds: float) -> str | None:
    if not seconds:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _hold(state: RunState) -> dict[str, Any] | None:
    if state.hold is None:
        return None
    until, seconds = float(state.hold["until"]), state.hold["seconds"]
    left = max(0.0, round(until - time.time(), 1))
    return {"weight": state.hold["weight"], "until": iso(until), "seconds": seconds, "left_s": left}


def _seen(state: RunState) -> dict[str, Any] | None:
    """Of what time and weight the figures of backends are."""
    if not state.traffic:
        return None
    last = state.traffic[-1]
    return {"at": iso(last["at"]), "weight": last["weight"], "share": last["share"]}


def _backends(state: RunState) -> dict[str, Any]:
    found = latest.by_backend(state.traffic)
    for backend in found.values():
        backend["history"] = [{**point, "at": iso(point["at"])} for point in backend["history"]]
    return found


def _gates(state: RunState) -> list[dict[str, Any]]:
    told = ("gate", "verdict", "summary", "limit", "count", "weight")
    return [{**{key: gate[key] for key in told}, "at": iso(gate["at"])} for gate in latest.in_order(state.gates)]


def _try_plan(options: Options) -> tuple[LoadedPlan | None, str | None]:
    try:
        return options.load(), None
    except PlanError as error:
        return None, str(error.mistakes[0])


def _recorded(options: Options, name: str) -> tuple[RunState, Holder | None, str | None]:
    """The last run and the living holder of the lock, and why they are not known where the journal is no use."""
    try:
        journal = open_journal(options.store, name, create=False)
        if journal is None:
            return RunState(), None, None
        holder = journal.holder(name)
        return last_state(journal, name), holder if holder is not None and alive(holder) else None, None
    except UsageError:
        raise
    except CutoverError as error:
        return RunState(), None, error.message


async def _live(options: Options, loaded: LoadedPlan | None, name: str) -> tuple[Live, dict[str, Any] | None]:
    """What the proxy says, and what is left of the lease on which traffic goes to new."""
    folder = options.state_folder(name)
    try:
        if loaded is None:
            proxy = emergency.load(folder)
        else:
            proxy = open_proxy(ProxySpec.of(loaded.plan), folder, options.templates)
        live = await _told_with_absence(proxy, await proxy.live())
    except CutoverError as error:
        return Live(None, None, error.message), None
    try:
        left = await lease.read(proxy, live)
    except CutoverError:
        # What is asked for is what stands: files that can't be read leave the rest to be told.
        left = None
    if live.lease is None:
        return live, None
    return live, {
        "state": live.lease,
        "until": iso(left.until) if left else None,
        "left_s": round(left.left_s, 1) if left else None,
    }


async def _told_with_absence(proxy: NginxProxy, live: Live) -> Live:
    """Beside what workers answer, that their master is gone. An engine is not asked for that: it may not answer."""
    if live.weight is None or proxy.spec.proxy.control.kind == "docker":
        return live
    absence = await proxy.host.absence()
    return live if absence is None else replace(live, reason=absence.message)


def _goes_on(now: str) -> bool:
    return now in {"idle", "interrupted", "failed"}


def _is_over(found: dict[str, Any] | None, state: RunState) -> bool:
    """Whether the lease ended, and with it what phases had reached: they shift anew."""
    return state.open and state.moved and found is not None and found["state"] == "ended"
