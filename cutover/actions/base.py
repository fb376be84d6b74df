"""What an action is: its settings, and one change made through the engine."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Literal, Protocol

from cutover.checks.base import CheckContext
from cutover.plan.step import Gate, StepSettings


class ActionContext(CheckContext, Protocol):
    """What the engine lets an action do. Each call raises a ``CutoverError`` when it does not succeed."""

    @property
    def weight(self) -> int:
        """The weight that is live, verified."""
        ...

    async def shift(self, weight: int) -> None:
        """Change the weight and return when the proxy has been seen to serve it."""
        ...

    async def hold(self, seconds: float, gates: Sequence[Gate], every: float) -> None:
        """Evaluate the gates at once, every ``every`` seconds, and a last time at the end; raise at a failure."""
        ...

    async def lease(self, seconds: float) -> None:
        """From now on the proxy sends traffic to new only for so long as somebody renews it, which the engine does."""
        ...

    async def wait(self, seconds: float) -> None: ...

    async def approve(self, message: str) -> None:
        """Return when a person has approved; raise ``WaitingError`` when nobody has yet."""
        ...


class Action(StepSettings):
    """A frozen model of its settings, with one ``run``."""

    kind: ClassVar[Literal["action"]] = "action"

    @property
    def once(self) -> bool:
        """Whether it must not be applied twice in a run."""
        return False

    @abstractmethod
    async def run(self, ctx: ActionContext) -> str:
        """Do it, and return one line that says what was done."""
