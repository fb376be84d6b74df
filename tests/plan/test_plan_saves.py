"""Names that steps save: where they may stand, and every mistake about them at its place."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cutover.plan import LoadedPlan
from cutover.redact import redact

Load = Callable[..., LoadedPlan]
Mistakes = Callable[..., list[str]]
WithPhases = Callable[[str], str]

LOGIN = "http: {backend: old, path: /login, save: {token: $.token}}"


def test_a_saved_name_stays_for_the_steps_after_it_their_gates_and_a_rollback(
    load: Load, with_phases: WithPhases
) -> None:
    loaded = load(
        with_phases(f"""
        rollback:
          - http: {{backend: old, path: "/${{token}}"}}
        preflight:
          - {LOGIN}
          - http: {{backend: old, path: "/${{token}}", headers: {{X-Token: "a ${{token}}"}}, json: ["${{token}}"]}}
        shift:
          - shift: {{to: 5, gates: [{{http: {{backend: new, path: "/${{token}}"}}}}]}}
          - command: {{run: [echo, "${{token}}"]}}
        """),
        {"token": "from-the-environment"},
    )
    assert loaded.run_variables == ("token",)
    phases = loaded.plan.phases
    assert phases["rollback"][0].settings.path == "/${token}"  # type: ignore[attr-defined]
    asking = phases["preflight"][1].settings
    assert (asking.path, asking.json_subset) == ("/${token}", ["${token}"])  # type: ignore[attr-defined]
    assert phases["shift"][0].settings.gates[0].settings.path == "/${token}"  # type: ignore[attr-defined]
    assert phases["shift"][1].settings.run == ["echo", "${token}"]  # type: ignore[attr-defined]
    assert "from-the-environment" not in str(loaded.resolved)


def test_a_saved_name_may_stand_in_the_headers_of_backends_which_come_before(
    load: Load, with_phases: WithPhases
) -> None:
    text = with_phases(f"preflight: [{{{LOGIN}}}]").replace(
        '127.0.0.1:8000"}', '127.0.0.1:8000", headers: {Authorization: "Bearer ${token}", X-Key: "key-k3y-${token}"}}'
    )
    loaded = load(text)
    assert loaded.plan.backends.old.headers["Authorization"] == "Bearer ${token}"
    assert redact("Bearer ${token} of ${token}") == "Bearer ${token} of ${token}"
    assert redact("key-k3y-") == "***"


STRAY = "the text ${token} can't stand here, as phases.preflight[0] saves 'token'"
MISTAKES = {
    f"""
    preflight:
      - http: {{backend: old, path: "/${{token}}"}}
      - {LOGIN}
    """: ["12:34: phases.preflight[0].http.path: 'token' is saved only later, by phases.preflight[1]"],
    """
    preflight:
      - http: {backend: old, path: "/${token}", save: {token: $.token}}
    """: ["12:34: phases.preflight[0].http.path: 'token' is saved only later, by phases.preflight[0]"],
    f"""
    rollback:
      - {LOGIN}
    preflight:
      - http: {{backend: old, path: "/${{token}}"}}
    """: ["14:34: phases.preflight[0].http.path: 'token' is saved only later, by phases.rollback[0]"],
    f"""
    preflight:
      - {LOGIN}
      - http: {{backend: old, path: "/${{token:-none}}/$${{token}}"}}
      - name: with ${{token}}
        http: {{backend: old, path: "/${{tokn}}", status: "${{token}}"}}
    shift:
      - shift: {{to: 5, gates: [{{name: "${{token}}", http: {{backend: old, path: /}}}}]}}
    """: [
        "13:34: phases.preflight[1].http.path: 'token' is saved by phases.preflight[0]: it has a value",
        f"13:34: phases.preflight[1].http.path: {STRAY}",
        "14:13: phases.preflight[2].name: 'token' is what phases.preflight[0] saves, and can't stand here",
        "15:34: phases.preflight[2].http.path: the variable 'tokn' is not set",
        "15:54: phases.preflight[2].http.status: expected a whole number or a list, got the text '${token}'",
        "17:37: phases.shift[0].shift.gates[0].name: 'token' is what phases.preflight[0] saves, and can't stand here",
    ],
    f"""
    preflight:
      - {LOGIN}
      - {LOGIN.replace("/login", "/other")}
      - {LOGIN}
    shift:
      - shift: {{to: 5, gates: [{{http: {{backend: old, path: /, save: {{other: $.a}}}}}}]}}
    """: [
        "13:49: phases.preflight[1].http.save.token: 'token' is saved by phases.preflight[0] already",
        "16:68: phases.shift[0].shift.gates[0].http.save.other: a gate saves nothing",
    ],
}


def brief(told: list[str]) -> list[str]:
    """Without the hints."""
    return [line.split(" (")[0] for line in told]


@pytest.mark.parametrize("phases", MISTAKES)
def test_a_mistake_about_a_saved_name_is_told_at_its_place(
    mistakes: Mistakes, with_phases: WithPhases, phases: str
) -> None:
    assert brief(mistakes(with_phases(phases), {"token": "from-the-environment"})) == MISTAKES[phases]


def test_a_name_of_vars_cannot_be_saved_and_a_saved_one_stands_in_no_url(
    mistakes: Mistakes, with_phases: WithPhases
) -> None:
    text = with_phases(f"preflight: [{{{LOGIN}}}]").replace("8000", "${token}") + "vars:\n  a: '${token}'\n  token: x\n"
    told = mistakes(text)
    assert brief(told) == [
        "4:14: backends.old.url: 'token' is what phases.preflight[0] saves, and can't stand here",
        "11:58: phases.preflight[0].http.save.token: 'token' is one of vars",
        "13:6: vars.a: 'token' is what phases.preflight[0] saves, and can't stand here",
    ]
    assert "it can stand in steps after that one, but in no name and no message, and in headers of backends" in told[0]


def test_a_value_that_looks_like_a_reference_is_not_filled_in_later(
    mistakes: Mistakes, load: Load, with_phases: WithPhases
) -> None:
    text = with_phases(f"""
        preflight:
          - {LOGIN}
          - http: {{backend: old, path: "/${{ODD}}", body: "${{D}}{{token}}"}}
    """)
    assert brief(mistakes(text, {"ODD": "a${token}", "D": "$"})) == [
        f"13:34: phases.preflight[1].http.path: {STRAY}",
        f"13:51: phases.preflight[1].http.body: {STRAY}",
    ]
    load(text, {"ODD": "${other}", "D": "x"})


def test_what_a_request_of_a_list_saves_is_for_those_after_it_in_that_list(
    mistakes: Mistakes, with_phases: WithPhases
) -> None:
    def told(first: str, last: str, after: str = "/") -> list[str]:
        """All but the mistakes of the models of these tests, which know no save there."""
        text = with_phases(f"""
        validate:
          - {LOGIN}
          - diff:
              requests:
                - {{path: {first}, save: {{id: $.id}}}}
                - "GET /a/${{id}}/${{token}}"
                - {last}
          - http: {{backend: old, path: "{after}"}}
        """)
        return [line for line in brief(mistakes(text)) if "unknown key" not in line]

    first = "phases.validate[1].diff.requests[0]"
    assert told("/a", "GET /x/${id}") == []
    assert told('"/${id}"', "GET /x") == [f"15:20: {first}.path: 'id' is saved only later, by {first}"]
    assert told("/a", "GET /x", "/${id}") == ["18:34: phases.validate[2].http.path: the variable 'id' is not set"]
    assert told("/a", "{path: /a, save: {id: $.b, token: $.c}}") == [
        f"17:31: phases.validate[1].diff.requests[2].save.id: 'id' is saved by {first} already",
        "17:40: phases.validate[1].diff.requests[2].save.token: 'token' is saved by phases.validate[0] already",
    ]


def test_a_body_that_speaks_of_save_saves_nothing(load: Load, with_phases: WithPhases) -> None:
    loaded = load(
        with_phases("preflight: [http: {backend: old, path: /, json: {save: {draft: true}, l: [{save: {a: b}}]}}]")
    )
    assert loaded.run_variables == ()


def test_who_runs_a_plan_does_not_change_what_it_is(load: Load, with_phases: WithPhases) -> None:
    text = with_phases(f"preflight: [{{{LOGIN}}}, {{http: {{backend: old, path: '/${{token}}'}}}}]")
    assert load(text).hash == load(text, {"token": "another"}).hash
