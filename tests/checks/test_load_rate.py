"""The check ``load`` with a rate: requests arrive whatever became of those before, and a stall shows."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from cutover.checks.load import Load
from cutover.plan.thresholds import Verdict

if TYPE_CHECKING:
    from .conftest import Handler, MakeContext, Nginx, Serving

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
STALL_S = 1.0


def rated(**settings: Any) -> Load:
    return Load.model_validate({"backend": "new", "rate": "200/s", "count": 40, "timeout": "5s", **settings})


def seen(result: Any, backend: str = "new") -> dict[str, Any]:
    found: dict[str, Any] = result.details["backends"][backend]
    return found


def stalling(after: int) -> Handler:
    """Answers at once; but the request after so many, and all that come within the second that follows, wait."""
    asked, over = 0, asyncio.Event()
    over.set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        while True:
            await reader.readuntil(b"\r\n\r\n")
            asked += 1
            if asked == after:
                over.clear()
                asyncio.get_running_loop().call_later(STALL_S, over.set)
            await over.wait()
            writer.write(OK)

    return handle


async def test_a_stall_of_a_second_shows_in_p99_of_arrivals_and_not_of_clients_that_wait(
    serving: Serving, context: MakeContext
) -> None:
    limits = {"timeout": "10s", "thresholds": ["p99 <= 500ms"]}
    waiting = Load.model_validate({"backend": "new", "concurrency": 4, "count": 1000, **limits})
    closed = await waiting.run(context(new=await serving.start(stalling(after=500))))
    assert closed.figures["max"] >= 0.9 * STALL_S
    assert closed.figures["p99"] < 0.5 * STALL_S, closed.summary
    arriving = Load.model_validate({"backend": "new", "rate": "200/s", "for": "2s", **limits})
    opened = await arriving.run(context(new=await serving.start(stalling(after=100))))
    assert opened.figures["requests"] == 400
    assert opened.figures["p99"] >= 0.9 * STALL_S
    assert opened.verdict is Verdict.FAIL, opened.summary


async def test_a_stall_shows_as_well_when_connections_are_few(serving: Serving, context: MakeContext) -> None:
    port = await serving.start(stalling(after=100))
    result = await rated(count=300, concurrency=2, timeout="10s", thresholds=["p95 <= 100ms"]).run(context(new=port))
    assert result.verdict is Verdict.FAIL, result.summary
    assert result.figures["p95"] >= 0.5 * STALL_S
    assert seen(result)["at_least"]["p95"] >= 0.5 * STALL_S
    assert seen(result)["connects"] == serving.connections == 2


async def test_as_many_arrive_as_the_rate_says_in_the_time_that_it_says(serving: Serving, context: MakeContext) -> None:
    result = await rated(count=None, **{"for": "500ms"}).run(context(new=await serving.answer(OK)))
    assert seen(result)["errors"] == {}
    assert result.figures["requests"] == len(serving.requests) == 100
    assert result.figures["rps"] <= 200
    assert seen(result)["seconds"] >= 0.5
    assert seen(result)["received"] == 100 * len(OK)
    assert result.figures["throughput"] == pytest.approx(100 * len(OK) / seen(result)["seconds"])


async def test_arrivals_do_not_wait_for_answers(serving: Serving, context: MakeContext) -> None:
    result = await rated(count=40).run(context(new=await serving.answer(OK, delay=1)))
    assert seen(result)["errors"] == {}
    assert serving.connections == seen(result)["connects"] == 40
    assert result.figures["p50"] < 2


async def test_a_connection_that_is_free_is_used_again(serving: Serving, context: MakeContext) -> None:
    result = await rated(count=20, rate="20/s").run(context(new=await serving.answer(OK)))
    assert len(serving.requests) == result.figures["requests"] == 20
    assert serving.connections < 20


async def test_what_finds_no_connection_waits_for_one_and_its_wait_counts(
    serving: Serving, context: MakeContext
) -> None:
    port = await serving.answer(OK, delay=0.1)
    result = await rated(count=20, concurrency=2).run(context(new=port))
    assert serving.connections == 2
    # Two at a time, a tenth of a second each: the last of those that came in a tenth of a second is done after one.
    assert result.figures["max"] >= 0.8
    assert seen(result)["at_least"]["max"] >= 0.5
    assert 14 <= seen(result)["queued"] <= 19
    assert f"{seen(result)['queued']} requests waited for a connection, as concurrency allows no more" in result.summary
    free = await rated(count=20, rate="40/s").run(context(new=await serving.answer(OK)))
    assert seen(free)["queued"] == 0
    assert "waited for a connection" not in free.summary


async def test_a_wait_that_is_too_long_is_a_time_out(serving: Serving, context: MakeContext) -> None:
    port = await serving.answer(OK, delay=30)
    settings = rated(count=10, concurrency=1, timeout="300ms", thresholds=["errors == 0%", "p50 <= 100ms"])
    result = await settings.run(context(new=port))
    assert result.verdict is Verdict.FAIL
    assert seen(result)["errors"] == {"timeout": 10}
    assert "10 requests" in result.summary
    assert "100% errors (10 timeout)" in result.summary
    assert "GET /: no connection was free in time" in seen(result)["samples"]
    assert result.figures["p50"] >= 0.3


async def test_every_arrival_at_a_backend_that_is_down_is_one_error(context: MakeContext, closed_port: int) -> None:
    result = await rated(count=20).run(context(new=closed_port))
    assert result.verdict is Verdict.FAIL
    assert seen(result)["errors"] == {"refused": 20}
    assert "Connection refused (20 times)" in result.summary


async def test_a_connection_that_ends_with_its_answer_is_followed_by_another(
    serving: Serving, context: MakeContext
) -> None:
    answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
    result = await rated(concurrency=3).run(context(new=await serving.answer(answer, close=True)))
    assert seen(result)["errors"] == {}
    assert serving.connections == 40


async def test_a_connection_that_ages_and_is_closed_is_no_error(serving: Serving, context: MakeContext) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await asyncio.sleep(0.02)

    result = await rated(count=4, rate="4/s").run(context(new=await serving.start(handle)))
    assert seen(result)["errors"] == {}
    assert serving.connections == 4


async def test_the_warm_up_is_at_the_rate_and_not_counted(serving: Serving, context: MakeContext) -> None:
    result = await rated(count=20, rate="50/s", warm_up="400ms").run(context(new=await serving.answer(OK)))
    assert result.figures["requests"] == 20
    assert len(serving.requests) == 40


async def test_a_rate_that_the_generator_can_not_keep_is_unknown(
    serving: Serving, context: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A fast machine nearly keeps the greatest rate there is: so one worker alone, and answers that take time to read.
    monkeypatch.setattr("cutover.load.run.worker_count", lambda _: 1)
    port = await serving.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 65536\r\n\r\n" + bytes(65536))
    settings = rated(rate="100000/s", count=40_000, concurrency=20, thresholds=["p95 <= 1m", "rps >= 99000"])
    result = await settings.run(context(new=port))
    assert result.verdict is Verdict.UNKNOWN, result.summary
    assert "the load generator could not keep the rate to new" in result.summary
    assert seen(result)["kept_rate"] is False
    assert result.details["thresholds"]["rps >= 99000"] is Verdict.UNKNOWN


async def test_new_and_old_get_the_same_arrivals(serving: Serving, context: MakeContext) -> None:
    ctx = context(new=await serving.answer(OK), old=await serving.answer(OK))
    result = await rated(count=60, thresholds=["errors <= old + 1%"]).run(ctx)
    assert [seen(result, name)["figures"]["requests"] for name in ("new", "old")] == [60, 60]


async def test_a_real_nginx_saw_every_arrival(nginx: Nginx, context: MakeContext) -> None:
    result = await rated(count=300, rate="300/s").run(context(new=nginx.port))
    assert result.verdict is Verdict.PASS, result.summary
    assert nginx.log.read_text().splitlines() == ["1 200"] * 300


async def test_workers_share_the_arrivals(nginx: Nginx, context: MakeContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cutover.load.run.worker_count", lambda _: 3)
    result = await rated(count=100).run(context(new=nginx.port))
    assert seen(result)["errors"] == {}
    assert len(nginx.log.read_text().splitlines()) == result.figures["requests"] == 100


def test_a_rate_that_can_not_be_what_is_meant_is_a_mistake() -> None:
    for settings, words in (
        ({"rate": 200}, "200 is not a rate"),
        ({"rate": "0/s"}, "no rate that can be kept"),
        ({"rate": "10/s", "count": 1000, "for": "5s"}, "1000 requests at 10/s take 1m40s, and it ends after 5s"),
    ):
        with pytest.raises(ValidationError, match=words):
            Load.model_validate({"backend": "new", **settings})


def test_says_the_rate_and_how_long_it_takes() -> None:
    plain = Load.model_validate({"backend": "new", "rate": "90/m", "for": "30s", "thresholds": ["p99 <= 1s"]})
    assert plain.summary() == "new under 1.5/s, 30s: p99 <= 1s"
    assert plain.least_seconds() == 30
    counted = Load.model_validate({"backend": "new", "rate": "50/s", "count": 100, "concurrency": 20})
    assert counted.summary() == "new under 50/s on 20 connections at most, 100 requests: errors == 0%"
    assert counted.least_seconds() == 2
