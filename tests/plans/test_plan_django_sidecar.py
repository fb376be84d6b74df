"""``django-sidecar.yml`` from end to end, with TLS, on an nginx of this machine and on one in a container."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.plans.apps import Answer, App, Asked
from tests.plans.conftest import Edge, Journey, on_each_edge
from tests.plans.users import Users, Visit
from tests.support.ports import free_port

TENANT = "acme.wtn4.com"
JWT = "jwt-of-a-developer"
ADMIN = "/api-dj/admin/providers"
OPENSSL_TIMEOUT_S = 30


def nest(asked: Asked) -> Answer:
    return (200, {"status": "ok"}) if asked.path == "/api/health" else (404, {"message": "Cannot GET"})


def django(asked: Asked) -> Answer:
    if asked.path == "/api-dj/docs":
        return 200, "<title>swagger ui</title>"
    if asked.path.startswith(ADMIN) and asked.token != JWT:
        return 401, {"detail": "no token"}
    if asked.headers.get("x-tenant-host") != TENANT:
        return 400, {"detail": "no tenant"}
    known = {"/api-dj/health", f"{ADMIN}/coverage", f"{ADMIN}/integrations/7/import-catalog"}
    return (200, {"status": "ok"}) if asked.path in known else (404, {"detail": "Not found."})


@pytest.fixture
def apps(app: Callable[[Callable[[Asked], Answer]], App]) -> dict[str, App]:
    return {"nest": app(nest), "django": app(django)}


@pytest.fixture
def sidecar(journey: Callable[[str], Journey], edge: Edge, apps: dict[str, App], tmp_path: Path) -> Journey:
    made = journey("django-sidecar")
    port = free_port()
    make_certificate(tmp_path / "files")
    made.variables.update(
        JWT=JWT,
        TENANT=TENANT,
        INTEGRATION="7",
        HOLD="0s",
        SOAK="1s",
        NEST_URL=apps["nest"].url,
        NEST_SERVER=apps["nest"].server,
        DJANGO_URL=apps["django"].url,
        DJANGO_SERVER=apps["django"].server,
        PROXY_URL=f"https://127.0.0.1:{port}",
        LISTEN=f"127.0.0.1:{port} ssl",
        CERTIFICATE=f"{edge.files}/edge.pem",
        CERTIFICATE_KEY=f"{edge.files}/edge.key",
        SSL_CERT_FILE=str(tmp_path / "files" / "edge.pem"),
        POLL="touch polled",
        STOP_SIDECAR="touch stopped",
    )
    edge.adapt(made, "NGINX_CONTAINER")
    return made


@pytest.fixture
def users(sidecar: Journey) -> Users:
    headers = {"X-Tenant-Host": TENANT, "Authorization": f"Bearer {JWT}"}
    visits = [Visit(f"{ADMIN}/coverage", headers=headers), Visit("/api/health")]
    return Users(sidecar.variables["PROXY_URL"], visits)


def make_certificate(folder: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate with")
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-keyout", "edge.key", "-out", "edge.pem", "-days", "2", "-subj", "/CN=api.wtn4.com",
            "-addext", "subjectAltName=DNS:api.wtn4.com,IP:127.0.0.1",
        ],
        cwd=folder, check=True, capture_output=True, timeout=OPENSSL_TIMEOUT_S,
    )  # fmt: skip


def ask(journey: Journey, path: str) -> httpx.Response:
    return httpx.get(journey.variables["PROXY_URL"] + path, headers={"X-Tenant-Host": TENANT}, verify=False)  # noqa: S501 - a certificate of this test


@on_each_edge
def test_it_puts_django_beside_nest(sidecar: Journey, users: Users, apps: dict[str, App]) -> None:
    with users:
        approved = sidecar.run()
    assert [line.partition(" ")[0] for line in approved] == ["mappings", "a", "the"]
    assert sidecar.site.status()["state"] == "done"
    assert ask(sidecar, "/api-dj/docs").text == "<title>swagger ui</title>"
    assert apps["django"].last_headers["x-forwarded-proto"] == "https"
    assert ask(sidecar, "/api/health").status_code == 200
    assert apps["nest"].seen["/api-dj/docs"] == 0
    assert (sidecar.folder / "polled").exists()


def test_its_rollback_takes_the_sidecar_away_and_leaves_nest_alone(sidecar: Journey) -> None:
    sidecar.shift_by_force(100)
    assert ask(sidecar, "/api-dj/health").status_code == 200
    sidecar.cutover("rollback")
    assert ask(sidecar, "/api-dj/health").status_code == 404
    assert ask(sidecar, "/api/health").status_code == 200
    assert (sidecar.folder / "stopped").exists()


def test_a_sidecar_that_lets_strangers_in_is_not_opened(sidecar: Journey, apps: dict[str, App]) -> None:
    apps["django"].answer = lambda _: (200, "swagger")
    sidecar.run(expect=1)
    assert "without a token nobody gets in" in sidecar.last.stderr
    assert ask(sidecar, "/api-dj/health").status_code == 404


def test_a_sidecar_that_nginx_does_not_reach_is_taken_away_again(sidecar: Journey) -> None:
    sidecar.variables["DJANGO_SERVER"] = f"127.0.0.1:{free_port()}"
    sidecar.run("--until", "cutover", expect=1)
    assert "brought back from weight 100 to old" in sidecar.last.stderr
    assert ask(sidecar, "/api-dj/health").status_code == 404


def test_a_sidecar_that_fails_for_users_alone_is_taken_away_again(
    sidecar: Journey, users: Users, apps: dict[str, App]
) -> None:
    apps["django"].answer = lambda asked: (500, {"detail": "a bug"}) if asked.of_a_user else django(asked)
    sidecar.variables["SOAK"] = "30s"
    with users:
        sidecar.run(expect=1)
    assert "gate 'users of the sidecar' at weight 100: fail" in sidecar.last.stderr
    assert ask(sidecar, "/api-dj/health").status_code == 404
