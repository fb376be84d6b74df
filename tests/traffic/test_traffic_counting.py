"""From lines to counts: every try, whose it was, and nothing that is not clients' traffic."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutover.traffic.counting import MAX_ROUTES, Counting
from cutover.traffic.seen import Seen
from cutover.traffic.times import Times
from cutover.traffic.tries import Backends
from tests.support.accesslog import BACKENDS, FALLBACK, NEW, OLD, line, old


def count(data: bytes, backends: Backends = BACKENDS, **settings: Any) -> Seen:
    return Counting(backends, **settings).count(data).seen


def test_each_request_is_counted_for_the_backend_that_it_went_to() -> None:
    seen = count(line() * 3 + old() * 5 + line(upstream_response_time="0.020"))
    new = seen.total("new")
    assert (new.requests, new.tries, new.failed, new.drawn, seen.total("old").requests) == (4, 4, 0, 4, 5)
    assert new.times.count == 4
    assert new.times.max == 0.020
    assert new.times.mean == pytest.approx(0.0125)


def tries(addresses: str, statuses: str, status: int = 200, fallback: str = "") -> dict[str, Any]:
    took = " : ".join("0.001" for _ in addresses.split(" : "))
    return {
        "upstream_addr": addresses, "upstream_status": statuses, "upstream_response_time": took, "status": status,
        "fallback": fallback,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "failed", "hidden", "client_errors"),
    [
        (tries(NEW, "200"), 0, 0, 0),
        (tries(NEW, "404", 404), 0, 0, 0),
        (tries(NEW, "500", 500), 1, 0, 1),
        (tries(NEW, "502", 502), 1, 0, 1),
        (tries(f"{NEW}, {NEW}", "502, 200"), 1, 1, 0),
        (tries(f"{NEW} : {NEW}", "504 : 200"), 1, 1, 0),
        (tries(f"{NEW} : {FALLBACK}", "502 : 200", fallback="1"), 1, 1, 0),
        (tries(f"{NEW} : {NEW}", "502 : -", 502), 2, 0, 1),
        (tries(NEW, "-", 499), 0, 0, 0),
    ],
)
def test_an_error_of_new_is_a_try_that_failed_whatever_the_client_saw(
    fields: dict[str, Any], failed: int, hidden: int, client_errors: int
) -> None:
    seen = count(line(**fields))
    new = seen.total("new")
    assert (new.requests, new.failed, new.hidden, new.client_errors) == (1, failed, hidden, client_errors)
    assert seen.unreadable == 0


def test_a_client_that_gave_up_is_no_error_and_its_wait_counts() -> None:
    new = count(line(status=499, upstream_status="-", upstream_response_time="7.500")).total("new")
    assert (new.failed, new.gave_up, new.times.max) == (0, 1, 7.5)


def test_the_life_of_a_websocket_says_nothing_of_how_quick_a_backend_is() -> None:
    new = count(line(status=101, upstream_status="101", upstream_response_time="3600.000")).total("new")
    assert (new.requests, new.times.count) == (1, 0)


def test_probes_and_picked_sides_are_left_out() -> None:
    seen = count(line() + line(probe="1", status=500, upstream_status="500") + old(override="old") * 2)
    assert (seen.total("new").requests, seen.total("new").failed, seen.total("old").requests) == (1, 0, 0)
    assert (seen.probes, seen.picked, seen.lines) == (1, 2, 4)


def test_answers_under_the_configuration_before_are_left_out() -> None:
    seen = count(line() + old(revision="ffffffffffffffff"), revision="0123456789abcdef")
    assert (seen.total("new").requests, seen.total("old").requests, seen.earlier) == (1, 0, 1)


def test_requests_on_routes_of_one_side_are_judged_and_not_drawn() -> None:
    seen = count(line(route="/api-dj/") + line() + old(), Backends(BACKENDS.addresses, pinned=frozenset({"/api-dj/"})))
    assert (seen.total("new").requests, seen.total("new").drawn, seen.total("old").drawn) == (2, 1, 1)


def test_what_no_backend_was_asked_for_counts_for_none() -> None:
    seen = count(line(upstream_addr="", upstream_status="", upstream_response_time="", status=404))
    assert seen.tallies == {}
    assert (seen.lines, seen.unreadable) == (1, 0)


def test_an_unknown_address_is_whose_names_can_be_anything() -> None:
    by_name = Backends({OLD: "old"}, rest="new")
    assert count(line(upstream_addr="172.18.0.3:80", side=""), by_name).total("new").requests == 1
    assert count(line(upstream_addr="172.18.0.3:80", side="old"), by_name).total("old").requests == 1
    nobodys = count(line(upstream_addr="172.18.0.3:80", side=""))
    assert nobodys.total("new").requests == 0
    assert nobodys.elsewhere == {"172.18.0.3:80": 1}


@pytest.mark.parametrize("address", ["unix:/run/new.sock", "[::1]:8000", "medical_api_new"])
def test_addresses_of_every_form_are_read(address: str) -> None:
    backends = Backends({address: "new", OLD: "old"})
    fields = {
        "upstream_addr": f"{address} : {OLD}",
        "upstream_status": "502 : 200",
        "upstream_response_time": "0.1 : 0.1",
    }
    seen = count(line(**fields), backends)
    assert (seen.total("new").failed, seen.total("old").requests) == (1, 1)


GARBAGE = [
    b"",
    b"garbage",
    b"null",
    b"[]",
    b"{}",
    b'"text"',
    b'{"status": 200}',
    b"\xff\xfe\x00",
    b'127.0.0.1 - - [31/Jan/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 15',
    line()[:150],
    line(status="200").strip(),
    line(status=None).strip(),
    line(upstream_addr=7).strip(),
    line(upstream_addr=["a"]).strip(),
    line(upstream_response_time={}).strip(),
    line(upstream_addr=f"{NEW}, {NEW}").strip(),
    line(upstream_status="two hundred").strip(),
    line(uri=None).strip(),
    line(route=None).strip(),
    line(upstream_response_time=0.01).strip(),
    b"[" * 100_000,
]


@pytest.mark.parametrize("routes", [[], ["/api/v1/studies"]])
@pytest.mark.parametrize("garbage", GARBAGE)
def test_garbage_is_counted_and_hides_no_line_around_it(garbage: bytes, routes: list[str]) -> None:
    seen = count(line() * 2 + garbage + b"\n" + old() + line(status=500, upstream_status="500"), routes=routes)
    assert seen.total("new").failed == 1
    assert seen.total("new").requests + seen.total("old").requests == 4
    assert seen.unreadable == 1
    assert bool(seen.example) == bool(garbage)


@given(st.lists(st.binary(max_size=80), max_size=20))
def test_no_bytes_at_all_are_an_error(parts: list[bytes]) -> None:
    data = b"\n".join([*parts, line().strip(), b""])
    assert count(data).total("new").requests == 1


def test_a_path_that_is_no_utf8_counts() -> None:
    odd = line(uri="/here", status=500, upstream_status="500").replace(b"/here", b"/\xff\xfe")
    assert count(odd + line()).total("new").failed == 1


def test_lines_from_before_a_field_existed_count() -> None:
    before = line().replace(b'"bucket":"","revision":"0123456789abcdef",', b"")
    assert b"revision" not in before
    assert count(before, revision="0123456789abcdef").total("new").requests == 1


def test_the_longest_prefix_that_matches_is_the_route() -> None:
    paths = ["/api/v1/search", "/api/v1/search/deep", "/api/v1/studies", "/other"]
    seen = count(b"".join(line(uri=path) for path in paths), routes=["/api/v1", "/api/v1/search"])
    assert {route: seen.total("new", route.__eq__).requests for route in seen.routes} == {
        "/api/v1/search": 2, "/api/v1": 1, "/api/": 1,
    }  # fmt: skip


def test_beyond_a_number_of_routes_they_are_counted_together() -> None:
    seen = count(b"".join(line(route=f"/{number}") for number in range(MAX_ROUTES + 50)))
    assert len(seen.routes) == MAX_ROUTES + 1
    assert seen.total("new").requests == MAX_ROUTES + 50


def test_client_buckets_are_counted_for_what_was_drawn() -> None:
    seen = count(line(bucket="3") * 2 + old(bucket="7") + line(bucket="9", probe="1"))
    assert seen.buckets == {"3": 2, "7": 1}


@given(st.lists(st.tuples(st.booleans(), st.sampled_from(["200", "503"]), st.integers(0, 5000)), max_size=60))
def test_parts_add_up_to_the_whole(requests: list[tuple[bool, str, int]]) -> None:
    lines = [
        (line if new else old)(upstream_status=status, upstream_response_time=f"{ms / 1000:.3f}")
        for new, status, ms in requests
    ]
    counting = Counting(BACKENDS)
    whole = counting.count(b"".join(lines)).seen
    parts = [counting.count(b"".join(lines[at : at + 7])).seen for at in range(0, len(lines), 7)]
    merged = [Seen.merged(parts), Seen.merged(parts)]  # merging leaves the parts as they are
    for one in merged:
        for backend in ("old", "new"):
            a, b = whole.total(backend), one.total(backend)
            assert (a.requests, a.tries, a.failed, a.drawn) == (b.requests, b.tries, b.failed, b.drawn)
            assert a.times.count == b.times.count
            assert a.times.percentile(95) == b.times.percentile(95)
            assert a.times.mean == pytest.approx(b.times.mean)


@given(st.lists(st.tuples(st.integers(0, 4_000_000), st.integers(1, 5)), max_size=40))
def test_many_times_at_once_are_as_each_of_them(counted: list[tuple[int, int]]) -> None:
    one_by_one, at_once = Times(), Times()
    told = Counter[float]()
    for ms, count in counted:
        one_by_one.add(ms / 1000, count)
        told[ms / 1000] += count
    at_once.add_all(told)
    assert (at_once.count, at_once.max, at_once.bins()) == (one_by_one.count, one_by_one.max, one_by_one.bins())
    assert at_once.mean == pytest.approx(one_by_one.mean)
    for percent in (0, 50, 95, 99.9, 100):
        assert at_once.percentile(percent) == one_by_one.percentile(percent)
