"""The check ``tcp``: whether something accepts connections."""

from __future__ import annotations

import re
from typing import Self

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from cutover.checks.base import BackendName, Check, CheckContext, Result

_ADDRESS = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s:/\[\]]+)):(\d{1,5})")
MAX_PORT = 65535


class Tcp(Check):
    """Connect to a backend, or to any address, and say how long it took.

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

    async def run(self, ctx: CheckContext) -> Result:
        raise NotImplementedError


def host_and_port(address: str) -> tuple[str, int]:
    """``host:port`` or ``[v6]:port``, apart."""
    match = _ADDRESS.fullmatch(address)
    if match is None or not 0 < int(match.group(3)) <= MAX_PORT:
        raise PydanticCustomError(
            "address", "{message}", {"message": f"{address!r} is not an address; write host:port or [v6]:port"}
        )
    return match.group(1) or match.group(2), int(match.group(3))
