"""Lines of an access log as cutover's configuration writes them, without an nginx."""

from __future__ import annotations

import json
import time
from typing import Any

from cutover.traffic.tries import Backends

OLD, NEW, FALLBACK = "10.0.0.1:8000", "10.0.0.2:8000", "10.0.0.3:8000"
BACKENDS = Backends({OLD: "old", NEW: "new", FALLBACK: "fallback"})


def line(**changed: Any) -> bytes:
    """A request that new answered just now with 200 in 10 ms, with these fields changed."""
    record = {
        "time": "2026-01-31T10:00:00+00:00", "msec": time.time(), "method": "GET", "uri": "/api/v1/studies",
        "request_time": 0.010, "upstream_response_time": "0.010", "status": 200, "upstream_addr": NEW,
        "upstream_status": "200", "route": "/api/", "side": "new", "fallback": "", "override": "",
        "bucket": "", "revision": "0123456789abcdef", "probe": "", **changed,
    }  # fmt: skip
    # As the template renders it, to the digit.
    numbers = {name: f"{record[name]:.3f}" for name in ("msec", "request_time") if isinstance(record[name], float)}
    fields = (
        f'"{name}":{numbers.get(name) or json.dumps(value, ensure_ascii=False)}' for name, value in record.items()
    )
    return f"{{{','.join(fields)}}}\n".encode()


def old(**changed: Any) -> bytes:
    return line(**{"upstream_addr": OLD, "side": "old", **changed})
