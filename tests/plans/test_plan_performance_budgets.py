"""``performance-budgets.yml`` from end to end, on a managed nginx."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest

from tests.plans.apps import Answer, App, Asked
from tests.plans.conftest import Journey
from tests.plans.users import Users, Visit, people
from tests.support.site import COMMAND_TIMEOUT_S

GRAPHQL = "/api/graphql/"
HEALTH = "/api/v1/health/"
SYNC = "/api/v1/sync/"
BUDGETS = {f"{kind}_{p}": "5s" for kind in ("GRAPHQL", "SYNC", "DEFAULT") for p in ("P50", "P95", "P99")}
OVER_BUDGET_S = 0.3


def common(asked: Asked) -> Answer:
    if asked.path == GRAPHQL:
        query = json.loads(asked.body)
        return (200, {"data": {"users": []}}) if "query" in query else (404, {"error": "Query not found"})
    return (200, {"status": "ok"}) if asked.path in {HEALTH, SYNC} else (404, {"detail": "Not found."})


def next_release(asked: Asked) -> Answer:
    return (200, {"status": "ok"}) if asked.path in {"/healthz", "/readyz", "/startup"} else common(asked)


@pytest.fixture
def apps(app: Callable[[Callable[[Asked], Answer]], App]) -> dict[str, App]:
    return {"old": app(common), "new": app(next_release)}


@pytest.fixture
def budgets(journey: Callable[[str], Journey], apps: dict[str, App]) -> Journey:
    made = journey("performance-budgets")
    made.variables.update(
        BUDGETS,
        API_TOKEN="token-for-measurements",
        OLD_URL=apps["old"].url,
        NEW_URL=apps["new"].url,
        LISTEN=f"127.0.0.1:{made.site.port}",
        PROXY_URL=f"http://127.0.0.1:{made.site.port}",
        SWITCH_DIR=str(made.folder / "switch"),
        MANAGE="echo >> managed",
        TRACES="false",
        STOP_OLD="touch stopped",
    )
    return made


@pytest.fixture
def users(budgets: Journey) -> Users:
    visits = [Visit(GRAPHQL, "POST", body=json.dumps({"query": "{ users { id } }"})), Visit(SYNC), Visit(HEALTH)]
    return Users(budgets.variables["PROXY_URL"], visits, people(lambda name: {"Cookie": f"sessionid={name}"}, str))


def managed(journey: Journey) -> list[str]:
    return (journey.folder / "managed").read_text().splitlines()


def test_it_moves_everybody_to_the_next_release_and_then_turns_the_feature_on(
    budgets: Journey, users: Users, apps: dict[str, App]
) -> None:
    with users:
        approved = budgets.run()
    assert [line.partition(";")[0] for line in approved] == ["the old release may be stopped"]
    assert budgets.who_serves(budgets.variables["PROXY_URL"] + HEALTH, apps) == {"new"}
    assert managed(budgets) == [
        "migrate --noinput",
        "migrate --check",
        "waffle_flag new_dashboard --deactivate --create",
        "waffle_flag new_dashboard --everyone",
    ]
    assert (budgets.folder / "stopped").exists()


def test_an_endpoint_over_its_budget_brings_traffic_back_and_turns_the_feature_off(
    budgets: Journey, apps: dict[str, App]
) -> None:
    """In the middle of a hold; the budgets of the other endpoints still hold."""
    budgets.variables.update(HOLD="1h", EVERY="200ms", GATE_LOAD="4s", SYNC_P50="200ms")
    budgets.site.plan_file.write_text(budgets.text)
    running = budgets.site.start("run")
    budgets.site.wait_for_state("holding")
    apps["new"].delays[SYNC] = OVER_BUDGET_S
    out, err = running.communicate(timeout=COMMAND_TIMEOUT_S)
    assert running.returncode == 1, out + err
    assert "gate 'budget of /api/v1/sync/' at weight 1" in err
    assert "brought back from weight 1 to old, verified" in err
    assert budgets.live == 0
    assert budgets.who_serves(budgets.variables["PROXY_URL"] + HEALTH, apps) == {"old"}
    assert managed(budgets)[-1] == "waffle_flag new_dashboard --deactivate"


@pytest.mark.parametrize(
    ("path", "budget", "route"),
    [(GRAPHQL, "GRAPHQL_P95", GRAPHQL), (SYNC, "SYNC_P50", SYNC), (HEALTH, "DEFAULT_P99", "default")],
)
def test_an_endpoint_over_its_budget_for_users_alone_brings_traffic_back_by_the_gate_of_its_route(
    budgets: Journey, users: Users, apps: dict[str, App], path: str, budget: str, route: str
) -> None:
    """Each time that cutover itself asks, the endpoint is quick; and no other endpoint goes over its budget."""
    budgets.variables.update({"HOLD": "30s", "EVERY": "500ms", budget: "200ms"})
    for app in apps.values():
        app.users_wait[path] = OVER_BUDGET_S
    with users:
        budgets.run(expect=1)
    percentile = budget.partition("_")[2].lower()
    assert "gate 'budgets as users see them' at weight 1: fail" in budgets.last.stderr
    assert re.findall(r"(\S+): fail: (\w+) <= 200ms", budgets.last.stderr)[-1] == (route, percentile)
    assert "brought back from weight 1 to old, verified" in budgets.last.stderr
    assert budgets.live == 0
    assert managed(budgets)[-1] == "waffle_flag new_dashboard --deactivate"


def test_a_release_over_budget_gets_no_traffic(budgets: Journey, apps: dict[str, App]) -> None:
    budgets.variables["SYNC_P50"] = "200ms"
    apps["new"].delays[SYNC] = OVER_BUDGET_S
    budgets.run("--only", "validate", expect=1)
    assert "budget of /api/v1/sync/" in budgets.last.stderr
    assert budgets.live == 0
