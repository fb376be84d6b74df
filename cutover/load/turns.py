"""Several backends under the same load, in turns: what changes meanwhile around them changes for all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TypeVar

from cutover.load.order import Order
from cutover.load.run import rotated

Name = TypeVar("Name", bound=str)


def turns(orders: Mapping[Name, Order], count: int) -> Iterator[tuple[Name, Order]]:
    """Each backend's share of each turn: the same time, requests and pace for all.

    Whoever comes first in one turn comes last in the next. A turn goes on with the requests where the one before it
    ended, or may have.
    """
    names, asked = list(orders), dict.fromkeys(orders, 0)
    for turn in range(count):
        for name in names if turn % 2 == 0 else reversed(names):
            order = orders[name]
            share = None if order.count is None else order.count // count + (turn < order.count % count)
            yield (
                name,
                replace(
                    order,
                    requests=rotated(order.requests, asked[name]),
                    seconds=order.seconds / count,
                    count=share,
                    warm_up=order.warm_up if turn == 0 else 0.0,
                ),
            )
            asked[name] += share if share is not None else -(-len(order.requests) // count)
