"""Backends in turns get the same load, and neither always comes first."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from cutover.load.order import Order, Prepared
from cutover.load.turns import turns


def order(requests: int = 3, *, count: int | None = None, rate: float | None = None) -> Order:
    asked = tuple(Prepared(f"GET /{n}", "") for n in range(requests))
    return Order("h", 80, tls=False, requests=asked, concurrency=4, seconds=8.0, count=count, warm_up=1.0, timeout=1.0,
                 rate=rate)  # fmt: skip


@given(st.integers(1, 6), st.none() | st.integers(6, 100), st.none() | st.floats(1, 100), st.integers(1, 20))
def test_every_turn_is_the_same_for_both(count: int, requests: int | None, rate: float | None, urls: int) -> None:
    alike = order(urls, count=requests, rate=rate)
    taken = list(turns({"new": alike, "old": alike}, count))
    new, old = ([share for name, share in taken if name == which] for which in ("new", "old"))
    assert new == old
    assert len(new) == count
    assert sum(share.seconds for share in new) > 7.999
    assert requests is None or sum(share.count or 0 for share in new) == requests
    assert {share.rate for share in new} == {rate}


def test_whoever_comes_first_comes_last_in_the_next_turn_and_only_the_first_warms_up() -> None:
    taken = list(turns({"new": order(), "old": order()}, 4))
    assert [name for name, _ in taken] == ["new", "old", "old", "new", "new", "old", "old", "new"]
    assert [share.warm_up for _, share in taken] == [1.0, 1.0, 0, 0, 0, 0, 0, 0]


@given(st.integers(1, 4), st.integers(4, 60), st.integers(1, 12))
def test_turns_together_ask_for_every_request_as_often_as_one_would(count: int, requests: int, urls: int) -> None:
    asked: Counter[str] = Counter()
    for _, share in turns({"new": order(urls, count=requests)}, count):
        asked.update(share.requests[n % urls].label for n in range(share.count or 0))
    whole = Counter(f"GET /{n % urls}" for n in range(requests))
    assert asked == whole
