"""From a request of the plan to bytes, and from an order to shares of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cutover.load.order import Order, Prepared
from cutover.load.prepare import prepare
from cutover.load.run import shares
from cutover.plan.request import Request


def wire(request: Any, url: str = "http://h:80", headers: dict[str, str] | None = None) -> bytes:
    prepared = prepare(Request.model_validate(request), url, headers or {}, None)
    return prepared.wire.encode("latin-1")


def test_a_request_is_bytes_with_the_host_first() -> None:
    assert wire("GET /a?b=c", headers={"X-A": "1"}) == b"GET /a?b=c HTTP/1.1\r\nHost: h:80\r\nX-A: 1\r\n\r\n"


def test_the_path_of_the_url_comes_before_that_of_the_request() -> None:
    assert wire("GET /a", url="http://h:80/base/").startswith(b"GET /base/a HTTP/1.1\r\n")


def test_userinfo_is_not_part_of_the_host() -> None:
    assert b"Host: h:80\r\n" in wire("GET /a", url="http://anna:secret@h:80")


def test_what_is_no_ascii_is_escaped() -> None:
    assert wire("GET /ü%20?q=é").startswith(b"GET /%C3%BC%20?q=%C3%A9 HTTP/1.1\r\n")


def test_the_plans_host_wins_and_its_framing_does_not() -> None:
    sent = wire(
        {"path": "/", "method": "POST", "body": "abc", "unsafe": True}, headers={"host": "x", "content-length": "9"}
    )
    assert sent.count(b"Host: x\r\n") == 1
    assert sent.endswith(b"Content-Length: 3\r\n\r\nabc")


def test_json_is_sent_as_json() -> None:
    sent = wire({"path": "/", "method": "POST", "json": {"ä": 1}, "unsafe": True})
    assert b"Content-Type: application/json\r\nContent-Length: 9\r\n" in sent
    assert sent.endswith('{"ä": 1}'.encode())


def test_a_method_that_may_have_a_body_says_that_it_has_none() -> None:
    assert b"Content-Length: 0" in wire({"path": "/", "method": "DELETE", "unsafe": True})
    assert b"Content-Length" not in wire("GET /")


@given(st.integers(1, 500), st.none() | st.integers(1, 500), st.integers(1, 8))
def test_shares_add_up_to_the_order(concurrency: int, count: int | None, workers: int) -> None:
    order = Order("h", 80, tls=False, requests=(Prepared("GET /", ""),), concurrency=concurrency, seconds=1.0,
                  count=count, warm_up=0.0, timeout=1.0)  # fmt: skip
    split = shares(order, workers)
    assert sum(share.concurrency for share in split) == min(concurrency, count or concurrency)
    assert all(share.concurrency for share in split)
    if count is not None:
        assert sum(share.count or 0 for share in split) == count
        assert all(share.count for share in split)


@settings(deadline=None)
@given(st.floats(0.01, 200), st.floats(0.1, 10), st.none() | st.integers(1, 1000), st.integers(1, 8))
def test_shares_of_a_rate_are_the_arrivals_of_the_rate(
    rate: float, seconds: float, count: int | None, workers: int
) -> None:
    order = Order("h", 80, tls=False, requests=(Prepared("GET /", ""),), concurrency=100, seconds=seconds,
                  count=count, warm_up=0.0, timeout=1.0, rate=rate)  # fmt: skip
    whole = sorted(n / rate for n in range(order.arrivals))
    split = [share.offset + n / (share.rate or 1) for share in shares(order, workers) for n in range(share.arrivals)]
    assert sorted(split) == pytest.approx(whole)


@given(st.integers(1, 50), st.integers(1, 8))
def test_workers_begin_with_different_requests(urls: int, workers: int) -> None:
    requests = tuple(Prepared(f"GET /{n}", "") for n in range(urls))
    order = Order("h", 80, tls=False, requests=requests, concurrency=100, seconds=1.0, count=None, warm_up=0.0,
                  timeout=1.0)  # fmt: skip
    split = shares(order, workers)
    assert all(sorted(share.requests, key=requests.index) == list(requests) for share in split)
    assert len({share.requests[0] for share in split}) == min(urls, workers)
