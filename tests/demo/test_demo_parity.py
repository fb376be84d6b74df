"""Without a fault, the new backend answers as the old one does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from cutover.demo.backends import AUDITOR, TOKEN_ENV, Backends
from cutover.demo.data import PASSWORD

pytestmark = pytest.mark.asyncio(loop_scope="module")

FREE_HEADERS = {"date", "server", "content-length", "transfer-encoding", "connection"}
SEARCH = "/api/v1/studies/search"
LOGIN = "/api/v1/auth/login"
TASKS = "/api/v1/tasks"


@dataclass
class Both:
    """Asks both sides; ``token`` is that of the auditor."""

    backends: Backends
    session: aiohttp.ClientSession
    token: dict[str, str] = field(default_factory=dict)

    async def ask(self, side: str, method: str, path: str, **options: Any) -> tuple[int, dict[str, str], Any]:
        url = (self.backends.old if side == "old" else self.backends.new).url + path
        async with self.session.request(method, url, allow_redirects=False, **options) as response:
            headers = {name.lower(): value for name, value in response.headers.items()}
            return response.status, headers, await response.json() if method != "HEAD" else None


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def both(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Both]:
    async with Backends(tmp_path_factory.mktemp("demo")) as backends, aiohttp.ClientSession() as session:
        yield Both(backends, session, {"Authorization": f"Bearer {backends.environment[TOKEN_ENV]}"})


def anonymous(method: str, path: str, **options: Any) -> Any:
    return pytest.param(method, path, False, options, id=f"{method} {path} {options or ''}".strip())


def signed_in(method: str, path: str, **options: Any) -> Any:
    return pytest.param(method, path, True, options, id=f"{method} {path} {options or ''} signed in")


REQUESTS = [
    anonymous("GET", "/health"),
    anonymous("GET", SEARCH),
    anonymous("GET", f"{SEARCH}?page=2&page_size=25"),
    anonymous("GET", f"{SEARCH}?page=99"),
    anonymous("GET", f"{SEARCH}?page_size=100"),
    anonymous("GET", f"{SEARCH}?modality=CT&status=reported"),
    anonymous("GET", f"{SEARCH}?q=HEAD&sort=-exam_id"),
    anonymous("GET", f"{SEARCH}?q=exam-0042"),
    anonymous("GET", f"{SEARCH}?q=%25"),
    anonymous("GET", f"{SEARCH}?q="),
    anonymous("GET", f"{SEARCH}?date_from=2024-02-01&date_to=2024-02-29&sort=scheduled_at&page_size=50"),
    anonymous("GET", f"{SEARCH}?sort=-scheduled_at"),
    anonymous("GET", f"{SEARCH}?unknown=1"),
    anonymous("GET", f"{SEARCH}?page=0"),
    anonymous("GET", f"{SEARCH}?page=one&modality=PET&page_size=101&sort=x"),
    anonymous("GET", f"{SEARCH}?page="),
    anonymous("GET", f"{SEARCH}?date_from=yesterday"),
    anonymous("GET", f"{SEARCH}/"),
    anonymous("POST", SEARCH, json={}),
    signed_in("GET", SEARCH),
    anonymous("GET", SEARCH, headers={"Authorization": "Bearer e30.e30"}),
    anonymous("GET", SEARCH, headers={"Authorization": "Bearer x"}),
    anonymous("GET", SEARCH, headers={"Authorization": "Basic x"}),
    anonymous("GET", "/api/v1/studies/filters/options"),
    anonymous("GET", "/api/v1/studies/EXAM-0001"),
    anonymous("GET", "/api/v1/studies/EXAM-none"),
    anonymous("GET", "/api/v1/studies/%C3%BC%20x"),
    anonymous("GET", "/api/v1/studies/EXAM-0001/"),
    anonymous("GET", "/nowhere"),
    anonymous("GET", TASKS),
    signed_in("GET", f"{TASKS}?created_by={AUDITOR}"),
    signed_in("GET", f"{TASKS}?page_size=0"),
    anonymous("POST", TASKS, json={"exam_id": "EXAM-0001", "kind": "report"}),
    signed_in("POST", TASKS, json={"exam_id": "EXAM-none", "kind": "report"}),
    signed_in("POST", TASKS, json={"kind": "dictation", "priority": 9, "note": "x" * 300}),
    signed_in("POST", TASKS, json=["EXAM-0001"]),
    anonymous("POST", LOGIN, json={"username": AUDITOR, "password": PASSWORD}),
    anonymous("POST", LOGIN, json={"username": AUDITOR, "password": "wrong"}),
    anonymous("POST", LOGIN, json={"username": "nobody", "password": PASSWORD}),
    anonymous("POST", LOGIN, json={"username": AUDITOR}),
    anonymous("POST", LOGIN, data="{", headers={"Content-Type": "application/json"}),
    anonymous("POST", LOGIN, data="username=x", headers={"Content-Type": "application/x-www-form-urlencoded"}),
    anonymous("GET", LOGIN),
    anonymous("GET", "/api/v1/auth/me"),
    signed_in("GET", "/api/v1/auth/me"),
]


@pytest.mark.parametrize(("method", "path", "authenticated", "options"), REQUESTS)
async def test_both_sides_give_the_same_answer(
    both: Both,
    method: str,
    path: str,
    authenticated: bool,  # noqa: FBT001 - pytest's form
    options: dict[str, Any],
) -> None:
    headers = {**options.pop("headers", {}), **(both.token if authenticated else {})}
    old, new = [await both.ask(side, method, path, headers=headers, **options) for side in ("old", "new")]
    assert new[0] == old[0]
    assert new[2] == old[2]
    assert {k: v for k, v in new[1].items() if k not in FREE_HEADERS} == {
        k: v for k, v in old[1].items() if k not in FREE_HEADERS
    }
    assert "X-Served-By".lower() not in old[1] | new[1]


async def test_a_task_created_on_one_side_is_seen_on_the_other(both: Both) -> None:
    task = {"exam_id": "EXAM-0007", "kind": "triage", "note": "of user A"}
    for here, there in (("old", "new"), ("new", "old")):
        status, _, created = await both.ask(here, "POST", TASKS, headers=both.token, json=task)
        assert status == 201
        _, _, seen = await both.ask(there, "GET", f"{TASKS}?created_by={AUDITOR}", headers=both.token)
        assert seen["items"][0] == created
        assert created == {
            **task, "id": created["id"], "priority": 3, "created_by": AUDITOR, "created_at": created["created_at"],
        }  # fmt: skip


async def test_each_side_accepts_the_tokens_of_the_other(both: Both) -> None:
    for here, there in (("old", "new"), ("new", "old")):
        login = {"username": "user-05", "password": PASSWORD}
        _, _, signed_in = await both.ask(here, "POST", LOGIN, json=login)
        bearer = {"Authorization": f"Bearer {signed_in['access_token']}"}
        assert (await both.ask(there, "GET", "/api/v1/auth/me", headers=bearer))[2]["username"] == "user-05"


async def test_pages_cover_every_study_once(both: Both) -> None:
    for side in ("old", "new"):
        pages = [(await both.ask(side, "GET", f"{SEARCH}?page_size=100&page={n}"))[2] for n in range(1, 5)]
        seen = [study["exam_id"] for page in pages for study in page["items"]]
        assert len(seen) == len(set(seen)) == pages[0]["total"] == 360
        assert pages[0]["pages"] == 4


async def test_studies_have_nulls_nested_fields_and_iso_8601_dates(both: Both) -> None:
    _, _, page = await both.ask("old", "GET", f"{SEARCH}?page_size=100")
    study = page["items"][0]
    assert len(study["scheduled_at"]) == len("2024-01-01T08:00:00")
    assert {"id", "birth_year", "sex"} == set(study["patient"])
    for name in ("body_part", "completed_at", "radiologist"):
        assert None in [study[name] for study in page["items"]]


async def test_the_side_is_told_to_those_who_ask(both: Both) -> None:
    for side, name in (("old", "fastapi"), ("new", "django")):
        _, headers, _ = await both.ask(side, "GET", "/health", headers={"X-Cutover-Demo": "1"})
        assert headers["x-served-by"] == name
