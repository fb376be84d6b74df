"""The check ``tcp``: whether something accepts connections."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from time import perf_counter
from typing import Self
from urllib.parse import urlsplit

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from cutover.checks.base import BackendName, Check, CheckContext, Result
from cutover.plan.thresholds import Verdict
from cutover.plan.units import format_duration
from cutover.unreached import why_unreached

_ADDRESS = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s:/\[\]]+)):(\d{1,5})")
MAX_PORT = 65535
CONNECT_TIMEOUT_S = 10.0


class Tcp(Check):
    """Connect to a backend, or to any address, and say how long it took.

    Example::

        tcp: {address: "db.internal:5432"}
    """

    backend: BackendName | None = None
    address: str | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.backend is None) == (self.address is None):
            raise PydanticCustomError("tcp", "tcp needs exactly one of backend, address")
        if self.address is not None:
            host_and_port(self.address)
        return self

    def summary(self) -> str:
        return f"{self.backend or self.address} accepts connections"

    def asks(self) -> Sequence[BackendName]:
        return ()

    async def run(self, ctx: CheckContext) -> Result:
        host, port = self._where(ctx)
        what = f"{host}:{port}"
        started = perf_counter()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                _, writer = await asyncio.open_connection(host, port)
        except OSError as error:
            why = reason(error, CONNECT_TIMEOUT_S)
            return Result(Verdict.FAIL, f"{what}: {why}", details={"address": what}, silent=True)
        seconds = perf_counter() - started
        writer.close()
        return Result(
            Verdict.PASS,
            f"{what}: connected in {format_duration(seconds)}",
            figures={"seconds": seconds},
            details={"address": what},
        )

    def _where(self, ctx: CheckContext) -> tuple[str, int]:
        if self.backend is None:
            return host_and_port(self.address or "")
        parts = urlsplit(ctx.target(self.backend).url)
        return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def host_and_port(address: str) -> tuple[str, int]:
    """``host:port`` or ``[v6]:port``, apart."""
    match = _ADDRESS.fullmatch(address)
    if match is None or not 0 < int(match.group(3)) <= MAX_PORT:
        raise PydanticCustomError(
            "address", "{message}", {"message": f"{address!r} is not an address; write host:port or [v6]:port"}
        )
    return match.group(1) or match.group(2), int(match.group(3))


def reason(error: Exception, limit_s: float) -> str:
    """Why something could not be reached: refused, DNS, time-out or TLS, and what the system says."""
    if isinstance(error, TimeoutError) and getattr(error, "errno", None) is None:
        return f"no answer within {format_duration(limit_s)}"
    return why_unreached(error)
