"""Which of many requests are asked."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st

from cutover.parity.sources.choice import Candidate, Choice
from cutover.parity.sources.drawn import LeavingOut


def chosen(
    requests: Iterable[tuple[str, str]], limit: int | None, max_bytes: int = 10**9
) -> tuple[list[str], LeavingOut]:
    leaving_out = LeavingOut()
    choice = Choice(leaving_out, max_bytes)
    for endpoint, path in requests:
        choice.add(endpoint, Candidate("GET", path))
    return [request.path for request in choice.chosen(limit)], leaving_out


def test_every_endpoint_is_asked_before_one_is_asked_twice() -> None:
    requests = [("a", "/a/1")] * 5 + [("a", "/a/2")] * 9 + [("b", "/b/1")] + [("c", "/c/1")] * 2 + [("c", "/c/2")]
    assert chosen(requests, 3)[0] == ["/a/2", "/c/1", "/b/1"]
    assert chosen(requests, 4)[0] == ["/a/2", "/c/1", "/b/1", "/a/1"]
    assert chosen(requests, None)[0] == ["/a/2", "/c/1", "/b/1", "/a/1", "/c/2"]


def test_the_most_frequent_comes_first_and_then_other_parameters() -> None:
    requests = [("a", f"/a?page={page}") for page in (1, 1, 1, 1, 2, 2, 2, 3)] + [
        ("a", "/a?q=x"),
        ("a", "/a?q=y&page=1"),
    ]
    assert chosen(requests, 4)[0] == ["/a?page=1", "/a?q=x", "/a?q=y&page=1", "/a?page=2"]


def test_what_the_limit_leaves_out_is_counted_by_endpoint() -> None:
    requests = [("a", "/a/1")] * 5 + [("a", "/a/2")] * 3 + [("b", "/b/1")]
    (one,) = chosen(requests, 2)[1].told()
    assert (one.reason, one.count, one.first) == ("beyond the limit of 2", 3, ["a"])


def test_an_endpoint_that_never_succeeded_is_none() -> None:
    leaving_out = LeavingOut()
    choice = Choice(leaving_out)
    choice.add("a", Candidate("GET", "/a/1"), succeeded=False)
    choice.add("b", Candidate("GET", "/b/1"), succeeded=False)
    choice.add("a", Candidate("GET", "/a/2"))
    assert [request.path for request in choice.chosen(None)] == ["/a/1", "/a/2"]
    assert [(one.count, one.first) for one in leaving_out.told()] == [(1, ["b"])]


def test_what_is_frequent_outlives_any_number_of_others() -> None:
    requests = []
    for number in range(20_000):
        requests.append((f"rare {number % 3000}", f"/rare/{number}"))
        requests.append(("often", f"/often/{number % 3}"))
    paths, leaving_out = chosen(requests, 4, max_bytes=200_000)
    assert paths[0].startswith("/often/")
    assert {one.reason for one in leaving_out.told()} == {
        "rare, among more requests than are kept in memory", "beyond the limit of 4",
    }  # fmt: skip


def test_memory_is_bounded_whatever_comes() -> None:
    def requests() -> Iterable[tuple[str, str]]:
        for number in range(30_000):
            yield f"endpoint {number if number % 2 else 0}", f"/{number}/{'x' * 500}"

    tracemalloc.start()
    chosen(requests(), 10, max_bytes=1_000_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3_000_000


REQUESTS = st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 9)), max_size=60)


@given(REQUESTS, st.integers(1, 20), st.integers(200, 5000))
@settings(deadline=None)
def test_nothing_is_lost_uncounted_and_nothing_is_chosen_twice(
    pairs: list[tuple[str, int]], limit: int, max_bytes: int
) -> None:
    requests = [(name, f"/{name}/{number}") for name, number in pairs]
    paths, leaving_out = chosen(requests, limit, max_bytes)
    assert len(paths) == len(set(paths)) <= limit
    asked = sum(path in paths for _, path in requests)
    # A request that was forgotten and came again counts as forgotten where it was.
    assert len(requests) - asked <= sum(one.count for one in leaving_out.told()) <= len(requests)
    again, told_again = chosen(requests, limit, max_bytes)
    assert (paths, leaving_out.told()) == (again, told_again.told())
