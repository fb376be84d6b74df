"""``medical-api.yml`` from end to end, on an nginx of somebody's."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.plans.apps import Answer, App, Asked
from tests.plans.conftest import Journey
from tests.plans.users import Users, Visit, agents
from tests.support.nginx import SomebodysNginx
from tests.support.ports import free_port

TOKEN = "token-of-fastapi"
SEARCH = "/api/v1/studies/search"
SLOW_S = 0.2


def answer(asked: Asked) -> Answer:
    if asked.path == "/health":
        return 200, {"status": "ok"}
    if asked.token != TOKEN:
        return 401, {"detail": "who are you?"}
    if asked.path in {SEARCH, "/api/v1/studies/filters/options"}:
        return 200, {"results": [{"exam_id": "E1", "report": None, "at": "2024-05-01T10:00:00"}]}
    return 404, {"detail": "Not found."}


Start = Callable[[Callable[[Asked], Answer]], App]
Nginx = Callable[[str], SomebodysNginx]


@pytest.fixture
def apps(app: Start) -> dict[str, App]:
    return {"old": app(answer), "new": app(answer)}


@pytest.fixture
def medical(journey: Callable[[str], Journey], nginx: Nginx, apps: dict[str, App]) -> Journey:
    made = journey("medical-api")
    edge, port = nginx("edge"), free_port()
    (made.folder / "medical_imaging.duckdb").write_text("examinations")
    made.variables.update(
        API_TOKEN=TOKEN,
        FASTAPI_URL=apps["old"].url,
        DJANGO_URL=apps["new"].url,
        PROXY_URL=f"http://127.0.0.1:{port}",
        LISTEN=f"127.0.0.1:{port}",
        NGINX=edge.binary,
        NGINX_PID=str(edge.pid_file),
        NGINX_CONF=str(edge.conf),
        NGINX_FILE=str(edge.config),
        SWITCH_DIR=str(made.folder / "switch"),
        MIGRATE='cp "$DUCKDB_COPY" postgresql',
        COUNT_OLD="echo 1250",
        COUNT_NEW="echo 1250",
        COUNT_NEW_IDS="echo 1250",
        KEEP_NEW="cp postgresql kept",
        STOP_OLD="touch stopped",
    )
    return made


def search(journey: Journey) -> str:
    return journey.variables["PROXY_URL"] + SEARCH


@pytest.fixture
def users(medical: Journey) -> Users:
    visits = [Visit(SEARCH), Visit("/api/v1/studies/filters/options"), Visit("/health")]
    return Users(medical.variables["PROXY_URL"], visits, agents({"Authorization": f"Bearer {TOKEN}"}))


def test_it_moves_everybody_from_fastapi_to_django(medical: Journey, users: Users, apps: dict[str, App]) -> None:
    with users:
        approved = medical.run()
    assert [line.partition(" ")[0] for line in approved] == ["writes", "a", "FastAPI"]
    assert medical.live == 100
    assert medical.who_serves(search(medical), apps) == {"new"}
    assert medical.site.status()["state"] == "done"
    names = {file.name.partition(".duckdb")[2][:4] for file in medical.folder.glob("medical_imaging.duckdb*")}
    assert names == {"", ".tar", ".mig", ".202"}
    assert (medical.folder / "stopped").exists()


def test_its_rollback_brings_everybody_back_and_keeps_what_django_was_given(
    medical: Journey, apps: dict[str, App]
) -> None:
    (medical.folder / "postgresql").write_text("written through Django")
    medical.shift_by_force(50)
    assert medical.who_serves(search(medical), apps) == {"old", "new"}
    medical.cutover("rollback")
    assert medical.live == 0
    assert medical.who_serves(search(medical), apps) == {"old"}
    assert (medical.folder / "kept").read_text() == "written through Django"
    assert (medical.folder / "medical_imaging.duckdb").read_text() == "examinations"


@pytest.mark.parametrize("lost", ["COUNT_NEW", "COUNT_NEW_IDS"])
def test_it_stops_before_traffic_moves_if_a_record_is_missing_or_there_twice(medical: Journey, lost: str) -> None:
    medical.variables[lost] = "echo 1249"
    medical.run("--only", "migrate", expect=1)
    assert "1249" in medical.last.stderr
    assert "never moved" in medical.last.stderr


def test_it_stops_before_traffic_moves_if_django_refuses_a_token_of_fastapi(
    medical: Journey, apps: dict[str, App]
) -> None:
    apps["new"].answer = lambda asked: answer(asked) if asked.path == "/health" else (401, {"detail": "Invalid token."})
    medical.run("--only", "validate", expect=1)
    assert "the same answers" in medical.last.stderr
    assert "never moved" in medical.last.stderr


def test_a_django_that_is_slower_than_fastapi_for_users_alone_brings_traffic_back(
    medical: Journey, users: Users, apps: dict[str, App]
) -> None:
    """Well within its limit, and quick whenever cutover asks."""
    apps["new"].users_wait[SEARCH] = SLOW_S
    medical.variables.update(HOLD="30s", EVERY="500ms")
    with users:
        medical.run(expect=1)
    assert "gate 'users of Django fare as those of FastAPI' at weight 1: fail" in medical.last.stderr
    assert "(98 %, " in medical.last.stderr
    assert medical.live == 0


def test_a_site_that_is_too_quiet_to_judge_waits_for_a_person_and_then_goes_on(medical: Journey, users: Users) -> None:
    medical.run("--until", "shift", expect=4, resumes=0)
    assert "gate 'users of Django fare as those of FastAPI' at weight 1: unknown" in medical.last.stderr
    assert medical.live == 1
    with users:
        medical.resume()
    assert medical.live == 50
