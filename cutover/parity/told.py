"""A report as text and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cutover.parity.explain import explain
from cutover.parity.findings import FURTHER_PATHS, Kind, Level, Tally
from cutover.parity.plaintext import PREFIX
from cutover.parity.report import Group, Named, Report
from cutover.parity.shown import shown
from cutover.redact import redact, redact_data

MAX_GROUPS_IN_SUMMARY = 3
MAX_GROUPS = 500
MAX_EXPLAINED = 20
_UNSEEN = "they differ in what is not shown: secret, or too long"


def summary(report: Report, reasons: Sequence[str] = ()) -> str:
    """One line: ``12 requests compared, 2 differ: GET /studies/{id} $.results[].taken_at value ×12``."""  # noqa: RUF002 - the sign that people are shown
    parts = [f"{_requests(report.compared)} compared, {_differ(report.differing)}"]
    groups = report.groups(Level.FAIL)
    if groups:
        told = "; ".join(_group(group) for group in groups[:MAX_GROUPS_IN_SUMMARY])
        more = f"; and {len(groups) - MAX_GROUPS_IN_SUMMARY} more" if len(groups) > MAX_GROUPS_IN_SUMMARY else ""
        parts[0] += f": {told}{more}"
    parts += reasons
    if report.unknown.count:
        parts.append(f"{report.unknown.count} unknown ({report.unknown.names[0]})")
    if report.skipped.count:
        parts.append(f"{report.skipped.count} not sent because they write ({_first(report.skipped)})")
    if warnings := len(report.groups(Level.WARN)):
        parts.append(f"{warnings} warning{'s' if warnings > 1 else ''}")
    if report.emptied.count:
        parts.append(f"ignore rules leave nothing of the body of {_first(report.emptied)}")
    if report.unused:
        parts.append("rules that never matched: " + ", ".join(f"{option} {name}" for option, name in report.unused))
    return redact("; ".join(parts))


async def details(report: Report) -> dict[str, Any]:
    """JSON for the artifacts; every value in it is redacted."""
    groups = report.groups()
    found = {
        "compared": report.compared,
        "differing": report.differing,
        "skipped": _named(report.skipped),
        "unknown": _named(report.unknown),
        "groups": [_group_data(group) for group in _kept(groups)],
        "groups_left_out": max(0, len(groups) - MAX_GROUPS),
        "noise": [
            {"endpoint": name, "what": matter, "path": path, "requests": count}
            for name, matter, path, count in report.noisy()
        ],
        "rules": {
            "never_matched": [f"{option}: {name}" for option, name in report.unused],
            "left_nothing_of": _named(report.emptied),
        },
        "records": await _records(report),
    }
    return redact_data(found)


def _kept(groups: list[Group]) -> list[Group]:
    """As many as are told, and the worst of every endpoint whatever another has."""
    if len(groups) <= MAX_GROUPS:
        return groups
    worst = list({group.endpoint: group for group in reversed(groups)}.values())
    chosen = set(list(dict.fromkeys(map(id, [*worst, *groups])))[:MAX_GROUPS])
    return [group for group in groups if id(group) in chosen]


def cure(kind: Kind, path: str, tally: Tally) -> str:
    """The line of YAML that would ignore or normalise a finding; empty where nothing may."""
    if tally.cure:
        return tally.cure
    if kind in {Kind.STATUS, Kind.CONNECTION, Kind.HEADER} or path in {"$", FURTHER_PATHS} or path.startswith(PREFIX):
        return ""
    if kind in {Kind.MISSING, Kind.ADDED} and path.endswith(("[]", ".*")):
        # Nothing less than the whole list would be hidden.
        return ""
    return f"ignore: ['{path}']"


def _group(group: Group) -> str:
    status = f" {group.key.pair}" if group.key.pair else ""
    if group.key.kind is Kind.CONNECTION and group.tally.samples:
        sample = group.tally.samples[0]
        status = f" {shown(sample.old)} -> {shown(sample.new)}"
    message = f" ({group.tally.message})" if group.tally.message else ""
    place = group.key.kind if group.key.path == group.key.kind else f"{group.key.path} {group.key.kind}"
    return f"{group.endpoint} {place}{status} ×{group.tally.count}{message}"  # noqa: RUF001 - the sign that people are shown


def _group_data(group: Group) -> dict[str, Any]:
    key, tally = group.key, group.tally
    samples = [
        {
            "request": sample.request,
            "where": sample.where,
            "old": shown(sample.old, key.path),
            "new": shown(sample.new, key.path),
        }
        for sample in tally.samples
    ]
    return {
        "endpoint": group.endpoint,
        "path": key.path,
        "kind": key.kind.value,
        "level": key.level.value,
        "count": tally.count,
        "message": tally.message or (_UNSEEN if samples and all(s["old"] == s["new"] for s in samples) else ""),
        "cure": cure(key.kind, key.path, tally),
        "samples": samples,
    }


async def _records(report: Report) -> list[dict[str, Any]]:
    """One differing record of each endpoint, as a whole."""
    told: list[dict[str, Any]] = []
    for name, endpoint in report.endpoints.items():
        if len(told) >= MAX_EXPLAINED:
            break
        record = endpoint.findings.record
        if record is not None and (lines := await explain(record)):
            told.append({"endpoint": name, "where": record.where, "differences": lines})
    return told


def _named(named: Named) -> dict[str, Any]:
    return {"count": named.count, "first": named.names}


def _first(named: Named) -> str:
    more = f" and {named.count - 1} more" if named.count > 1 else ""
    return f"{named.names[0]}{more}"


def _requests(count: int) -> str:
    return f"{count} request{'s' if count != 1 else ''}"


def _differ(count: int) -> str:
    return "none differs" if count == 0 else f"{count} differ{'s' if count == 1 else ''}"
