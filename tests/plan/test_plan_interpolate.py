"""Variables: the environment over ``vars``, defaults as in shells, every mistake at its place."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutover.plan import LoadedPlan
from cutover.plan.interpolate import TooLargeError, Variables

Load = Callable[..., LoadedPlan]
Mistakes = Callable[..., list[str]]
WithPhases = Callable[[str], str]
ENVIRON = {"A": "one", "EMPTY": "", "B_2": "two"}


def expand(text: str) -> str:
    expansion = Variables(ENVIRON).expand(text)
    assert expansion.complaints == []
    return expansion.text


def complaints(text: str) -> list[str]:
    return [c.message for c in Variables(ENVIRON).expand(text).complaints]


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("${A}", "one"), ("x${A}y${B_2}z", "xoneytwoz"), ("${EMPTY}", ""),
        ("${A:-d}", "one"), ("${EMPTY:-d}", "d"), ("${NONE:-d}", "d"), ("${NONE:-}", ""),
        ("${NONE:-a b:-c}", "a b:-c"),
        ("${A:?needed}", "one"), ("${NONE:-${A}}", "one"), ("${NONE:-x${NO:-${A}}y}", "xoney"),
        ("${A:-${NONE}}", "one"),
        ("$${A}", "${A}"), ("$${", "${"), ("$$${A}", "$${A}"), ("${A}$${A}", "one${A}"),
        ("$A", "$A"), ("$", "$"), ("$$", "$$"), ("$http_x_user", "$http_x_user"), ("a$", "a$"), ("$(A)", "$(A)"),
        ("}", "}"),
        ("{${A}}", "{one}"), ("$ {A}", "$ {A}"), ("€${A}€", "€one€"),
    ],
)  # fmt: skip
def test_variables_expand_as_in_shells(text: str, expanded: str) -> None:
    assert expand(text) == expanded


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("${NONE}", "the variable 'NONE' is not set"),
        ("${NONE:?ask the team}", "the variable 'NONE' is not set: ask the team"),
        ("${EMPTY:?ask the team}", "the variable 'EMPTY' is empty: ask the team"),
        ("${NONE:?}", "the variable 'NONE' is not set: it is needed"),
        ("${NONE:-${NO}}", "the variable 'NO' is not set"),
        ("${", "is not a variable"),
        ("${}", "is not a variable"),
        ("${1A}", "is not a variable"),
        ("${A", "is not a variable"),
        ("${A-d}", "is not a variable"),
        ("${A:+d}", "is not a variable"),
        ("${A.b}", "is not a variable"),
        ("${ A }", "is not a variable"),
        ("${Ä}", "is not a variable"),
        ("${NONE:-d", "is not closed"),
        ("${NONE:-" * 20 + "}" * 20, "is nested too deep"),
    ],
)
def test_what_cannot_be_expanded_is_told(text: str, said: str) -> None:
    assert any(said in message for message in complaints(text))


@given(st.text().filter(lambda text: "${" not in text))
def test_a_text_without_variables_is_unchanged(text: str) -> None:
    assert expand(text) == text


@given(st.text(alphabet="${}:-?A_ \n", max_size=60))
def test_any_text_is_expanded_or_complained_about(text: str) -> None:
    expansion = Variables(ENVIRON).expand(text)
    assert isinstance(expansion.text, str)
    for complaint in expansion.complaints:
        assert complaint.message


@given(st.text())
def test_an_escaped_text_is_its_own(text: str) -> None:
    assert expand(text.replace("${", "$${")) == text or "$${" in text or text.replace("${", "$${").count("$$${")


@given(st.text(), st.text().filter(lambda s: not any("\ud800" <= c <= "\udfff" for c in s)))
def test_a_value_is_never_expanded_again(before: str, value: str) -> None:
    before = before.replace("$", "").replace("{", "")
    assert Variables({"V": value}).expand(before + "${V}").text == before + value


def test_the_environment_wins_over_vars(load: Load, head: str) -> None:
    text = head + "vars: {who: plan}\ndescription: for ${who}\nphases: {}\n"
    assert load(text).plan.description == "for plan"
    assert load(text, {"who": "environment"}).plan.description == "for environment"
    assert load(text, {"who": "environment"}).plan.vars == {"who": "environment"}
    assert load(text, {"who": ""}).plan.description == "for "


def test_vars_may_use_the_environment_and_the_vars_above(load: Load, head: str) -> None:
    text = head + 'vars: {a: "${HOME}/x", b: "${a}/y"}\ndescription: ${b}\nphases: {}\n'
    assert load(text, {"HOME": "/home"}).plan.description == "/home/x/y"


def test_vars_may_stand_anywhere_in_the_plan(load: Load, head: str) -> None:
    assert load("description: ${a}\n" + head + "phases: {}\nvars: {a: b}\n").plan.description == "b"


def test_vars_do_not_see_themselves_nor_those_below(mistakes: Mistakes, head: str) -> None:
    told = mistakes(head + 'vars:\n  a: "${a}"\n  b: "${c}"\n  c: d\nphases: {}\n')
    assert [line.partition(" (")[0] for line in told] == [
        "11:6: vars.a: the variable 'a' is not set",
        "12:6: vars.b: the variable 'c' is not set",
    ]


def test_every_unset_variable_is_told_at_its_place_with_the_models_mistakes(
    mistakes: Mistakes, with_phases: WithPhases
) -> None:
    told = mistakes(
        with_phases("""
        preflight:
          - http: {backend: old, path: "/${TENANT_ID}", statuss: 5}
          - http: {backend: neww, path: "/${TENANT_NAME:?which tenant}"}
        """),
        {"TENANTID": "x"},
    )
    assert told == [
        "12:34: phases.preflight[0].http.path: the variable 'TENANT_ID' is not set (did you mean ${TENANTID}?)",
        "12:51: phases.preflight[0].http.statuss: unknown key 'statuss' (did you mean 'status'?)",
        (
            "13:23: phases.preflight[1].http.backend: expected 'old', 'new', 'fallback' or 'proxy', got the text "
            "'neww' (did you mean 'new'?)"
        ),
        "13:35: phases.preflight[1].http.path: the variable 'TENANT_NAME' is not set: which tenant",
    ]


def test_an_unset_variable_is_not_told_twice(mistakes: Mistakes, head: str) -> None:
    told = mistakes(head.replace("http://127.0.0.1:8080", "${PROXY_URL}") + "phases: {}\n")
    assert told == ["7:8: proxy.url: the variable 'PROXY_URL' is not set (set it, or write ${PROXY_URL:-default})"]


def test_grammars_are_checked_after_expansion(mistakes: Mistakes, load: Load, head: str) -> None:
    text = head.replace("http://127.0.0.1:8080", "${PROXY_URL}") + "phases: {}\n"
    assert load(text, {"PROXY_URL": "http://edge:80"}).plan.proxy.url == "http://edge:80"
    assert "'edge' is not a URL" in mistakes(text, {"PROXY_URL": "edge"})[0]


def test_keys_version_name_and_secrets_are_read_as_they_stand(mistakes: Mistakes, load: Load, head: str) -> None:
    environ = {"X": "demo"}
    assert "'${X}' is not a plan name" in mistakes(head.replace("medical-api", "${X}") + "phases: {}\n", environ)[0]
    assert "not the name of a variable" in mistakes(head + 'secrets: ["${X}"]\nphases: {}\n', environ)[0]
    assert "'${X}' is not the name of a variable" in mistakes(head + 'vars: {"${X}": y}\nphases: {}\n', environ)[0]
    assert "unknown key '${X}'" in mistakes(head + '"${X}": y\nphases: {}\n', environ)[0]


def test_a_variable_may_give_a_number_where_one_belongs(
    load: Load, mistakes: Mistakes, with_phases: WithPhases
) -> None:
    text = with_phases("""
        validate:
          - load: {backend: new, concurrency: "${N:-100}", rate: "${RATE:-1.5}", for: "${FOR:-30s}"}
          - http: {backend: new, path: "/${N:-100}", status: "${STATUS:-200}", unsafe: "${UNSAFE:-true}"}
    """)
    load_test, http = (step.settings for step in load(text).plan.phases["validate"])
    assert (load_test.concurrency, load_test.rate, load_test.for_) == (100, 1.5, 30.0)  # type: ignore[attr-defined]
    assert (http.path, http.status, http.unsafe) == ("/100", 200, True)  # type: ignore[attr-defined]
    assert load(text).resolved["phases"]["validate"][0]["load"]["concurrency"] == 100
    assert mistakes(text, {"N": "many"}) == [
        "12:41: phases.validate[0].load.concurrency: expected a whole number, got the text 'many'"
    ]
    assert "should be greater than or equal to 1, got the number 0" in mistakes(text, {"N": "0"})[0]


def test_a_quoted_number_stays_a_text(mistakes: Mistakes, with_phases: WithPhases) -> None:
    text = with_phases('validate: [{load: {backend: new, concurrency: "100", for: 30s}}]')
    assert "expected a whole number, got the text '100'" in mistakes(text)[0]


def test_a_value_that_is_no_utf8_is_a_mistake(mistakes: Mistakes, head: str) -> None:
    told = mistakes(head + 'description: "${ODD}"\nphases: {}\n', {"ODD": "caf\udce9"})
    assert told == ["10:14: description: the variable 'ODD' is not UTF-8 text"]


def test_variables_cannot_fill_the_memory(mistakes: Mistakes, head: str) -> None:
    lines = ["  v0: " + "x" * 1000] + [f"  v{n}: " + f"${{v{n - 1}}}" * 20 for n in range(1, 30)]
    began = time.process_time()
    told = mistakes(head + "vars:\n" + "\n".join(lines) + "\nphases: {}\n")
    assert time.process_time() - began < 1
    assert any("expand to more than 8 MB" in line for line in told)
    with pytest.raises(TooLargeError):
        Variables({"A": "x" * 100_000}).expand("${A}" * 1000)
