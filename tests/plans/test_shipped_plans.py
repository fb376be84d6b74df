"""Every shipped plan: valid once its variables are set, clear about those that are not, and quiet about the rest."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from cutover.plan.starters import starter, starters
from tests.plans.conftest import Journey

REQUIRED = {
    "medical-api": {"API_TOKEN"},
    "django-sidecar": {"JWT", "TENANT", "INTEGRATION"},
    "django-activation": {"NODE_URL", "DJANGO_URL", "USER_TOKEN", "MIGRATED_USER", "MIGRATED_PASSWORD"},
    "traefik-edge": {"DOMAIN"},
    "performance-budgets": {"API_TOKEN"},
}
HIDDEN = {"API_TOKEN", "JWT", "USER_TOKEN", "MIGRATED_PASSWORD"}
URLS = {"NODE_URL": "http://127.0.0.1:8000", "DJANGO_URL": "http://127.0.0.1:8001"}
MAX_TITLE = 120
MAX_LINE = 125


def test_there_is_a_plan_for_each_document_and_a_starter() -> None:
    assert set(starters()) == {"starter", *REQUIRED}


def test_a_plan_is_valid_once_the_variables_it_requires_are_set(
    shipped: str, journey: Callable[[str], Journey]
) -> None:
    plan = journey(shipped)
    plan.variables.clear()
    plan.variables.update({name: URLS.get(name, f"set-{name.lower()}") for name in REQUIRED[shipped]})
    assert "no mistakes" in plan.cutover("check").stdout


def test_a_plan_says_of_each_variable_it_requires_what_belongs_there(
    shipped: str, journey: Callable[[str], Journey]
) -> None:
    plan = journey(shipped)
    plan.variables.clear()
    mistakes = plan.cutover("check", expect=2).stderr.strip()
    named = re.findall(r"^\S+:\d+:\d+: \S+: the variable '(\w+)' is not set: (.+)", mistakes, re.MULTILINE)
    assert {name for name, _ in named} == REQUIRED[shipped]
    assert len(mistakes.splitlines()) == len(REQUIRED[shipped])
    assert all(len(message) > 5 for _, message in named)


@pytest.mark.parametrize("shipped", [name for name, required in REQUIRED.items() if required & HIDDEN])
def test_a_plan_hides_the_tokens_it_is_given(shipped: str, journey: Callable[[str], Journey]) -> None:
    plan = journey(shipped)
    secret = "marked-secret-4711"
    plan.variables.update({name: URLS.get(name, secret if name in HIDDEN else "plain") for name in REQUIRED[shipped]})
    shown = plan.cutover("plan")
    assert secret not in shown.stdout + shown.stderr


def test_a_plan_names_and_titles_itself(shipped: str) -> None:
    text = starter(shipped)
    assert re.search(rf"^name: {shipped}$", text, re.MULTILINE)
    title = starters()[shipped]
    assert 20 < len(title) < MAX_TITLE


def test_a_plan_fits_a_screen_and_uses_each_of_its_variables(shipped: str) -> None:
    lines = starter(shipped).splitlines()
    names = [match[1] for line in lines if (match := re.match(r"  ([A-Z][A-Z0-9_]*):", line))]
    assert names
    text = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
    assert [name for name in names if f"${{{name}}}" not in text] == []
    assert [line for line in lines if len(line) > MAX_LINE] == []


def test_a_plan_judges_what_users_see_and_leaves_it_to_a_person_where_they_are_too_few(shipped: str) -> None:
    lines = [line.partition("#")[0] for line in starter(shipped).splitlines()]
    judging = [line for line in lines if "traffic:" in line]
    assert judging
    assert len(judging) == len([line for line in lines if "unknown: pause" in line])


def test_a_plan_renders_a_configuration_that_no_mask_got_into(shipped: str, journey: Callable[[str], Journey]) -> None:
    """Header values are secrets, and their masks must not hit words of nginx: ``Upgrade`` is one."""
    plan = journey(shipped)
    plan.variables.update({name: URLS.get(name, f"set-{name.lower()}") for name in REQUIRED[shipped]})
    assert "***" not in plan.cutover("render", "--weight", "10").stdout
