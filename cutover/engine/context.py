"""What the engine gives checks and actions."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cutover.checks.base import BackendName, Target
from cutover.engine import events as e
from cutover.engine import gates as engine_gates
from cutover.engine import observing
from cutover.engine.session import Session
from cutover.engine.shifting import shift_to
from cutover.errors import CutoverError, WaitingError
from cutover.plan.model import Plan
from cutover.plan.step import Gate

if TYPE_CHECKING:
    from cutover.traffic.observer import Observer


@dataclass
class StepContext:
    """Implements ``CheckContext`` and ``ActionContext`` for one step of a session."""

    session: Session
    phase: str
    index: int

    @property
    def plan(self) -> Plan:
        return self.session.plan

    @property
    def artifacts(self) -> Path:
        return self.session.folder.run(self.session.state.run) / "steps" / f"{self.phase}-{self.index + 1}"

    @property
    def weight(self) -> int:
        return self.session.state.weight

    def progress(self, text: str, /) -> None:
        self.session.emit(e.StepProgressed(self.phase, self.index, text))

    def target(self, name: BackendName) -> Target:
        if name == "proxy":
            return Target(name, self.plan.proxy.url)
        backend = getattr(self.plan.backends, name)
        if backend is None:
            raise CutoverError(f"the plan names no {name} backend")
        return Target(name, backend.url, backend.headers)

    @property
    def traffic(self) -> Observer:
        return observing.observer(self.session)

    async def shift(self, weight: int) -> None:
        await shift_to(self.session, weight)

    async def hold(self, seconds: float, gates: Sequence[Gate], every: float) -> None:
        await engine_gates.hold(self.session, (self.phase, self.index), self, seconds, gates, every)

    async def wait(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def approve(self, message: str) -> None:
        if f"{self.phase}/{message}" in self.session.state.approved:
            return
        self.session.emit(e.ApprovalRequested(self.phase, self.index, message))
        raise WaitingError(f"waiting for approval: {message}", "`cutover approve`, then `cutover resume`")
