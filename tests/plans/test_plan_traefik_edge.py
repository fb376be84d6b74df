"""``traefik-edge.yml`` from end to end: the edge, and behind it an nginx with the server of the plan's comment."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.plans.apps import Answer, App, Asked
from tests.plans.conftest import Edge, Journey, on_each_edge
from tests.plans.users import Users, Visit
from tests.support.nginx import SomebodysNginx
from tests.support.ports import free_port

ITEMS = "/api/items"
SLOW_S = 0.2
LOG = "cutover-traefik-edge.log"
NO_LOG = "no log"
SPLIT = "z-split.conf"
"""Read behind the file that is cutover's, as the plan's comment says."""


def answer(asked: Asked) -> Answer:
    return (200, {"items": []}) if asked.path in {"/api/health", ITEMS} else (404, {"detail": "Not Found"})


@pytest.fixture
def apps(app: Callable[[Callable[[Asked], Answer]], App]) -> dict[str, App]:
    return {"backend": app(answer), "api": app(answer)}


@pytest.fixture
def droplet(
    request: pytest.FixtureRequest,
    journey: Callable[[str], Journey],
    nginx: Callable[[str, str], SomebodysNginx],
    edge: Edge,
    apps: dict[str, App],
) -> Journey:
    """With the parameter ``NO_LOG``, the server lacks the access_log of the comment."""
    made = journey("traefik-edge")
    public, inner, status = free_port(), free_port(), free_port()
    nginx("traefik", as_traefik(public, inner))
    made.variables.update(
        DOMAIN="127.0.0.1",
        EDGE_URL=f"http://127.0.0.1:{public}",
        BACKEND_URL=apps["backend"].url,
        BACKEND_SERVER=apps["backend"].server,
        API_URL=apps["api"].url,
        API_SERVER=apps["api"].server,
        STATUS_LISTEN=f"127.0.0.1:{status}",
        STATUS_URL=f"http://127.0.0.1:{status}",
        DEPLOY="echo deploy >> done",
        DJANGO_IS_WELL="echo django >> done",
        STOP_OLD="echo stop >> done",
        EVIDENCE="echo evidence >> done; echo $POSTGRES_PASSWORD; false",
        POSTGRES_PASSWORD="marked-password",
    )
    edge.adapt(made, "SPLIT_CONTAINER")
    config = edge.conf_d / "traefik-edge.conf"
    config.write_text(made.cutover("render").stdout)
    server = server_of_the_comment(made.text).replace("listen 80;", f"listen 127.0.0.1:{inner};")
    if not made.variables.get("SPLIT_CONTAINER"):
        server = server.replace("/etc/nginx/conf.d", str(edge.conf_d))
        server = server.replace("/var/log/nginx", str(edge.conf_d.parent))
    if getattr(request, "param", "") == NO_LOG:
        server = re.sub(r"\n +access_log .*", "", server)
    (edge.conf_d / SPLIT).write_text(server)
    edge.reload()
    return made


@pytest.fixture
def users(droplet: Journey) -> Users:
    return Users(droplet.variables["EDGE_URL"], [Visit(f"{ITEMS}?page=1"), Visit("/api/health")])


def as_traefik(public: int, inner: int) -> str:
    return f"""
    server {{
        listen 127.0.0.1:{public};
        location / {{ return 200 home; }}
        location /api {{
            proxy_pass http://127.0.0.1:{inner};
            proxy_set_header X-Forwarded-Proto https;
            proxy_set_header X-Forwarded-For $remote_addr;
        }}
    }}
    """


def server_of_the_comment(plan: str) -> str:
    match = re.search(r"^#     map .*?^#     }\n(?=#\n)", plan, re.MULTILINE | re.DOTALL)
    assert match is not None
    return textwrap.dedent(re.sub("^#", "", match[0], flags=re.MULTILINE))


def done(folder: Path) -> list[str]:
    return (folder / "done").read_text().split()


@on_each_edge
def test_it_moves_everybody_to_fastapi_behind_the_edge(droplet: Journey, users: Users, apps: dict[str, App]) -> None:
    with users:
        approved = droplet.run()
    assert [line.partition(";")[0] for line in approved] == ["the backend may be stopped"]
    assert droplet.who_serves(droplet.variables["EDGE_URL"] + ITEMS, apps) == {"api"}
    assert apps["api"].last_headers["x-forwarded-proto"] == "https"
    assert done(droplet.folder) == ["deploy", "django", "evidence", "evidence", "stop", "evidence"]
    evidence = [file.read_text() for file in (droplet.folder / "state").rglob("output.txt")]
    assert "***\n" in evidence
    assert not any("marked-password" in text for text in evidence)


def test_its_rollback_brings_everybody_back_and_collects_evidence(droplet: Journey, apps: dict[str, App]) -> None:
    droplet.shift_by_force(50)
    assert droplet.who_serves(droplet.variables["EDGE_URL"] + ITEMS, apps) == {"backend", "api"}
    droplet.cutover("rollback")
    assert droplet.live == 0
    assert droplet.who_serves(droplet.variables["EDGE_URL"] + ITEMS, apps) == {"backend"}
    assert done(droplet.folder) == ["evidence"]


def test_an_admin_that_is_public_stops_it_before_traffic_moves(droplet: Journey, apps: dict[str, App]) -> None:
    apps["backend"].answer = lambda asked: (200, "log in") if asked.path == "/api/admin/" else answer(asked)
    droplet.run("--only", "validate", expect=1)
    assert "Django's admin is not public" in droplet.last.stderr


def test_a_fastapi_that_is_slower_than_the_backend_for_users_alone_sends_them_back(
    droplet: Journey, users: Users, apps: dict[str, App]
) -> None:
    apps["api"].users_wait[ITEMS] = SLOW_S
    droplet.variables.update(HOLD="30s", EVERY="500ms")
    with users:
        droplet.run(expect=1)
    assert "gate 'users of FastAPI fare as those of the backend' at weight 10: fail" in droplet.last.stderr
    assert "p95 <= 1.5x old" in droplet.last.stderr
    assert droplet.live == 0


@pytest.mark.parametrize("droplet", [NO_LOG], indirect=True)
def test_without_the_access_log_of_its_comment_it_moves_nobody_and_says_what_is_missing(droplet: Journey) -> None:
    droplet.run(expect=4)
    assert f"{LOG} cutover_traefik_edge;" in droplet.last.stderr
    assert "traffic stays at weight 0" in droplet.last.stderr
    assert droplet.live == 0
