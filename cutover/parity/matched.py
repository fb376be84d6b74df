"""Which rules match something in answers, whether or not that changes what is found."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from cutover.parity.answers import Answer
from cutover.parity.document import Budget
from cutover.parity.jsonpath import JsonPath, State
from cutover.parity.rules import Rules
from cutover.parity.terms import Terms
from cutover.plan.prefixes import leads

_NOTED_ELSEWHERE = frozenset({"ignore", "unwrap"})


def may_note(answer: Answer, rules: Rules, but: frozenset[str] = frozenset()) -> bool:
    """Whether a rule that has matched nothing so far may match in this body: its member's name is in there.

    Bodies that are equal hide nothing, but may show that a rule is no dead one.
    """
    unused = rules.unused()
    paths = [path for rule, path in rules.paths.items() if rule in unused and rule[0] not in but]
    return any(_may_hold(answer, path) for path in paths)


def _may_hold(answer: Answer, path: JsonPath) -> bool:
    name = path.last_name
    return name is None or not name.isascii() or json.dumps(name)[1:-1].encode() in answer.body


def note_matches(document: Any, answer: Answer, terms: Terms) -> None:
    """Rules other than ``ignore`` that match a place of a document, that of an answer, become used ones."""
    rules = terms.rules
    if may_note(answer, rules, but=_NOTED_ELSEWHERE):
        left = {rule for rule in rules.unused() & rules.paths.keys() if rule[0] not in _NOTED_ELSEWHERE}
        _note(document, rules.places, left, terms.budget, 0)
        rules.used |= {rule for rule in rules.paths if rule[0] not in _NOTED_ELSEWHERE} - left


def _note(value: Any, state: State[tuple[str, str]], left: set[tuple[str, str]], budget: Budget, depth: int) -> None:
    """Each rule that matches is taken from those that are ``left``, and nothing is walked for none."""
    left.difference_update(state.found)
    if not left or state.dead or type(value) not in {dict, list}:
        return
    budget.spend(depth, len(value))
    if type(value) is dict:
        for name, member in value.items():
            _note(member, state.name(name), left, budget, depth + 1)
    else:
        for index, item in enumerate(value):
            _note(item, state.item(index), left, budget, depth + 1)


def note_head(status: int, paths: Iterable[str], rules: Rules) -> None:
    """``status`` and the ``paths`` asked for and redirected to are old's."""
    if status in rules.options.status_map:
        rules.used.add(("status_map", f"{status}: {rules.options.status_map[status]}"))
    if rules.options.rewrite_path:
        asked = list(paths)
        for prefix in rules.options.rewrite_path:
            if any(leads(prefix, path) for path in asked):
                rules.used.add(("rewrite_path", prefix))
