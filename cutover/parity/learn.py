"""What moves by itself on old: asked twice, it should say the same twice. What it does not becomes a proposed rule."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from cutover.parity.findings import FURTHER_PATHS, Key, Kind, Level
from cutover.parity.jsonpath import quoted
from cutover.parity.options import ComparedRequest
from cutover.parity.plaintext import PREFIX
from cutover.parity.report import Group, Report
from cutover.parity.run import Comparison
from cutover.parity.shown import shown

# So that times of whole seconds move between the two answers.
PAUSE_S = 1.1
MAX_PENDING = 64

_NO_RULE = {
    Kind.STATUS: "its status changes: old itself is unsteady",
    Kind.CONNECTION: "it does not always answer: old itself is unsteady",
    Kind.BODY: "the body as a whole changes",
}
_TOO_MANY = "more places move than are told apart: name what they have in common, as in $.by_id.*"
_ITEMS = "items come and go: compare while nothing writes, or ask for a page that rests"


@dataclass(frozen=True, slots=True)
class Rule:
    """One proposed line under ``diff``: ``option`` and the ``name`` it lists, and what was seen."""

    option: str
    name: str
    endpoints: list[str]
    seen: str

    def to_json(self) -> dict[str, Any]:
        return {"option": self.option, "name": self.name, "endpoints": self.endpoints, "seen": self.seen}


@dataclass(slots=True)
class Learned:
    """``unruly`` is what moves and no rule should hide, each with its reason."""

    report: Report
    rules: list[Rule] = field(default_factory=list)
    unruly: list[tuple[str, str, str]] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        return {
            "requests": self.report.compared,
            "unknown": {"count": self.report.unknown.count, "first": self.report.unknown.names},
            "rules": [rule.to_json() for rule in self.rules],
            "no_rule_for": [{"endpoint": e, "path": p, "reason": r} for e, p, r in self.unruly],
            "yaml": rules_yaml(self.rules),
        }


async def learn(comparison: Comparison, requests: Iterable[ComparedRequest]) -> Learned:
    """Ask both sides of ``comparison``, which are old and old or another instance of it, under the rules there are."""
    report = await comparison.watch(requests, PAUSE_S, MAX_PENDING)
    return await asyncio.to_thread(_learned, report)


def _learned(report: Report) -> Learned:
    learned = Learned(report)
    rules: dict[tuple[str, str], Rule] = {}
    for group in report.groups(Level.FAIL, Level.WARN):
        proposed = _proposed(group)
        if isinstance(proposed, str):
            learned.unruly.append((group.endpoint, group.key.path, proposed))
            continue
        known = rules.setdefault((proposed.option, proposed.name), proposed)
        if known is not proposed:
            endpoints = list(dict.fromkeys([*known.endpoints, *proposed.endpoints]))
            rules[proposed.option, proposed.name] = replace(known, endpoints=endpoints)
    learned.rules = sorted(rules.values(), key=lambda rule: (rule.option, rule.name))
    return learned


def _proposed(group: Group) -> Rule | str:
    """A rule, or why there is none."""
    key = group.key
    if key.kind in _NO_RULE:
        return _NO_RULE[key.kind]
    if key.kind in {Kind.MISSING, Kind.ADDED, Kind.LENGTH} and (key.path.endswith(("[]", ".*")) or key.path == "$"):
        return _ITEMS
    if key.path == "$" and key.kind is not Kind.ORDER:
        return _NO_RULE[Kind.BODY]
    if key.path == FURTHER_PATHS:
        return _TOO_MANY
    return Rule(_option(key), _name(key), [group.endpoint], _seen(group))


def _name(key: Key) -> str:
    """A cookie is told by its name, and left out with its header."""
    return key.path.partition(":")[0] if key.kind is Kind.HEADER else key.path.removeprefix(PREFIX)


def _option(key: Key) -> str:
    if key.path.startswith(PREFIX):
        return "ignore_text"
    return {Kind.HEADER: "ignore_headers", Kind.ORDER: "unordered"}.get(key.kind, "ignore")


def _seen(group: Group) -> str:
    sample = group.tally.samples[0]
    return f"{shown(sample.old, group.key.path)} then {shown(sample.new, group.key.path)}"


def rules_yaml(rules: list[Rule]) -> str:
    """Lines for the ``diff`` step of the plan, each with what was seen; empty where there are no rules."""
    lines: list[str] = []
    for option in dict.fromkeys(rule.option for rule in rules):
        lines.append(f"{option}:")
        lines += [
            f"  - {quoted(rule.name)}  # {rule.endpoints[0]}{_more(rule)}: {_one_line(rule.seen)}"
            for rule in rules
            if rule.option == option
        ]
    return "\n".join(lines)


def _more(rule: Rule) -> str:
    return f" and {len(rule.endpoints) - 1} more" if len(rule.endpoints) > 1 else ""


def _one_line(text: str) -> str:
    return " ".join(text.split())
