"""What the engine gives checks and actions."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from cutover.checks.base import BackendName, Result, Target
from cutover.engine import events as e
from cutover.engine import gates as engine_gates
from cutover.engine import holding, observing
from cutover.engine.session import Session
from cutover.engine.shifting import shift_to
from cutover.engine.variables import Values
from cutover.errors import WaitingError
from cutover.plan.model import Plan
from cutover.plan.step import Gate, GateOnFail, Step

if TYPE_CHECKING:
    from cutover.traffic.observer import Observer


@dataclass
class StepContext:
    """Implements ``CheckContext`` and ``ActionContext`` for one step of a session. ``values`` are what it may use.

    ``of`` names the step as it is written, where a later process may go on with it; else it is empty. ``on_fail`` is
    what the step says of those of its gates that don't say it themselves.
    """

    session: Session
    phase: str
    index: int
    of: str = ""
    on_fail: GateOnFail | None = None
    values: Values = field(default_factory=Values)

    @cached_property
    def plan(self) -> Plan:
        return self.values.plan(self.session.plan)

    @property
    def artifacts(self) -> Path:
        return self.session.folder.run(self.session.state.run) / "steps" / f"{self.phase}-{self.index + 1}"

    @property
    def weight(self) -> int:
        return self.session.state.weight

    def progress(self, text: str, /) -> None:
        self.session.emit(e.StepProgressed(self.phase, self.index, text))

    async def ready(self, step: Step) -> Values:
        """What this step, or a gate of it, may use. What lacks is asked for again; raises ``UnsavedError``."""
        return await self.session.variables.ready(step, self._ask_again, (self.phase, self.index))

    async def _ask_again(self, step: Step, values: Values) -> Result:
        self.progress(f"asking again: {step.title}")
        started = time.monotonic()
        result = await engine_gates.measure_with(step, replace(self, values=values))
        self.session.emit(
            e.AskedAgain(
                phase=self.phase,
                index=self.index,
                title=step.title,
                verdict=result.verdict,
                summary=result.summary,
                seconds=time.monotonic() - started,
            )
        )
        return result

    def target(self, name: BackendName) -> Target:
        return self.values.target(self.session.plan, name)

    async def log_trouble(self) -> str | None:
        return await observing.log_trouble(self.session.proxy)

    @property
    def traffic(self) -> Observer:
        return observing.observer(self.session)

    async def shift(self, weight: int) -> None:
        await shift_to(self.session, weight)
        await self.session.lease.renew()

    async def lease(self, seconds: float) -> None:
        await self.session.lease.grant(seconds)

    async def hold(self, seconds: float, gates: Sequence[Gate], every: float) -> None:
        await holding.hold(self, seconds, gates, every)

    async def wait(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def approve(self, message: str) -> None:
        if f"{self.phase}/{message}" in self.session.state.approved:
            return
        self.session.emit(e.ApprovalRequested(self.phase, self.index, message))
        raise WaitingError(f"waiting for approval: {message}", "`cutover approve`, then `cutover resume`")
