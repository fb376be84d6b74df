"""The plan of the work as text: what ``cutover plan`` prints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cutover.plan.units import format_count, format_duration
from cutover.report.lines import HASH_LENGTH, one_line, stands

Outline = Mapping[str, Any]

SHOWN_REQUESTS = 5
COLOURS = {"+": "\x1b[32m", "-": "\x1b[31m", "@": "\x1b[36m"}
PLAIN = "\x1b[0m"
FAILURES = {
    "noted": "it is noted, the steps after it still run, and the command exits with 1",
    "stop": "the run stops; traffic has not moved",
    "rollback": "all traffic goes back to old, verified, and the run ends",
    "pause": "the run pauses for a person; traffic stays where it is",
    "continue": "it is noted, and the run goes on",
    "step_back": "traffic goes back to the last weight that held, and the run pauses for a person",
}


def text(outline: Outline, *, color: bool) -> str:
    lines = [*_header(outline)]
    for phase in outline["phases"]:
        lines += ["", *_phase(phase)]
    lines += ["", *_total(outline), "", *_change(outline["change"], color=color)]
    for loss in outline["losses"]:
        lines += ["", f"Note: {one_line(loss)}"]
    return "\n".join(lines)


def _header(outline: Outline) -> Iterator[str]:
    about = f": {one_line(outline['description'])}" if outline["description"] else ""
    yield f"Plan {outline['plan']}{about}"
    yield f"  from {outline['plan_file']}, version {outline['plan_hash'][:HASH_LENGTH]}"
    proxy, live = outline["proxy"], outline["live"]
    yield f"  clients reach the proxy at {proxy['url']} ({proxy['control']} nginx); traffic is split by {proxy['by']}"
    if live["weight"] is not None:
        yield f"  live now: {stands(live['weight'])}, revision {live['revision']}"
    elif live["reason"]:
        yield f"  live now: not known ({one_line(live['reason'])})"
    yield f"  {_run(outline)}"


def _run(outline: Outline) -> str:
    run = outline["run"]
    if run is None or (run["outcome"] is not None and not run["complete"]):
        return "no run is open: `cutover run` opens one"
    if run["complete"]:
        return f"run {run['run']} of this very plan is done: `cutover run` has nothing left to do"
    waits = "; it waits for a person: see `cutover status`" if run["status"] == "waiting" else ""
    return f"run {run['run']} is open ({run['status']}), {stands(run['weight'])}: `cutover run` goes on with it{waits}"


def _phase(phase: Outline) -> Iterator[str]:
    name = phase["phase"]
    if phase["passed"]:
        yield f"Phase {name}: passed in this run for this very plan; it will not run again"
        return
    least = f", at least {format_duration(phase['least_seconds'])}" if phase["least_seconds"] else ""
    when = " (only after traffic is back on old)" if name == "rollback" else ""
    yield f"Phase {name}{when}{least}"
    if name == "cleanup":
        yield "  first makes new permanent in the proxy's configuration, without old, verified"
    for step in phase["steps"]:
        yield from _step(step)
    if not phase["steps"] and name != "cleanup":
        yield "  no steps"


def _step(step: Outline) -> Iterator[str]:
    least = f" [at least {format_duration(step['least_seconds'])}]" if step["least_seconds"] else ""
    yield one_line(f"  {step['number']}. {step['title']}{least}")
    yield from (f"       {one_line(line)}" for line in _sentences(step))


def _sentences(step: Outline) -> Iterator[str]:
    if step["title"] != f"{step['type']}: {step['summary']}":
        yield f"{step['type']}: {step['summary']}"
    yield from _asks(step)
    yield from _weights(step)
    for gate in step["gates"]:
        yield from _gate(gate, step["every_s"])
    if step["kind"] == "action" and step["once"]:
        yield "changes something of yours; it is not run a second time in one run"
    if retry := step["retry"]:
        yield f"tried again every {format_duration(retry['every_s'])} for up to {format_duration(retry['for_s'])}"
    if step["timeout_s"] is not None:
        yield f"given up after {format_duration(step['timeout_s'])}"
    yield f"if it fails: {FAILURES[step['on_fail']]}"


def _asks(step: Outline) -> Iterator[str]:
    """What the summary does not say already."""
    requests: Sequence[str] = step["requests"]
    if any(request not in step["summary"] for request in requests):
        more = f", and {len(requests) - SHOWN_REQUESTS} more" if len(requests) > SHOWN_REQUESTS else ""
        yield f"asks {', '.join(requests[:SHOWN_REQUESTS])}{more}"
    if any(threshold not in step["summary"] for threshold in step["thresholds"]):
        yield f"passes while {', '.join(step['thresholds'])}"


def _weights(step: Outline) -> Iterator[str]:
    weights: Sequence[int] = step["weights"]
    if not weights:
        if step["type"] == "shift":
            yield "changes nothing: traffic is beyond these weights already"
        return
    way = " -> ".join(f"{w} %" for w in [step["from_weight"], *weights])
    each = "each " if len(weights) > 1 else ""
    hold = f", {each}held for {format_duration(step['hold_s'])}" if step["hold_s"] else ""
    yield f"changes the weight {way}, {each}verified{hold}"
    if step["lease_s"]:
        lease = format_duration(step["lease_s"])
        yield f"on a lease of {lease}: nginx returns all traffic to old when nothing renews it for so long"


def _gate(gate: Outline, every: float | None) -> Iterator[str]:
    own = gate["every_s"] or every
    interval = f" every {format_duration(own)}" if own else ""
    consequence = "" if gate["on_fail"] is None else f"; if it fails: {FAILURES[gate['on_fail']]}"
    unknown = "" if gate["unknown"] is None else f"; if it stays unknown: {FAILURES[gate['unknown']]}"
    yield f"gate{interval}: {gate['title']}{_limits(gate)}{consequence}{unknown}"
    yield from (f"  {line}" for line in _asks(gate))


def _limits(gate: Outline) -> str:
    """What it takes to fail, where that is more than one failure."""
    limits = [
        f"{limit} failures{row}"
        for limit, row in ((gate["failures"], ""), (gate["in_a_row"], " in a row"))
        if limit is not None and (limit, row) != (1, "")
    ]
    return f"; fails with {' or '.join(limits)}" if limits else ""


def _total(outline: Outline) -> Iterator[str]:
    ahead = [p for p in outline["phases"] if not p["passed"] and p["phase"] != "rollback"]
    if not ahead:
        yield "In all: nothing left to do."
        return
    steps = sum(len(phase["steps"]) for phase in ahead)
    phases = f"{format_count(len(ahead), 'phase')}, {format_count(steps, 'step')}"
    least = format_duration(outline["least_seconds"]) if outline["least_seconds"] else "no time to speak of"
    yield f"In all: {phases}, at least {least}."


def _change(change: Outline, *, color: bool) -> Iterator[str]:
    if change["reason"] is not None:
        yield f"The proxy could not be asked: {one_line(change['reason'])}"
        yield f"What follows is what would be written for nginx {change['assumed_version']}, against nothing."
        yield ""
    if change["switch_dir"] is not None:
        yield f"Weights change by a link in {change['switch_dir']}; the configuration is the same for all of them."
    for file in change["files"]:
        whole = "new alone, for good" if change["settled"] else f"for weight {change['weight']} %"
        if not file["diff"]:
            yield f"{file['path']} stays as it is, {whole}."
            continue
        yield f"The change to {file['path']}, {whole}:"
        yield ""
        for line in file["diff"].splitlines():
            yield _coloured(one_line(line)) if color else one_line(line)


def _coloured(line: str) -> str:
    colour = COLOURS.get(line[:1], "")
    return f"{colour}{line}{PLAIN}" if colour else line
