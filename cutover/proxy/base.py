"""How a proxy splits traffic: the words that the engine and the proxies share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Literal, Protocol

Mode = Literal["request", "client", "settled"]
LeaseState = Literal["held", "ended"]


@dataclass(frozen=True)
class Rendered:
    """A configuration file for a weight. ``revision`` is the hash of ``text`` without its revision."""

    text: str
    revision: str
    weight: int


@dataclass(frozen=True)
class Live:
    """What a worker answered when asked. ``weight`` is None where it could not be asked: ``reason`` says why. ``away``:
    nobody answered, or something before the proxy said that it is gone; it may be starting.

    ``lease`` is None where traffic needs none to go to new. ``clock`` is the proxy's time, where it says so.
    """

    weight: int | None
    revision: str | None
    reason: str = ""
    lease: LeaseState | None = field(default=None, compare=False)
    clock: float | None = field(default=None, compare=False)
    away: bool = field(default=False, compare=False)


@dataclass(frozen=True)
class Intent:
    """A change about to be made, journalled before it is: enough to find out afterwards what became of it."""

    weight: int
    revision: str
    from_weight: int | None
    from_revision: str | None
    mode: Mode
    path: str
    previous: str | None
    """The text of the file before; None where there was none, or where the file stays as it is."""


@dataclass(frozen=True)
class Changed:
    """A change that was verified. ``timings`` in seconds by stage; ``draining`` names what old workers still serve."""

    live: Live
    timings: dict[str, float] = field(default_factory=dict)
    draining: str = ""


# Called once before anything is changed. It journals the intent and raises if the lock was lost; while the context is
# open nobody else may change the proxy.
Guard = Callable[[Intent], AbstractAsyncContextManager[None]]
Progress = Callable[[str], Awaitable[None] | None]


class Proxy(Protocol):
    """Renders, applies, reads back and verifies.

    Raises ``ProxyError`` when traffic is where it was, ``UnsafeError`` when that could not be verified.
    """

    async def ensure(self, guard: Guard) -> Live:
        """The proxy is up (a managed one is started) and runs this plan's configuration: weight 0 if none is live."""
        ...

    async def has_ended(self) -> bool:
        """A managed proxy does not run, and nothing is left of it that still serves: it is ours to start again."""
        ...

    async def render(self, weight: int, *, settled: bool = False) -> Rendered:
        """The file for a weight; ``settled``: for good, without the other backend."""
        ...

    async def current(self) -> str | None:
        """The text of cutover's file as it stands in the proxy's place."""
        ...

    async def live(self) -> Live: ...

    async def drift(self, expected: Live) -> str | None:
        """How the live configuration, or its file, differs from what cutover last put there; None if it does not.

        Raises ``ProxyError`` where nobody answers.
        """
        ...

    async def change(self, weight: int, guard: Guard, *, settle: bool = False) -> Changed:
        """The rules of a shift, whole: render, test, intent, replace, reload, verify; restore on failure."""
        ...

    async def recover(self, intent: Intent, guard: Guard) -> Live:
        """After a death between intent and outcome: find which of the two configurations serves, finish or restore."""
        ...

    async def losses(self) -> list[str]:
        """What this proxy's version cannot do, in sentences: for ``check`` and ``doctor``."""
        ...
