"""A comparison for people at a terminal: endpoint by endpoint, worst first, each finding with its cure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

MAX_SHOWN_GROUPS = 40
_SIDE_WIDTH = 40
_COLUMN = 8
_STATUS = "status"
_CONNECTION = "connection"
_INDENT = "        "
_OPERATIONS = (
    ("new's document lacks, as the plan allows", "new_lacks_as_allowed"),
    ("named in lacking, but new has it", "allowed_in_vain"),
    ("only in new's document", "only_in_new"),
    ("asked, but not in old's document", "not_in_old_document"),
)

Paint = Callable[[str, str], str]
"""A text in the colour of a level: ``fail``, ``warn``, ``note``, ``cure`` or ``title``."""


def plain(text: str, _: str) -> str:
    return text


def told(details: Mapping[str, Any], paint: Paint = plain) -> str:
    """The text of ``told.details``: findings, what was not compared and why, what no rule matched, coverage."""
    return "\n".join(_lines(details, paint))


def _lines(details: Mapping[str, Any], paint: Paint) -> Iterator[str]:
    findings, remarks = list(_findings(details, paint)), list(_remarks(details))
    yield headline(details)
    yield from details.get("reasons", ())
    if findings:
        yield from ("", *findings)
    if remarks:
        yield from ("", *remarks) if findings else remarks


def _findings(details: Mapping[str, Any], paint: Paint) -> Iterator[str]:
    groups = details["groups"]
    for endpoint in dict.fromkeys(group["endpoint"] for group in groups[:MAX_SHOWN_GROUPS]):
        yield paint(endpoint, "title")
        for group in groups[:MAX_SHOWN_GROUPS]:
            if group["endpoint"] == endpoint:
                yield from _group(group, paint)
    yield from _lacking(details.get("coverage"), paint)
    if left := max(0, len(groups) - MAX_SHOWN_GROUPS) + details["groups_left_out"]:
        yield f"and {left} more findings; --json has {len(groups)} of them all"


def _remarks(details: Mapping[str, Any]) -> Iterator[str]:
    """What was not compared and why, rules that did nothing, what moves, coverage."""
    yield from _named("unknown", details["unknown"])
    yield from _named("not sent, for it writes and does not say unsafe: true", details["skipped"])
    if left_out := details.get("left_out"):
        yield "not asked, or not as recorded:"
        for reason in left_out:
            yield from (f"  {line}" for line in _named(reason["reason"], reason))
    rules = details["rules"]
    if rules["never_matched"]:
        yield "rules that never matched: " + ", ".join(rules["never_matched"])
    yield from _named("rules leave nothing of the body of", rules["left_nothing_of"])
    for moved in details["noise"]:
        place = f"{moved['endpoint']} {moved['path']}"
        yield f"moves on old alone, so not counted: {place} ({_requests(moved['requests'])})"
    yield from _coverage(details.get("coverage"))
    yield from details.get("notes", ())


def headline(details: Mapping[str, Any]) -> str:
    """How many were compared, and how many of them differ."""
    differing = details["differing"]
    if not details["compared"]:
        return "0 requests compared"
    differ = "none differs" if not differing else f"{differing} differ{'s' if differing == 1 else ''}"
    return f"{_requests(details['compared'])} compared, {differ}"


def _requests(count: int) -> str:
    return f"{count} request{'s' if count != 1 else ''}"


def _group(group: Mapping[str, Any], paint: Paint) -> Iterator[str]:
    message = f"  {group['message']}" if group["message"] else ""
    count = f"×{group['count']}"  # noqa: RUF001 - the sign that people are shown
    yield f"  {paint(group['level'], group['level'])}  {_what(group)} {count}{message}"
    if group["samples"]:
        yield from _sample(group["samples"][0], group)
    if group["cure"]:
        yield f"{_INDENT}{paint('cure', 'cure')} {group['cure']}"


def _what(group: Mapping[str, Any]) -> str:
    """Place and kind. All statuses of a group became the same."""
    kind: str = group["kind"]
    if kind == _STATUS and group["samples"]:
        return "status {old} -> {new}".format(**group["samples"][0])
    return kind if kind == _CONNECTION else f"{group['path']}  {kind}"


def _sample(sample: Mapping[str, Any], group: Mapping[str, Any]) -> Iterator[str]:
    where = f"  {sample['where']}" if sample["where"] != group["path"] else ""
    if sample["request"]:
        yield f"{_INDENT}{sample['request']}{where}"
    if group["kind"] == _STATUS:
        return
    if max(len(sample["old"]), len(sample["new"])) <= _SIDE_WIDTH:
        yield f"{_INDENT}old  {sample['old']:<{_width(sample['old'])}}  new  {sample['new']}"
        return
    yield f"{_INDENT}old  {sample['old']}"
    yield f"{_INDENT}new  {sample['new']}"


def _width(text: str) -> int:
    """Short values line up under one another."""
    return max(2, -(-len(text) // _COLUMN)) * _COLUMN


def _named(what: str, named: Mapping[str, Any]) -> Iterator[str]:
    if not named["count"]:
        return
    yield f"{what} ({named['count']}):"
    yield from (f"  {name}" for name in named["first"][:MAX_SHOWN_GROUPS])
    if named["count"] > len(named["first"][:MAX_SHOWN_GROUPS]):
        yield f"  and {named['count'] - len(named['first'][:MAX_SHOWN_GROUPS])} more"


def _lacking(coverage: Mapping[str, Any] | None, paint: Paint) -> Iterator[str]:
    for operation in coverage["new_lacks"] if coverage else ():
        yield paint(operation, "title")
        yield f"  {paint('fail', 'fail')}  new's document lacks it"
        yield f"{_INDENT}{paint('cure', 'cure')} lacking: ['{operation}']"


def _coverage(coverage: Mapping[str, Any] | None) -> Iterator[str]:
    if coverage is None:
        return
    yield f"{len(coverage['compared'])} of {coverage['operations']} operations of old's document compared"
    yield from (f"  not {one['operation']} ({one['reason']})" for one in coverage["not_compared"])
    for what, key in _OPERATIONS:
        if coverage[key]:
            yield f"{what}: {', '.join(coverage[key])}"
