"""Ports for servers that a test starts a moment later."""

from __future__ import annotations

import itertools
import os
import random
import socket

FIRST, EACH = 10_000, 2_500
"""Below those that the system gives to clients, so that no connection takes one; and others for each test process."""

_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 9
_next = itertools.count(random.randrange(EACH))  # noqa: S311 - no secret


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody has at this moment, and that is not given again for long."""
    for number in itertools.islice(_next, EACH):
        port = FIRST + _worker * EACH + number % EACH
        with socket.socket() as asked:
            try:
                asked.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no port is free")
