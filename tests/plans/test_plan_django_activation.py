"""``django-activation.yml`` from end to end, on a managed nginx, WebSockets included."""

from __future__ import annotations

import json
from collections.abc import Callable

import httpx
import pytest

from tests.plans.apps import SWITCHING_PROTOCOLS, Answer, App, Asked
from tests.plans.conftest import Journey
from tests.plans.users import Users, Visit, agents

TOKEN = "jwt-of-node-4711"
USER = {"username": "ann", "password": "correct-horse"}
PARTS = {"database": "ok", "redis": "ok", "celery": "ok"}


def answer(asked: Asked) -> Answer:
    if asked.path == "/api/health":
        return 200, PARTS
    if asked.path == "/api/auth/login":
        return (200, {"access": TOKEN}) if json.loads(asked.body) == USER else (401, {"error": "wrong password"})
    if asked.path == "/ws/notifications/":
        return (SWITCHING_PROTOCOLS, None) if asked.upgrades else (426, {"error": "a WebSocket"})
    if asked.path in {"/api/auth/me", "/api/cadets", "/api/grades"}:
        return (200, {"results": []}) if asked.token == TOKEN else (401, {"error": "no token"})
    return 404, {"error": "not found"}


@pytest.fixture
def apps(app: Callable[[Callable[[Asked], Answer]], App]) -> dict[str, App]:
    return {"node": app(answer), "django": app(answer)}


@pytest.fixture
def activation(journey: Callable[[str], Journey], apps: dict[str, App]) -> Journey:
    made = journey("django-activation")
    made.variables.update(
        NODE_URL=apps["node"].url,
        DJANGO_URL=apps["django"].url,
        USER_TOKEN=TOKEN,
        MIGRATED_USER=USER["username"],
        MIGRATED_PASSWORD=USER["password"],
        LISTEN=f"127.0.0.1:{made.site.port}",
        PROXY_URL=f"http://127.0.0.1:{made.site.port}",
        SWITCH_DIR=str(made.folder / "switch"),
        BACKUP_NODE="echo backup-node >> done",
        BACKUP_DJANGO="echo backup-django >> done",
        EXPORT="echo export >> done",
        IMPORT="echo import >> done",
        VERIFY="echo verify >> done",
        ARCHIVE="echo archive >> done",
    )
    return made


@pytest.fixture
def users(activation: Journey) -> Users:
    visits = [Visit("/api/auth/me"), Visit("/api/cadets?page=1")]
    return Users(activation.variables["PROXY_URL"], visits, agents({"Authorization": f"Bearer {TOKEN}"}))


def done(journey: Journey) -> list[str]:
    return (journey.folder / "done").read_text().split()


def test_it_moves_everybody_from_node_to_django_past_every_checkpoint(
    activation: Journey, users: Users, apps: dict[str, App]
) -> None:
    with users:
        approved = " ".join(activation.run())
    assert [number for number in (4, 7, 10, 12, 16) if f" {number}" in approved] == [4, 7, 10, 12, 16]
    assert done(activation) == ["backup-node", "backup-django", "export", "import", "verify", "archive"]
    assert activation.who_serves(
        f"{activation.variables['PROXY_URL']}/api/cadets", apps, headers={"Authorization": f"Bearer {TOKEN}"}
    ) == {"django"}
    assert activation.site.status()["state"] == "done"


def test_its_rollback_brings_everybody_back_and_keeps_django_for_analysis(
    activation: Journey, apps: dict[str, App]
) -> None:
    activation.shift_by_force(25)
    activation.cutover("rollback")
    assert activation.live == 0
    url = f"{activation.variables['PROXY_URL']}/api/health"
    assert activation.who_serves(url, apps) == {"node"}
    assert done(activation) == ["backup-django"]
    assert httpx.get(url).json() == PARTS


def test_a_dead_worker_of_celery_keeps_django_from_traffic(activation: Journey, apps: dict[str, App]) -> None:
    apps["django"].answer = lambda asked: (
        (200, {**PARTS, "celery": "no worker"}) if asked.path == "/api/health" else answer(asked)
    )
    activation.run(expect=1)
    assert "no worker" in activation.last.stderr
    assert activation.live == 0


def test_passwords_that_no_longer_log_in_stop_the_migration(activation: Journey, apps: dict[str, App]) -> None:
    apps["django"].answer = lambda asked: (
        (401, {"error": "wrong password"}) if asked.path == "/api/auth/login" else answer(asked)
    )
    activation.run("--only", "migrate", expect=1)
    assert "a password set in Node logs in to Django" in activation.last.stderr
    assert USER["password"] not in activation.last.stdout + activation.last.stderr


def test_a_django_that_fails_for_users_alone_sends_them_back_to_node(
    activation: Journey, users: Users, apps: dict[str, App]
) -> None:
    apps["django"].answer = lambda asked: (500, {"error": "a row too old"}) if asked.of_a_user else answer(asked)
    activation.variables.update(HOLD="30s", EVERY="500ms")
    with users:
        activation.run(expect=1)
    assert "gate 'users of Django fare as those of Node' at weight 5: fail" in activation.last.stderr
    assert activation.live == 0
