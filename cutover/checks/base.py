"""What a check is: its settings, and one question with a verdict."""

from __future__ import annotations

import base64
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol
from urllib.parse import unquote, urlsplit, urlunsplit

from cutover import __version__
from cutover.plan.model import Plan
from cutover.plan.step import Step, StepSettings
from cutover.plan.thresholds import Verdict

if TYPE_CHECKING:
    from cutover.traffic.observer import Observer

BackendName = Literal["old", "new", "fallback", "proxy"]

# Requests of cutover's own carry it, and every statistic leaves them out.
PROBE_HEADER = "X-Cutover-Probe"


@dataclass(frozen=True)
class Target:
    """A backend as checks reach it. ``headers`` are the plan's for that side."""

    name: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """The URL without its userinfo: fit to be shown."""
        parts = urlsplit(self.url)
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])).rstrip("/")

    def headers_with(self, own: Mapping[str, str]) -> dict[str, str]:
        """All headers of a request: cutover's, the URL's credentials, the plan's, and a request's ``own`` over them."""
        sent = {"User-Agent": f"cutover/{__version__}", "Accept": "*/*", PROBE_HEADER: "1", **self._credentials()}
        for name, value in [*self.headers.items(), *own.items()]:
            for same in [known for known in sent if known.lower() == name.lower()]:
                del sent[same]
            sent[name] = value
        return sent

    def _credentials(self) -> dict[str, str]:
        userinfo = urlsplit(self.url).netloc.rpartition("@")[0]
        if not userinfo:
            return {}
        return {"Authorization": "Basic " + base64.b64encode(unquote(userinfo).encode()).decode()}


@dataclass(frozen=True)
class Result:
    """The answer of a check.

    ``summary`` is one line for people: what was seen, against what was expected. ``figures`` are the numbers behind
    it (seconds, percent, counts). ``details`` is JSON for the artifacts: samples, findings, the requests asked.
    ``saved`` are variables for the steps that follow, kept in memory and written nowhere. ``silent``: it failed because
    nobody took a connection, or it broke without an answer. ``backends``: what the proxy saw of each of them lately,
    for those who look on.
    """

    verdict: Verdict
    summary: str
    figures: Mapping[str, float] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    saved: Mapping[str, Any] = field(default_factory=dict, repr=False)
    silent: bool = False
    backends: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        return self.verdict is Verdict.PASS

    def to_json(self) -> dict[str, Any]:
        """All of it that may be written, for the artifacts."""
        return {
            "verdict": self.verdict, "summary": self.summary, "figures": dict(self.figures),
            "details": dict(self.details),
        }  # fmt: skip


class CheckContext(Protocol):
    """What the engine gives a check."""

    @property
    def plan(self) -> Plan: ...

    @property
    def artifacts(self) -> Path:
        """A folder of this step's own; a check may write further files there, redacted."""
        ...

    def progress(self, text: str, /) -> None:
        """Latest figure, for the live view; cheap enough to call ten times a second."""
        ...

    def target(self, name: BackendName) -> Target:
        """Where a backend is and with which headers; ``proxy`` is as clients reach it."""
        ...

    async def log_trouble(self) -> str | None:
        """Why nothing can be learned from the proxy's log; None where it can be read as it is now."""
        ...

    @property
    def traffic(self) -> Observer:
        """What the proxy saw since the last verified shift."""
        ...


class Check(StepSettings):
    """A frozen model of its settings, with one ``run``.

    ``run`` returns a verdict and does not raise for what it was asked to measure: an unreachable backend is a
    ``fail`` where reachability is the question, ``unknown`` where it prevents the measurement. It must stop promptly
    when cancelled.
    """

    kind: ClassVar[Literal["check"]] = "check"

    hint: ClassVar[str | None] = None
    """What to do where it did not pass, in a few words."""

    @abstractmethod
    async def run(self, ctx: CheckContext) -> Result: ...

    async def obstacle(self, ctx: CheckContext, held_s: float) -> str | None:  # noqa: ARG002 - for overriding it
        """Why it could not be measured, whatever traffic there will be; None where it could.

        Asked before traffic moves. ``held_s``: for how many seconds the weight is to be held.
        """
        return None

    def requests(self) -> Sequence[str]:
        """What it will ask, for ``cutover plan``."""
        return ()

    def asks(self) -> Sequence[str]:
        """The backends to which it sends requests with the headers that the plan gives them."""
        backend: str | None = getattr(self, "backend", None)
        return ("old", "new") if backend is None else (backend,)

    @property
    def judged(self) -> str | None:
        """The backend whose answers decide; None where there is no such one."""
        backend: str | None = getattr(self, "backend", None)
        return backend

    def borrows(self, plan: Plan) -> Sequence[Step]:  # noqa: ARG002 - for those that override it
        """Other steps of the plan by whose settings it goes."""
        return ()
