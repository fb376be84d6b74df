"""What a gate says when it asks the judge: of which requests, beside which limits, in which words."""

from __future__ import annotations

from typing import Any

import pytest

from cutover.plan.thresholds import Verdict, parse_threshold
from cutover.traffic.conclude import ALL, Conclusion, Question, conclude
from cutover.traffic.counting import Counting
from cutover.traffic.judge import Terms
from cutover.traffic.tries import Backends
from tests.support.accesslog import BACKENDS, line, old

TERMS = Terms(98.0, 25.0)
STUDIES, SEARCH = "/api/v1/studies", "/api/v1/search"


def requests(milliseconds: int, count: int = 400, failed: int = 0, **fields: Any) -> bytes:
    """Of new and of old: new takes so long, and old 100 ms; each time is there with some variety."""
    mine = b"".join(line(upstream_response_time=_took(milliseconds, n), **fields) for n in range(count))
    broken = line(upstream_status="500", status=500, upstream_response_time=_took(milliseconds, 0), **fields)
    theirs = b"".join(old(upstream_response_time=_took(100, n), **fields) for n in range(2 * count))
    return mine + broken * failed + theirs


def _took(milliseconds: int, number: int) -> str:
    return f"{milliseconds * (80 + number % 41) / 100_000:.3f}"


def concluded(
    data: bytes,
    limits: dict[str, list[str]] | None = None,
    terms: Terms | None = TERMS,
    backends: Backends = BACKENDS,
) -> Conclusion:
    told = {place: [parse_threshold(one) for one in some] for place, some in (limits or {}).items()}
    seen = Counting(backends, [place for place in told if place.startswith("/")]).count(data).seen
    seen.seconds = 60.0
    return conclude(Question(told, 33, 33, terms), seen)


def test_a_judge_alone_says_how_much_slower_and_of_how_many_requests() -> None:
    found = concluded(requests(150))
    assert found.verdict is Verdict.FAIL
    assert "fail: response times are 4" in found.summary
    assert " % slower than old (98 %, 400 and 800 requests); fail: p95 is " in found.summary
    assert found.details["judge"]["findings"][1]["worse"]["low"] == pytest.approx(1.47, abs=0.03)


def test_new_just_like_old_passes_and_says_what_it_could_hide() -> None:
    found = concluded(requests(100))
    assert found.verdict is Verdict.PASS
    assert "; not shown to be worse than old: errors at most " in found.summary


def test_without_a_judge_nothing_is_compared() -> None:
    found = concluded(requests(150), {ALL: ["errors <= 1%"]}, terms=None)
    assert found.verdict is Verdict.PASS
    assert "judge" not in found.details


def test_the_judge_and_limits_stand_side_by_side() -> None:
    assert concluded(requests(150), {ALL: ["p95 <= 1s"]}).verdict is Verdict.FAIL
    both_slow = concluded(requests(100), {ALL: ["p95 <= 50ms"]})
    assert both_slow.verdict is Verdict.FAIL
    assert "fail: p95 <= 50ms (p95 " in both_slow.summary
    assert {one["verdict"] for one in both_slow.details["judge"]["findings"]} == {"pass"}


def test_each_of_the_plans_routes_is_judged_where_the_gate_names_none() -> None:
    data = requests(100, route="/a/", count=2000) + requests(160, route="/b/", count=200)
    found = concluded(data)
    assert "fail: response times of /b/ are " in found.summary
    told = {(one["on"], one["metric"]): one["verdict"] for one in found.details["judge"]["findings"]}
    assert (told["/a/", "times"], told["/b/", "times"], told["all", "times"]) == ("pass", "fail", "pass")


def test_the_gates_routes_are_judged_with_and_without_limits_of_their_own() -> None:
    data = requests(160, uri=SEARCH) + requests(100, uri=STUDIES) + requests(100, uri="/other", route="/")
    found = concluded(data, {SEARCH: [], "/api": ["errors <= 1%"], "default": []})
    assert f"fail: response times of {SEARCH} are " in found.summary
    assert {one["on"] for one in found.details["judge"]["findings"]} == {"all", SEARCH, "/api", "default"}


def test_the_only_route_is_told_once() -> None:
    assert {one["on"] for one in concluded(requests(100)).details["judge"]["findings"]} == {"all"}


def test_routes_that_all_go_to_one_side_are_not_compared_with_others() -> None:
    pinned = Backends(BACKENDS.addresses, pinned=frozenset({"/api-dj/"}))
    slow = b"".join(line(route="/api-dj/", upstream_response_time="5.000") for _ in range(3000))
    found = concluded(requests(100) + slow, backends=pinned)
    assert found.verdict is Verdict.PASS
    assert concluded(slow, backends=pinned).verdict is Verdict.UNKNOWN


def test_few_requests_on_a_route_are_left_to_the_whole() -> None:
    few = requests(900, route="/rare/", count=20)
    assert concluded(requests(100, route="/a/", count=2000) + few).verdict is Verdict.PASS


def test_too_few_requests_at_all_are_unknown() -> None:
    found = concluded(requests(100, count=30))
    assert found.verdict is Verdict.UNKNOWN
    assert found.summary.endswith("; unknown: new had 30 of the 50 requests it takes to compare, 20 are missing")
    nobody = concluded(line() * 100)
    assert (nobody.verdict, "old had 0 of the 50 requests" in nobody.summary) == (Verdict.UNKNOWN, True)
    assert concluded(b"").verdict is Verdict.UNKNOWN


def test_errors_of_new_that_clients_never_saw_count() -> None:
    found = concluded(requests(100, failed=20))
    assert found.verdict is Verdict.FAIL
    assert "fail: errors are 4.76 %, " in found.summary
    assert " points above old's 0 % (98 %, 420 and 800 requests)" in found.summary


def test_a_reader_that_lags_passes_nothing() -> None:
    seen = Counting(BACKENDS).count(requests(100)).seen
    seen.behind = 1_000_000
    assert conclude(Question({}, 33, 33, TERMS), seen).verdict is Verdict.UNKNOWN


def test_limits_against_old_compare_the_routes_that_are_split() -> None:
    """As in a plan that sends all but one route to old: what old alone serves says nothing of new."""
    pinned = Backends(BACKENDS.addresses, pinned=frozenset({"/"}))
    slow_pages = b"".join(old(route="/", uri="/p", upstream_response_time=_took(2000, n)) for n in range(2000))
    failing_pages = old(route="/", upstream_status="500", status=500) * 2000
    for pages, limits in (
        (slow_pages, ["p95 <= 1.5x old", "p95 <= old + 50ms"]),
        (failing_pages, ["errors <= 2x old"]),
    ):
        found = concluded(requests(1000, failed=40, route="/api/") + pages, {ALL: limits}, None, pinned)
        assert [one["verdict"] for one in found.details["thresholds"]] == ["fail"] * len(limits)
        assert "(old 2" not in found.summary
    limits = ["p95 <= 1.5x old"]
    assert concluded(requests(100, route="/api/") + slow_pages, {ALL: limits}, None, pinned).verdict is Verdict.PASS
    with_api = {"/api/": limits}
    found = concluded(requests(1000, uri="/api/x", route="/api/") + slow_pages, with_api, None, pinned)
    assert found.verdict is Verdict.FAIL
