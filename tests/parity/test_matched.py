"""Rules that never matched are told; those that matched a place are not, whether or not they changed the verdict."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from cutover.checks.base import Result
from tests.support.rawserver import json_answer

Compare = Callable[..., Awaitable[Result]]
BODY = {"count": 2, "t": "2024-05-01T12:00:00Z", "n": 1, "gone": None, "rows": [{"id": 1}, {"id": 2}]}
PATHS: list[tuple[dict[str, Any], str]] = [
    ({"ignore": ["$.{}"]}, "ignore: $.{}"),
    ({"unordered": ["$.{}"]}, "unordered: $.{}"),
    ({"null_equals_missing": ["$.{}"]}, "null_equals_missing: $.{}"),
    ({"numeric_string": ["$.{}"]}, "numeric_string: $.{}"),
    ({"tolerance": {"$.{}": 0.1}}, "tolerance: $.{}"),
    ({"datetime": {"$.{}": "ms"}}, "datetime: $.{}"),
    ({"key": {"$.{}": "id"}}, "key: $.{}"),
    ({"unwrap": {"old": "$.{}", "new": "$.{}"}}, "unwrap: old: $.{}"),
]


def named(settings: Any, name: str) -> Any:
    if isinstance(settings, dict):
        return {named(key, name): named(value, name) for key, value in settings.items()}
    if isinstance(settings, list):
        return [named(one, name) for one in settings]
    return settings.replace("{}", name) if isinstance(settings, str) else settings


@pytest.mark.parametrize(("settings", "told"), PATHS, ids=[told for _, told in PATHS])
@pytest.mark.parametrize(
    "new", [BODY, {**BODY, "count": 3}, dict(reversed(BODY.items()))], ids=["equal", "differs", "alike"]
)
async def test_a_path_that_stands_nowhere_is_told_and_one_that_stands_somewhere_is_not(
    settings: dict[str, Any], told: str, new: dict[str, Any], compare: Compare
) -> None:
    dead = await compare(json_answer(BODY), json_answer(new), **named(settings, "missing"))
    assert told.replace("{}", "missing") in dead.details["rules"]["never_matched"]
    assert "rules that never matched" in dead.summary
    used = await compare(json_answer(BODY), json_answer(new), **named(settings, "rows"))
    assert used.details["rules"]["never_matched"] == []


async def test_a_status_that_never_came_and_a_prefix_that_was_never_asked_for_are_told(compare: Compare) -> None:
    settings = {
        "status_map": {200: 201, 404: 400},
        "rewrite_path": {"/a": "/a", "/apiary": "/b"},
        "requests": ["GET /a/1"],
    }
    result = await compare(json_answer(BODY), json_answer(BODY), **settings)
    assert result.details["rules"]["never_matched"] == ["rewrite_path: /apiary", "status_map: 404: 400"]
