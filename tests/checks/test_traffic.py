"""The check ``traffic``: its settings, and what it says of real requests through a real nginx."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from cutover.checks.traffic import Traffic
from cutover.engine.observing import ProxyLog, backends_of
from cutover.hosts.base import LogCursor
from cutover.plan.thresholds import Verdict
from cutover.proxy import NginxProxy
from cutover.traffic.counting import Counting
from cutover.traffic.observer import Observer
from tests.checks.conftest import MakeContext
from tests.support.nginx import Bench, Clients, fetch


class Following:
    """A proxy at a weight, and its log from there on."""

    def __init__(self, bench: Bench, proxy: NginxProxy, context: MakeContext) -> None:
        self.bench = bench
        self.proxy = proxy
        self._context = context
        self.observer: Observer

    async def shift(self, weight: int, prefixes: tuple[str, ...] = ()) -> None:
        changed = await self.proxy.change(weight, self.bench.guard)
        path = await self.proxy.access_log()
        counting = Counting(backends_of(self.proxy.spec), prefixes, changed.live.revision or "")
        self.observer = Observer(
            ProxyLog(self.proxy), await self.proxy.host.log_end(path), counting, weight=weight, window=300.0
        )

    async def ask(self, requests: int, path: str = "/", **headers: str) -> None:
        await asyncio.gather(*(self._one(number, path, headers) for number in range(requests)))

    async def _one(self, number: int, path: str, headers: dict[str, str]) -> None:
        await fetch(self.bench.port, path, headers={"User-Agent": f"client {number}", **headers})

    async def judge(self, **settings: Any) -> Any:
        context = self._context()
        context.observer = self.observer
        return await Traffic.model_validate(settings).run(context)


@pytest.fixture
async def following(new_bench: Bench, context: MakeContext) -> Callable[..., Any]:
    async def make(weight: int = 50, prefixes: tuple[str, ...] = (), **proxy: Any) -> Following:
        made = Following(new_bench, await new_bench.ready(new_bench.spec(**proxy)), context)
        await made.shift(weight, prefixes)
        return made

    return make


async def test_new_and_old_alike_pass(following: Any) -> None:
    made = await following(50)
    await made.ask(120)
    result = await made.judge(thresholds=["errors <= 1%", "p95 <= 1s", "errors <= old + 1%", "share == weight"])
    assert result.verdict is Verdict.PASS
    assert result.summary.startswith("new: 60 requests, 0% errors, p95 ")
    assert result.summary.endswith(", share 50.0%")
    assert (result.figures["requests"], result.figures["errors"], result.figures["old_requests"]) == (60, 0, 60)
    assert result.details["backends"]["new"]["tries"] == 60


async def test_errors_of_new_that_a_fallback_hides_from_clients_fail(following: Any, new_bench: Bench) -> None:
    fallback = await new_bench.backend("fallback")
    made = await following(50, fallback=[fallback.server])
    new_bench.new.how = "reset"
    async with Clients(new_bench.port, 4) as clients:
        await clients.more(200)
    assert clients.failed == []
    result = await made.judge(thresholds=["errors <= 1%"])
    assert result.verdict is Verdict.FAIL
    assert "fail: errors <= 1% (errors 100%)" in result.summary
    assert "of its failures were hidden from clients by a retry" in result.summary
    assert result.figures["client_errors"] == 0
    assert result.figures["old_errors"] == 0


async def test_errors_of_new_that_a_retry_on_its_other_server_hides_fail(following: Any, new_bench: Bench) -> None:
    broken = await new_bench.backend("broken")
    broken.how = "reset"
    made = await following(50, new=[new_bench.new.server, broken.server])
    async with Clients(new_bench.port, 4) as clients:
        await clients.more(200)
    result = await made.judge(thresholds=["errors <= 5%"])
    assert result.verdict is Verdict.FAIL
    assert 20 <= result.figures["errors"] <= 55
    assert result.figures["hidden"] > 20


async def test_a_slow_new_fails_the_limit_and_the_ratio(following: Any, new_bench: Bench) -> None:
    made = await following(50)
    new_bench.new.delay_s = 0.15
    await made.ask(100)
    result = await made.judge(thresholds=["p95 <= 100ms", "p95 <= 1.5x old", "errors == 0%"])
    assert result.verdict is Verdict.FAIL
    assert [one["verdict"] for one in result.details["thresholds"]] == ["fail", "fail", "pass"]


async def test_no_requests_are_unknown(following: Any) -> None:
    made = await following(10)
    result = await made.judge(thresholds=["errors <= 100%"])
    assert result.verdict is Verdict.UNKNOWN
    assert result.summary == "new: no requests; unknown: new had 0 of the 20 requests it takes, 20 are missing"
    at_zero = await following(0)
    assert (await at_zero.judge(thresholds=["errors <= 1%"])).summary.startswith("new: no requests: the weight is 0")


async def test_probes_and_picked_sides_count_for_nothing(following: Any, new_bench: Bench) -> None:
    made = await following(50, split={"override": {"header": "X-Cutover"}})
    await made.ask(60)
    new_bench.new.status = 500
    await made.ask(10, **{"X-Cutover": "new"})
    await made.ask(20, **{"X-Cutover-Probe": "load"})
    result = await made.judge(thresholds=["errors == 0%", "share == weight"], min_requests=30)
    assert result.verdict is Verdict.PASS
    assert result.details["left_out"]["probes"] == 20
    assert result.details["left_out"]["picked_by_testers"] == 10


async def test_an_error_on_one_route_alone_is_found_and_named(following: Any, new_bench: Bench) -> None:
    made = await following(50, prefixes=("/api/search", "/api"))
    await made.ask(100, "/api/studies")
    new_bench.new.status = 503
    await made.ask(4, "/api/search?q=x")
    new_bench.new.status = 200
    await made.ask(100, "/other")
    limits = {"/api/search": ["errors <= 1%"], "/api": ["errors <= 1%"], "default": ["errors <= 1%"]}
    result = await made.judge(thresholds=["errors <= 10%"], routes=limits)
    assert result.verdict is Verdict.FAIL
    assert "/api/search: fail: errors <= 1% (errors 100%); new: " in result.summary
    verdicts = {one["on"]: one["verdict"] for one in result.details["thresholds"]}
    assert verdicts == {"all": "pass", "/api/search": "fail", "/api": "pass", "default": "pass"}
    assert result.details["routes"]["/api/search"]["new"]["requests"] == 2


async def test_a_route_without_requests_is_unknown_and_the_rest_may_be_empty(following: Any) -> None:
    made = await following(50, prefixes=("/api",))
    await made.ask(100, "/api/x")
    assert (await made.judge(routes={"/api": ["errors <= 1%"], "default": ["errors <= 1%"]})).verdict is Verdict.PASS
    missing = await made.judge(routes={"/other": ["errors <= 1%"], "/api": ["errors <= 1%"]})
    assert missing.verdict is Verdict.UNKNOWN
    assert "/other: unknown: new had 0 of the 50 requests it takes" in missing.summary
    assert (await made.judge(routes={"default": ["errors <= 1%"]})).verdict is Verdict.PASS


async def test_garbage_in_the_log_is_named_and_hides_nothing(following: Any, new_bench: Bench) -> None:
    made = await following(50)
    log = Path(await made.proxy.access_log())
    await made.ask(60)
    log.write_bytes(log.read_bytes() + b"\x00\xffgarbage\n{}\n")
    await made.ask(60)
    result = await made.judge(thresholds=["errors <= 1%"])
    assert result.verdict is Verdict.PASS
    assert result.figures["requests"] == 60
    assert result.summary.endswith("; 2 of the log's lines could not be read")
    assert "garbage" in result.details["unreadable_example"]


async def test_rotation_and_truncation_of_the_log_lose_no_request(following: Any, new_bench: Bench) -> None:
    made = await following(100)
    log = Path(await made.proxy.access_log())
    await made.ask(30)
    assert (await made.judge(thresholds=["errors == 0%"])).figures["requests"] == 30
    await made.ask(30)
    log.rename(log.with_name("access.log.1"))
    await made.ask(30)
    reopened = await asyncio.create_subprocess_exec(
        new_bench.binary, "-p", str(log.parent), "-c", str(log.with_name("nginx.conf")), "-s", "reopen"
    )
    assert await reopened.wait() == 0
    async with asyncio.timeout(10):
        while not log.exists():
            await asyncio.sleep(0.01)
    await made.ask(30)
    assert (await made.judge(thresholds=["errors == 0%"])).figures["requests"] == 120
    log.write_bytes(b"")
    await made.ask(30)
    result = await made.judge(thresholds=["errors == 0%"])
    assert (result.verdict, result.figures["requests"]) == (Verdict.PASS, 150)
    assert result.summary.endswith("the log was truncated or made anew")


async def test_a_log_that_cannot_be_read_is_unknown_with_the_reason(following: Any, new_bench: Bench) -> None:
    made = await following(50)
    Path(await made.proxy.access_log()).unlink()
    result = await made.judge(thresholds=["errors <= 1%"])
    assert result.verdict is Verdict.UNKNOWN
    assert result.summary.startswith("the proxy's log can't be read: there is no access log at /")


async def test_ones_own_server_block_without_the_log_is_told_the_line_it_needs(
    new_bench: Bench, context: MakeContext
) -> None:
    edge = new_bench.somebodys_nginx(conf=f"server {{ listen 127.0.0.1:{new_bench.port}; return 200 x; }}")
    spec = new_bench.spec(server=None, control=edge.control, config=str(edge.config))
    proxy = await new_bench.ready(spec)
    made = Following(new_bench, proxy, context)
    made.observer = Observer(ProxyLog(proxy), LogCursor(), Counting(backends_of(spec)), weight=10, window=60)
    result = await made.judge(thresholds=["errors <= 1%"])
    assert result.verdict is Verdict.UNKNOWN
    assert f"your own server block needs `access_log {await proxy.access_log()} cutover_medical_api;`" in result.summary


async def test_requests_that_were_on_their_way_before_the_shift_do_not_count(following: Any, new_bench: Bench) -> None:
    made = await following(0)
    async with Clients(new_bench.port, 20) as clients:
        await made.shift(100)
        await clients.more(400)
    result = await made.judge(thresholds=["share == weight"])
    assert result.verdict is Verdict.PASS
    assert result.figures["share"] == 100
    assert result.details["left_out"]["of_an_earlier_configuration"] <= 20


async def test_by_client_the_share_is_that_of_clients(following: Any, new_bench: Bench) -> None:
    made = await following(30, split={"by": "client"})
    await made.ask(300)
    result = await made.judge(thresholds=["share == weight", "errors == 0%"])
    assert result.verdict is Verdict.PASS
    assert 15 <= result.figures["share"] <= 45


async def test_clients_that_look_all_the_same_are_said_to(following: Any, new_bench: Bench) -> None:
    made = await following(1, split={"by": "client", "key": "$request_method"})
    await made.ask(30)
    result = await made.judge(thresholds=["errors == 0%"])
    assert result.verdict is Verdict.UNKNOWN
    assert result.summary.endswith("; the clients seen fall into 1 of 100 buckets, all of them on old")


async def test_a_judge_alone_compares_new_with_old_over_the_same_time(following: Any, new_bench: Bench) -> None:
    made = await following(50)
    await made.ask(60)
    few = await made.judge(judge={})
    assert few.verdict is Verdict.UNKNOWN
    assert "unknown: new had 30 of the 50 requests it takes to compare" in few.summary
    new_bench.new.status = 503
    await made.ask(140)
    result = await made.judge(judge={"confidence": "99%", "tolerance": "10%"})
    assert result.verdict is Verdict.FAIL
    assert re.search(
        r"fail: errors are 70 %, \d+ to \d+ points above old's 0 % \(99 %, 100 and 100 requests\)", result.summary
    )
    assert result.details["judge"]["confidence"] == 99


def test_a_judge_says_its_terms_and_takes_routes_without_limits() -> None:
    made = Traffic.model_validate({"judge": {}, "routes": {"/api": []}})
    assert made.summary() == "at most 25% worse than old, 98% sure"
    assert made.prefixes == ["/api"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "traffic needs thresholds, as in"),
        ({"thresholds": []}, "at least 1 item"),
        ({"thresholds": ["mismatches == 0%"]}, "traffic does not measure 'mismatches'; it measures errors, share, p50"),
        ({"thresholds": ["share <= 1.5x old"]}, "share is of new alone"),
        ({"thresholds": ["p95 <= 5"]}, "'5' is not a duration"),
        ({"routes": {"/api": ["share == weight"]}}, "traffic of /api does not measure 'share'"),
        ({"routes": {"api": ["errors <= 1%"]}}, "'api' is neither a path prefix, as in /api/v1/search, nor 'default'"),
        ({"routes": {"/a?b": ["errors <= 1%"]}}, "is neither a path prefix"),
        ({"routes": {"/api": []}}, "at least 1 item"),
        ({"judge": {"confidence": "49%"}}, "49% is no confidence: it is from 50% to 99.99%"),
        ({"judge": {"confidence": "100%"}}, "100% is no confidence"),
        ({"judge": {"confidence": 98}}, "98 is not a percentage"),
        ({"judge": {"tolerance": "-1%"}}, "is not a percentage"),
        ({"judge": {"tolerence": "1%"}}, "unknown key 'tolerence'; did you mean 'tolerance'?"),
        ({"thresholds": ["errors <= 1%"], "min_requests": 0}, "greater than or equal to 1"),
        ({"thresholds": ["errors <= 1%"], "window": "0s"}, "nothing could be seen"),
        ({"thresholds": ["errors <= 1%"], "treshold": 1}, "unknown key 'treshold'"),
    ],
)
def test_mistakes_are_told(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as error:
        Traffic.model_validate(settings)
    assert said in str(error.value)
