"""An order in k6's words, and k6's summary in ours."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from fractions import Fraction
from http import HTTPStatus
from pathlib import Path
from typing import Any

from cutover.load.histogram import Histogram
from cutover.load.order import ImpossibleError, Order, Prepared
from cutover.load.tally import LOCAL, Tally

SCRIPT = Path(__file__).with_name("k6.js")
STEPS = 1000
"""So many percentiles are asked for, and the times are counted again from them."""
MOST_PREPARED = 100
"""Connections that are there before they are needed; k6 adds others as they are, up to the limit."""
LONGEST_PERIOD_S = 3600
MS = 1000
# https://grafana.com/docs/k6/latest/javascript-api/error-codes/
KINDS = {1050: "timeout", 1211: "timeout", 1212: "refused", 1220: "reset", 1201: "reset", 1300: "tls"}
WORDS = (
    ("too many open files", LOCAL), ("cannot assign requested address", LOCAL), ("EOF", "closed"),
    ("malformed HTTP", "protocol"),
)  # fmt: skip
ERRORS = ("timeout", "refused", "reset", "closed", "tls", "connection", "protocol", LOCAL, "status", "4xx", "5xx")


def script(order: Order) -> str:
    data = {
        "requests": [_request(request, order) for request in order.requests],
        "options": _options(order),
        "counters": [*ERRORS, *(str(status.value) for status in HTTPStatus), "unnamed"],
        "timeout": _ms(order.timeout),
        "open": order.rate is not None,
        "kinds": KINDS,
        "words": WORDS,
    }
    return SCRIPT.read_text().replace("ORDER;", json.dumps(data) + ";", 1)


def _request(request: Prepared, order: Order) -> dict[str, Any]:
    """The request's bytes as k6 wants them: apart. Raises ``ImpossibleError``."""
    head, _, body = request.wire.partition("\r\n\r\n")
    line, *lines = head.split("\r\n")
    method, target, _ = line.split(" ")
    headers = dict(header.split(": ", 1) for header in lines)
    if not "".join(headers.values()).isascii():
        raise ImpossibleError(f"k6 can't send a header of {request.label}: it holds a letter that is not ASCII")
    host = f"[{order.host}]" if ":" in order.host else order.host
    return {
        "method": method,
        "url": f"{'https' if order.tls else 'http'}://{host}:{order.port}{target}",
        "headers": {name: value for name, value in headers.items() if name.lower() != "content-length"},
        "body": body.encode("latin-1").decode() or None,
        "expected": request.expected,
    }


def _options(order: Order) -> dict[str, Any]:
    percentiles = [f"p({_percent(n)})" for n in range(1, STEPS)]
    load = {**_pace(order), "startTime": _ms(order.warm_up), "gracefulStop": _ms(order.timeout)}
    warm_up = {**_pace(order, warm_up=True), "gracefulStop": "0s"}
    return {
        "scenarios": {"load": load, **({"warm_up": warm_up} if order.warm_up else {})},
        "summaryTrendStats": ["count", "avg", "max", *percentiles],
        "thresholds": {f"{name}{{scenario:load}}": ["count>=0"] for name in ("data_received", "dropped_iterations")},
    }


def _pace(order: Order, *, warm_up: bool = False) -> dict[str, Any]:
    if order.rate is not None:
        rate = Fraction(order.rate).limit_denominator(LONGEST_PERIOD_S)
        # Half an arrival less: the last one is due before the end, and none at it.
        seconds = order.warm_up if warm_up else (order.arrivals - 0.5) / order.rate
        return {
            "executor": "constant-arrival-rate", "rate": rate.numerator, "timeUnit": f"{rate.denominator}s",
            "duration": _ms(seconds), "maxVUs": order.concurrency,
            "preAllocatedVUs": min(order.concurrency, MOST_PREPARED),
        }  # fmt: skip
    if order.count is not None and not warm_up:
        return {
            "executor": "shared-iterations", "vus": order.concurrency, "iterations": order.count,
            "maxDuration": _ms(order.seconds),
        }  # fmt: skip
    seconds = order.warm_up if warm_up else order.seconds
    return {"executor": "constant-vus", "vus": order.concurrency, "duration": _ms(seconds)}


def _ms(seconds: float) -> str:
    return f"{seconds * MS:.0f}ms"


def tally_of(told: Mapping[str, Mapping[str, float]], order: Order, *, limited: bool) -> Tally:
    """What k6's summary says, counted as a worker counts. ``limited``: its times may be k6's own doing."""

    def count(name: str) -> int:
        return int(told.get(name, {}).get("count", 0))

    tally = Tally(
        connects=count("cutover_connects"), received=count("data_received{scenario:load}"),
        missed=count("dropped_iterations{scenario:load}"),
    )  # fmt: skip
    tally.requests = count("cutover_ends")
    tally.errors.update({kind: n for kind in ERRORS if (n := count(f"cutover_{kind}"))})
    tally.statuses.update({s.value: n for s in HTTPStatus if (n := count(f"cutover_{s.value}"))})
    tally.latency = _times(told.get("cutover_times", {}))
    tally.surely.merge(Histogram.of({0.0: tally.latency.requests}) if limited else tally.latency)
    planned = order.arrivals / order.rate if order.rate is not None else 0.0
    tally.seconds = max(told.get("cutover_ends", {}).get("max", 0.0) / MS, planned)
    return tally


def _times(told: Mapping[str, float]) -> Histogram:
    """Each percentile stands for the times between the one before it and itself; mean and maximum are exact."""
    total = int(told.get("count", 0))
    counts: Counter[float] = Counter()
    before = 0
    for n in range(1, STEPS + 1 if total else 1):
        value = told["max"] if n == STEPS else told[f"p({_percent(n)})"]
        rank = -(-total * n // STEPS)
        counts[value / MS] += rank - before
        before = rank
    times = Histogram.of(counts)
    times.total = total * told.get("avg", 0.0) / MS
    return times


def _percent(step: int) -> str:
    return f"{100 * step / STEPS:g}"
