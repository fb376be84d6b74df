"""How a step ends when it does not pass."""

from __future__ import annotations

from collections.abc import Mapping

from cutover.errors import CheckFailedError
from cutover.plan.step import GateOnFail
from cutover.plan.thresholds import Verdict


class StepFailedError(CheckFailedError):
    """A step did not pass. ``on_fail`` is the gate's own wish, if it has one."""

    def __init__(
        self,
        summary: str,
        verdict: Verdict = Verdict.FAIL,
        on_fail: GateOnFail | None = None,
        figures: Mapping[str, float] | None = None,
        artifacts: str = "",
    ) -> None:
        super().__init__(summary)
        self.verdict = verdict
        self.on_fail = on_fail
        self.figures = figures or {}
        self.artifacts = artifacts


class DriftError(StepFailedError):
    """The proxy runs, or its file holds, something that cutover did not put there."""
