"""The ways in which the demo's new backend can be broken, and which gate finds each.

They are the rows of a migration's failure table: a code bug, slow queries, a missing endpoint, data that does not
match, tokens, pagination. Those that depend on traffic are here, the others stand in ``django_app`` where they happen.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal

from cutover.errors import UsageError

FAULT_ENV = "CUTOVER_DEMO_FAULT"

# One request at a time, as a careful test sends them, stays far below; 50 connections are far above.
MAX_IN_FLIGHT = 20
# Of the demo's traffic (traffic.DEFAULT_RATE_RPS) a tenth is half of this and a half more than twice of it, so that it
# also shows on a machine that is too slow for all of the traffic.
MAX_USER_RPS = 60
WINDOW_S = 1.0
SLOW_ROW_S = 0.005

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


@dataclass(frozen=True)
class Fault:
    """A way to break the new backend.

    ``seed_row`` is the scenario of the failure table that it stands for. ``gate`` is the step type that is expected to
    catch it, in ``phase``, when new has ``weight`` percent of the traffic.
    """

    name: str
    title: str
    seed_row: str
    gate: Literal["diff", "load"]
    phase: Literal["validate", "shift"] = "validate"
    weight: int = 0


_ALL = (
    Fault("errors-under-load", "500s when many requests are in flight", "Django returns 500 error", "load"),
    Fault("fails-at-half", "500s at about half of the users' traffic", "Django returns 500 error", "load", "shift", 50),
    Fault("slow-queries", "one slow query more for each row of a page", "Database query slow", "load"),
    Fault("missing-endpoint", "filter options were never implemented", "404 on some endpoints", "diff"),
    Fault("null-as-empty", 'null became ""', "Data mismatch", "diff"),
    Fault("date-format", "dates are no longer ISO 8601", "Data mismatch", "diff"),
    Fault("token", "tokens that the old backend issued are refused", "Token validation fails", "diff"),
    Fault("pagination", "pages overlap by one row", "Pagination broken", "diff"),
)
FAULTS: dict[str, Fault] = {fault.name: fault for fault in _ALL}


def known_fault(name: str) -> Fault:
    """Raises ``UsageError`` for a name that is not in ``FAULTS``."""
    if name not in FAULTS:
        close = get_close_matches(name, FAULTS, n=1)
        cure = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(FAULTS)}"
        raise UsageError(f"{name!r} is not a fault of the demo", cure)
    return FAULTS[name]


def active_fault() -> str | None:
    """The fault of this process, from its environment."""
    name = os.environ.get(FAULT_ENV)
    return known_fault(name).name if name else None


def broken_under_traffic(app: App, fault: str | None) -> App:
    """Wrap an ASGI application in the fault, where it is one that depends on traffic."""
    if fault == "errors-under-load":
        return _errors_under_load(app)
    return _fails_at_half(app) if fault == "fails-at-half" else app


def _errors_under_load(app: App) -> App:
    in_flight = 0

    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal in_flight
        if in_flight >= MAX_IN_FLIGHT:
            await _internal_error(send)
            return
        in_flight += 1
        try:
            await app(scope, receive, send)
        finally:
            in_flight -= 1

    return broken


def _fails_at_half(app: App) -> App:
    """Each request of a signed-in user occupies a slot for a second; without a free one everybody gets a 500.

    A load check does not sign in, which is why only real users find it.
    """
    occupied: deque[float] = deque()

    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        now = time.monotonic()
        while occupied and occupied[0] < now - WINDOW_S:
            occupied.popleft()
        if any(name == b"authorization" for name, _ in scope["headers"]):
            occupied.append(now)
        await (_internal_error(send) if len(occupied) > MAX_USER_RPS * WINDOW_S else app(scope, receive, send))

    return broken


async def _internal_error(send: Send) -> None:
    body = b'{"detail":"Internal Server Error"}'
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 500, "headers": headers})
    await send({"type": "http.response.body", "body": body})
