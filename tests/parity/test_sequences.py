"""Writes, compared in sequences: each side is asked for the ids that it gave itself."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp import web

from cutover.checks.base import Result
from cutover.plan.thresholds import Verdict
from tests.support.rawserver import groups

Compare = Callable[..., Awaitable[Result]]
Sequence = list[dict[str, Any] | str]

CREATE_READ_DELETE: Sequence = [
    {
        "method": "POST",
        "path": "/items",
        "json": {"name": "a", "quantity": 7},
        "unsafe": True,
        "save": {"item": "$.id"},
    },
    "GET /items/${item}",
    "GET /items",
    {"method": "PUT", "path": "/items/${item}", "json": {"name": "b", "copy_of": "${item}"}, "unsafe": True},
    {"method": "DELETE", "path": "/items/${item}", "unsafe": True},
    "GET /items/${item}",
]


@dataclass
class Items:
    """A store of items behind HTTP; ``first_id`` and ``faults`` make one differ from another."""

    first_id: Any = 1
    faults: frozenset[str] = frozenset()
    items: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ids = itertools.count(self.first_id) if isinstance(self.first_id, int) else iter([self.first_id])

    @asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        app = web.Application(middlewares=[self.note])
        app.router.add_post("/items", self.create)
        app.router.add_get("/items", self.listed)
        app.router.add_get("/items/{id}", self.read)
        app.router.add_put("/items/{id}", self.change)
        app.router.add_delete("/items/{id}", self.delete)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()

    @web.middleware
    async def note(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.asked.append(f"{request.method} {request.path}")
        answer: web.StreamResponse = await handler(request)
        return answer

    async def create(self, request: web.Request) -> web.Response:
        number = next(self.ids)
        url = f"/items/{quote(str(number), safe='')}"
        item = {"id": number, **await request.json(), "url": url}
        if "quantity" in self.faults:
            item["quantity"] = number
        if "no id" in self.faults:
            del item["id"]
        self.items[str(number)] = item
        return web.json_response(item, status=201, headers={"Location": url})

    async def listed(self, _: web.Request) -> web.Response:
        return web.json_response({"count": len(self.items), "results": list(self.items.values())})

    async def read(self, request: web.Request) -> web.Response:
        item = self.items.get(request.match_info["id"])
        return web.json_response(item) if item else web.json_response({"detail": "Not found"}, status=404)

    async def change(self, request: web.Request) -> web.Response:
        item = self.items[request.match_info["id"]]
        item |= await request.json()
        return web.json_response(item)

    async def delete(self, request: web.Request) -> web.Response:
        if "keeps" not in self.faults:
            del self.items[request.match_info["id"]]
        return web.Response(status=204)


@pytest.fixture
async def ask(compare: Compare) -> AsyncIterator[Callable[..., Awaitable[Result]]]:
    async with AsyncExitStack() as stack:

        async def run(old: Items, new: Items, sequence: Sequence = CREATE_READ_DELETE, **settings: Any) -> Result:
            urls = [await stack.enter_async_context(items.running()) for items in (old, new)]
            return await compare(*urls, requests=[], sequences={"items": sequence}, **settings)

        yield run


@pytest.mark.parametrize(
    ("old_id", "new_id"), [(1, 1), (1, 500), ("a1b2c3d4", "ffee0011"), (7, "0a1b2c3d-0000-4000-8000-000000000000")]
)
async def test_each_side_is_asked_for_its_own_id_and_the_ids_are_not_compared(
    ask: Compare, old_id: Any, new_id: Any
) -> None:
    old, new = Items(old_id), Items(new_id)
    result = await ask(old, new)
    assert groups(result, "fail", "warn") == []
    assert result.verdict is Verdict.PASS
    assert result.details["compared"] == 6
    for items, number in ((old, old_id), (new, new_id)):
        paths = ["POST /items", "GET /items/N", "GET /items", "PUT /items/N", "DELETE /items/N", "GET /items/N"]
        assert items.asked == [path.replace("N", str(number)) for path in paths]
        assert items.items == {}


async def test_a_number_that_happens_to_be_an_id_is_still_compared(ask: Compare) -> None:
    result = await ask(Items(1, frozenset({"quantity"})), Items(500, frozenset({"quantity"})))
    assert set(groups(result)) == {("value", "$.quantity", 1), ("value", "$.results[].quantity", 1)}


async def test_what_one_side_keeps_is_found(ask: Compare) -> None:
    result = await ask(Items(1), Items(500, frozenset({"keeps"})))
    assert groups(result) == [("status", "status", 1)]
    assert result.verdict is Verdict.FAIL


async def test_without_an_id_the_rest_is_unknown_and_old_is_cleaned_up(ask: Compare) -> None:
    old, new = Items(1), Items(500, frozenset({"no id"}))
    result = await ask(old, new)
    assert ("missing", "$.id", 1) in groups(result)
    unknown = result.details["unknown"]
    assert unknown["count"] == 4
    assert "new, asked for POST /items: nothing to save as item: there is no $.id" in unknown["first"][0]
    assert "DELETE /items/1" in old.asked
    assert old.items == {}
    assert not [path for path in new.asked if "${" in path]


async def test_a_sequence_with_a_write_that_nobody_allowed_is_not_begun(ask: Compare) -> None:
    forbidden = [{**CREATE_READ_DELETE[0], "unsafe": False}, *CREATE_READ_DELETE[1:]]  # type: ignore[dict-item]
    old, new = Items(1), Items(1)
    result = await ask(old, new, forbidden)
    assert old.asked == new.asked == []
    assert result.details["skipped"]["first"] == ["items: POST /items"]
    assert result.verdict is Verdict.UNKNOWN


async def test_the_endpoint_of_a_variable_is_that_of_an_id(ask: Compare) -> None:
    result = await ask(Items(1), Items(500, frozenset({"keeps"})))
    assert {group["endpoint"] for group in result.details["groups"]} == {"GET /items/{id}"}


async def test_an_id_that_is_no_plain_text_is_asked_for_as_one_segment(ask: Compare) -> None:
    old, new = Items("a b/c?d"), Items("a b/c?e")
    result = await ask(old, new, CREATE_READ_DELETE[:2])
    assert old.asked[1] == "GET /items/a b/c?d"
    assert groups(result) == []


@dataclass
class Owned(Items):
    """Each item belongs to a user, whose ids both sides share; new's own counter is one ahead."""

    owner: int = 8

    async def create(self, request: web.Request) -> web.Response:
        number = next(self.ids)
        item = {"id": number, **await request.json(), "owner_id": self.owner, "owner": {"id": self.owner}}
        self.items[str(number)] = item
        return web.json_response(item, status=201, headers={"Location": f"/items/{number}"})


TWICE: Sequence = [
    {"method": "POST", "path": "/items", "json": {"n": "a"}, "unsafe": True, "save": {"first": "$.id"}},
    {"method": "POST", "path": "/items", "json": {"n": "b"}, "unsafe": True, "save": {"second": "$.id"}},
    "GET /items",
    "GET /items/${second}",
]


async def test_ids_of_both_sides_may_overlap(ask: Compare) -> None:
    """New's first is called as old's second, and the users of both are called as their items are."""
    assert groups(await ask(Owned(7), Owned(8), TWICE), "fail", "warn") == []


async def test_an_id_of_something_else_that_is_new_s_own_by_chance_is_a_difference(ask: Compare) -> None:
    result = await ask(Owned(7, owner=7), Owned(8, owner=8), [*TWICE[:1], "GET /items/${first}"])
    assert ("value", "$.owner_id", 1) in groups(result)


async def test_what_old_made_is_removed_though_new_s_answer_is_too_large(ask: Compare) -> None:
    class Talkative(Items):
        async def create(self, request: web.Request) -> web.Response:
            await super().create(request)
            return web.Response(body=b"x" * 5000, status=201)

    old = Items(1)
    result = await ask(old, Talkative(500), CREATE_READ_DELETE, max_body="4kb")
    assert "DELETE /items/1" in old.asked
    assert old.items == {}
    assert not result.passed
