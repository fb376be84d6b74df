"""What happens to a request whose backend fails: it never crosses sides, and nothing that writes runs twice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.nginx import Backend, Bench, fetch
from tests.support.ports import free_port

UNSAFE = ("POST", "PUT", "PATCH", "DELETE")
BODY = b"x" * 20_000


async def with_fallback(bench: Bench, templates: Path | None = None, **outer: object) -> Backend:
    fallback = await bench.backend("fallback")
    proxy = bench.proxy(bench.spec(fallback=[fallback.server], **outer), templates)
    await proxy.ensure(bench.guard)
    return fallback


@pytest.mark.parametrize("by", ["request", "client"])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
async def test_no_retry_crosses_sides(bench: Bench, by: str, method: str) -> None:
    proxy = await bench.ready(bench.spec(split={"by": by}))
    await proxy.change(50, bench.guard)
    bench.new.how = "reset"
    statuses = [
        (await fetch(bench.port, method=method, headers={"User-Agent": f"agent {n}"}, body=b"x")).status
        for n in range(20)
    ]
    served_by_old, failed = statuses.count(200), statuses.count(502)
    assert served_by_old + failed == 20
    assert failed > 0
    assert bench.old.seen[method] == served_by_old
    if method != "GET":
        assert bench.new.seen[method] == failed


async def test_a_read_whose_server_resets_is_tried_once_more_on_its_side(bench: Bench) -> None:
    second = await bench.backend("second")
    proxy = await bench.ready(bench.spec(new=[bench.new.server, second.server]))
    await proxy.change(100, bench.guard)
    bench.new.how = "reset"
    answers = [await fetch(bench.port) for _ in range(10)]
    assert {answer.body for answer in answers} == {"second"}
    assert bench.old.seen["GET"] == 0


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_read_goes_to_the_fallback_when_its_side_resets(bench: Bench, method: str) -> None:
    fallback = await with_fallback(bench)
    bench.old.how = "reset"
    assert (await fetch(bench.port, method=method)).status == 200
    assert (bench.old.seen[method], fallback.seen[method], bench.new.seen[method]) == (1, 1, 0)


@pytest.mark.parametrize("method", UNSAFE)
async def test_a_write_that_was_sent_is_never_sent_again(bench: Bench, method: str) -> None:
    fallback = await with_fallback(bench)
    bench.old.how = "reset"
    assert (await fetch(bench.port, method=method, body=BODY)).status == 502
    assert (bench.old.seen[method], fallback.seen.total(), bench.new.seen.total()) == (1, 0, 0)


@pytest.mark.parametrize("method", ["GET", *UNSAFE])
async def test_anything_goes_to_the_fallback_when_nothing_was_sent(bench: Bench, method: str) -> None:
    fallback = await with_fallback(bench, old=[f"127.0.0.1:{free_port()}"])
    answer = await fetch(bench.port, method=method, body=BODY)
    assert (answer.status, answer.body) == (200, "fallback")
    assert fallback.seen[method] == 1
    assert fallback.body == BODY


async def test_the_fallback_waits_until_the_whole_side_is_down(bench: Bench) -> None:
    fallback = await with_fallback(bench, old=[f"127.0.0.1:{free_port()}", bench.old.server])
    assert [(await fetch(bench.port, method="PUT", body=b"x")).body for _ in range(6)] == ["old"] * 6
    assert fallback.seen.total() == 0


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_what_a_backend_answers_itself_is_passed_on(bench: Bench, status: int) -> None:
    fallback = await with_fallback(bench)
    bench.old.status = status
    assert (await fetch(bench.port)).status == status
    assert fallback.seen.total() == 0


async def test_a_side_that_times_out_is_told_from_one_that_is_down(bench: Bench, tmp_path: Path) -> None:
    templates = impatient_templates(tmp_path / "templates")
    fallback = await with_fallback(bench, templates)
    bench.old.how = "hang"
    assert (await fetch(bench.port)).body == "fallback"
    assert (await fetch(bench.port, method="PUT", body=b"x")).status == 504
    assert fallback.seen["PUT"] == 0
    lines = [json.loads(line) for line in (bench.state.nginx / "access.log").read_text().splitlines()]
    assert lines[0]["upstream_addr"] == f"{bench.old.server} : {fallback.server}"
    assert (lines[0]["upstream_status"], lines[0]["side"], lines[0]["fallback"]) == ("504 : 200", "old", "1")


async def test_one_failure_takes_no_server_out(bench: Bench) -> None:
    proxy = await bench.ready()
    await proxy.change(50, bench.guard)
    bench.new.how = "reset"
    assert {(await fetch(bench.port, method="POST")).status for _ in range(10)} == {200, 502}
    bench.new.how = "ok"
    assert await bench.share(20) == {"old": 10, "new": 10}


def impatient_templates(folder: Path) -> Path:
    """The templates, with a proxy that waits for one second."""
    source = Path(__file__).parents[2] / "templates" / "nginx"
    folder.mkdir()
    for template in source.iterdir():
        text = template.read_text()
        (folder / template.name).write_text(
            text.replace("proxy_redirect off;", "proxy_redirect off;\nproxy_read_timeout 1s;")
        )
    return folder
