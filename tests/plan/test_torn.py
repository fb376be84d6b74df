"""Requests that YAML tears apart are told with what they were, and with quotes as the cure."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cutover.plan import LoadedPlan

Load = Callable[..., LoadedPlan]
Mistakes = Callable[..., list[str]]
WithPhases = Callable[[str], str]


@pytest.mark.parametrize(
    ("requests", "whole"),
    [
        ("[GET /a?ids=1,2, GET /b]", "GET /a?ids=1,2"),
        ("[GET /b, GET /a/1,2,x]", "GET /a/1,2,x"),
        ("[GET /a?b=c]", "GET /a?b=c"),
        ("[GET /a: 1, GET /b]", "GET /a: 1"),
    ],
)
def test_a_torn_request_is_one_mistake_with_its_cure(
    requests: str, whole: str, mistakes: Mistakes, with_phases: WithPhases
) -> None:
    (told,) = mistakes(with_phases(f"validate:\n- diff: {{requests: {requests}}}"))
    column = 22 + requests.index(whole)
    assert told.startswith(f"12:{column}: phases.validate[0].diff.requests[")
    assert f"YAML tears {whole!r} apart" in told
    assert told.endswith(f'(quote it: "{whole}")')


def test_a_request_torn_in_a_block_list_is_told(mistakes: Mistakes, with_phases: WithPhases) -> None:
    (told,) = mistakes(with_phases("validate:\n- diff:\n    requests:\n    - GET /a?at=12: 30"))
    assert told.startswith(
        "14:9: phases.validate[0].diff.requests[0]: YAML tears 'GET /a?at=12: 30' apart at its unquoted ': '"
    )


def test_a_path_torn_in_a_mapping_is_told(mistakes: Mistakes, with_phases: WithPhases) -> None:
    (told,) = mistakes(with_phases("validate:\n- http: {backend: old, path: /a?ids=1,2,x, status: 200}"))
    assert told.startswith("12:32: phases.validate[0].http.path: YAML tears '/a?ids=1,2,x' apart at its unquoted ','")


@pytest.mark.parametrize("requests", ["[GET /a/{id}, GET /b]", "[GET /a?x={y}]", "[GET /b, GET /a[0]]"])
def test_a_request_that_breaks_the_syntax_is_told(requests: str, mistakes: Mistakes, with_phases: WithPhases) -> None:
    (told,) = mistakes(with_phases(f"validate:\n- diff: {{requests: {requests}}}"))
    assert "YAML tears the request 'GET /" in told
    assert "quote it" in told


@pytest.mark.parametrize(
    "requests",
    [
        '["GET /a?ids=1,2", "GET /b/{c}", "GET /d:e"]',
        "[GET /a, GET /b/c.d]",
        "[GET /a, {path: /b, method: POST, unsafe: true}]",
        "\n    - GET /a?ids=1,2\n    - GET /b?c={d}\n    - 'GET /e:f'",
    ],
)
def test_whole_requests_are_left_alone(requests: str, load: Load, with_phases: WithPhases) -> None:
    loaded = load(with_phases(f"validate:\n- diff:\n    requests: {requests}"))
    assert loaded.plan.phases["validate"][0].settings.requests[0].path.startswith("/a")  # type: ignore[attr-defined]


def test_a_command_may_speak_of_requests(load: Load, with_phases: WithPhases) -> None:
    assert load(with_phases("soak: [{command: {run: [echo, GET /a, b]}}]"))


def test_what_is_no_request_is_told_by_its_grammar(mistakes: Mistakes, with_phases: WithPhases) -> None:
    told = mistakes(with_phases("validate:\n- diff: {requests: [5, get /x, FETCH /x, {}, GET x]}"))
    assert [line.partition(": phases")[0] for line in told] == ["12:23", "12:26", "12:34", "12:44", "12:48"]
