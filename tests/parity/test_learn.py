"""What moves by itself on old becomes a proposed rule, and nothing else does."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web

from cutover.checks.diff import Diff
from cutover.parity.learn import Learned
from cutover.plan.thresholds import Verdict
from tests.support.rawserver import Context, RawServer, json_answer

STUDIES = ["CT", "MR", "PET"]


class Moving:
    """A backend of which some things move from answer to answer."""

    def __init__(self) -> None:
        self.counts: defaultdict[str, itertools.count[int]] = defaultdict(lambda: itertools.count(1))

    async def answer(self, request: web.Request) -> web.Response:
        number = next(self.counts[request.path])
        if request.path == "/steady":
            return web.json_response({"a": 1})
        if request.path == "/moody":
            return web.json_response({"a": 1}, status=200 if number % 2 else 500)
        if request.path == "/growing":
            return web.json_response({"items": [{"id": n} for n in range(number)]})
        return web.json_response(
            {
                "generated_at": f"2026-01-01T10:00:{number % 60:02}Z",
                "odd's": number,
                "modalities": STUDIES if number % 2 else STUDIES[::-1],
                "studies": [{"id": 1, "viewed": number}, {"id": 2, "viewed": -number}],
                "name": "Smith",
            },
            headers={"X-Served-For": str(number)},
        )


@pytest.fixture
async def old() -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", Moving().answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def learn(old: str, folder: Path, *requests: Any, baseline: str | None = None, **settings: Any) -> Learned:
    check = Diff.model_validate({"requests": list(requests), "concurrency": 1, **settings})
    return await check.learn(Context(old, "http://127.0.0.1:9", folder), baseline)


async def test_what_moves_becomes_rules_and_under_them_old_is_as_old(old: str, tmp_path: Path) -> None:
    learned = await learn(old, tmp_path, "GET /api", "GET /steady")
    rules = yaml.safe_load(learned.to_json()["yaml"])
    assert rules == {
        "ignore": ["$.generated_at", "$.studies[].viewed", '$["odd\\u0027s"]'],
        "ignore_headers": ["X-Served-For"],
        "unordered": ["$.modalities"],
    }
    check = Diff.model_validate({"requests": ["GET /api", "GET /steady"], "concurrency": 1, **rules})
    result = await check.run(Context(old, old, tmp_path))
    assert result.verdict is Verdict.PASS
    assert (await learn(old, tmp_path, "GET /api", **rules)).rules == []


async def test_the_proposal_says_what_was_seen(old: str, tmp_path: Path) -> None:
    text = (await learn(old, tmp_path, "GET /api")).to_json()["yaml"]
    assert '  - \'$.generated_at\'  # GET /api: "2026-01-01T10:00:01Z" then "2026-01-01T10:00:02Z"' in text


async def test_what_no_rule_should_hide_is_named(old: str, tmp_path: Path) -> None:
    learned = await learn(old, tmp_path, "GET /moody", "GET /growing")
    assert learned.rules == []
    assert {(endpoint, path) for endpoint, path, _ in learned.unruly} == {
        ("GET /moody", "status"), ("GET /growing", "$.items[]"),
    }  # fmt: skip


async def test_what_writes_is_not_asked_twice(tmp_path: Path) -> None:
    async with RawServer(json_answer({})).running() as server:
        learned = await learn(server.url, tmp_path, {"method": "POST", "path": "/a", "unsafe": True})
    assert learned.report.compared == 0
    assert learned.report.skipped.names == ["POST /a"]


async def test_a_baseline_is_asked_second(tmp_path: Path) -> None:
    one, other = RawServer(json_answer({"host": "a", "n": 1})), RawServer(json_answer({"host": "b", "n": 1}))
    async with one.running(), other.running():
        learned = await learn(one.url, tmp_path, "GET /a", baseline=other.url + "/")
    assert [(rule.option, rule.name) for rule in learned.rules] == [("ignore", "$.host")]


async def test_a_cookie_that_moves_is_left_out_with_its_header(tmp_path: Path) -> None:
    one, other = (RawServer(json_answer({}, f"Set-Cookie: sid=1; Path=/{path}")) for path in ("a", "b"))
    async with one.running(), other.running():
        learned = await learn(one.url, tmp_path, "GET /a", baseline=other.url)
    assert [(rule.option, rule.name) for rule in learned.rules] == [("ignore_headers", "Set-Cookie")]
