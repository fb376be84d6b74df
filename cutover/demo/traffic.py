"""Live traffic of many clients with keep-alive connections, and an honest account of it.

Nothing is retried: a request whose connection is reset is a failed one, as it would be for a browser that posts.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from cutover.demo.data import MODALITIES, PASSWORD, STATUSES, STUDY_COUNT, TASK_KINDS, exam_id, user_name

if TYPE_CHECKING:
    import aiohttp

DEFAULT_CLIENTS = 40
# What two cores serve beside a load check. Also what faults.MAX_USER_RPS is measured against.
DEFAULT_RATE_RPS = 300.0
REQUEST_TIMEOUT_S = 5.0
STOP_TIMEOUT_S = REQUEST_TIMEOUT_S + 1
UNTIL_TIMEOUT_S = 30.0
KEPT_FAILURES = 1000
FIRST_MARK = "start"
# A backend says which side it is to those alone who send the first header: everybody else gets equal answers.
DEMO_HEADER = "X-Cutover-Demo"
SERVED_BY_HEADER = "X-Served-By"
SIDES = {"fastapi": "old", "django": "new"}


@dataclass(frozen=True)
class Ask:
    """A request and the status that is right for it."""

    method: str
    path: str
    expected: int = 200
    json: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Failure:
    """A request that did not get its answer. ``at`` is in seconds since traffic began, as is ``Second.at``."""

    at: float
    mark: str
    reason: str
    request: str
    side: str | None


@dataclass
class Tally:
    """What happened to a number of requests; ``old`` and ``new`` are those that a side answered."""

    requests: int = 0
    failed: int = 0
    old: int = 0
    new: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def share(self) -> float | None:
        """Percent of the answers that came from new; None without any."""
        return 100 * self.new / (self.old + self.new) if self.old + self.new else None

    def count(self, side: str | None, reason: str | None) -> None:
        self.requests += 1
        self.old += side == "old"
        self.new += side == "new"
        if reason is not None:
            self.failed += 1
            self.reasons[reason] += 1


@dataclass
class Second(Tally):
    """The requests that ended within one second."""

    at: int = 0


@dataclass
class Segment(Tally):
    """The requests that were sent between two marks; ``seconds`` is how long that was."""

    mark: str = ""
    began: float = 0.0
    seconds: float = 0.0


class Traffic:
    """``async with Traffic(url) as traffic``: clients are busy inside, and done with their last request after it.

    ``rate`` bounds the requests a second of all clients together.
    """

    def __init__(self, url: str, clients: int = DEFAULT_CLIENTS, rate: float = DEFAULT_RATE_RPS) -> None:
        self.url = url
        self.clients = clients
        self.think_s = clients / rate
        self.failures: list[Failure] = []
        self.total = Tally()
        self._seconds: dict[int, Second] = {}
        self._segments = [Segment(mark=FIRST_MARK)]
        self._stopping = asyncio.Event()
        self._counted = asyncio.Condition()
        self._began = time.monotonic()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._began = time.monotonic()
        self._tasks = [asyncio.create_task(self._client(number)) for number in range(self.clients)]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None:
            for task in self._tasks:
                task.cancel()
        await self.stop()

    async def stop(self) -> None:
        """Let every client finish its request; raises what a client raised, which is a defect."""
        self._stopping.set()
        self._segments[-1].seconds = self.seconds() - self._segments[-1].began
        done, late = await asyncio.wait(self._tasks, timeout=STOP_TIMEOUT_S) if self._tasks else (set(), set())
        self._tasks = []
        for task in late:
            task.cancel()
        for task in done:
            if not task.cancelled():
                task.result()

    def mark(self, name: str) -> None:
        """What is sent from now on belongs to this mark."""
        now = self.seconds()
        self._segments[-1].seconds = now - self._segments[-1].began
        self._segments.append(Segment(mark=name, began=now))

    def table(self) -> list[Segment]:
        """A row for each mark, in order; a row of no requests is left out."""
        if not self._stopping.is_set():
            self._segments[-1].seconds = self.seconds() - self._segments[-1].began
        return [segment for segment in self._segments if segment.requests]

    def per_second(self) -> list[Second]:
        return [self._seconds[at] for at in sorted(self._seconds)]

    def seconds(self) -> float:
        """Since traffic began."""
        return time.monotonic() - self._began

    async def until(self, requests: int) -> None:
        """Return when so many requests have ended."""
        await self._until(lambda: self.total.requests >= requests)

    async def until_failed(self, requests: int) -> None:
        """Return when so many requests have failed."""
        await self._until(lambda: self.total.failed >= requests)

    async def _until(self, reached: Callable[[], bool]) -> None:
        async with self._counted:
            await asyncio.wait_for(self._counted.wait_for(reached), UNTIL_TIMEOUT_S)

    async def _client(self, number: int) -> None:
        import aiohttp  # noqa: PLC0415 - start-up time

        user, draw = user_name(number), random.Random(number)  # noqa: S311 - reproducible, not secret
        async with aiohttp.ClientSession(
            self.url,
            connector=aiohttp.TCPConnector(limit=1),
            timeout=aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S),
            headers={DEMO_HEADER: "1", "User-Agent": f"demo/{number}"},
        ) as session:
            session._retry_connection = False  # noqa: SLF001 - else a lost GET is sent again, and not seen here
            await self._think(draw.uniform(0, self.think_s))
            while not self._stopping.is_set():
                signed_in = "Authorization" in session.headers
                answer = await self._send(session, _next(draw) if signed_in else _login(user))
                if "access_token" in answer:
                    session.headers["Authorization"] = f"Bearer {answer['access_token']}"
                await self._think(draw.uniform(0.5, 1.5) * self.think_s)

    async def _think(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return

    async def _send(self, session: aiohttp.ClientSession, ask: Ask) -> dict[str, Any]:
        """The body of the answer, or an empty one."""
        import aiohttp  # noqa: PLC0415 - start-up time

        segment, side = self._segments[-1], None
        try:
            async with session.request(ask.method, ask.path, json=ask.json) as response:
                side = SIDES.get(response.headers.get(SERVED_BY_HEADER, ""))
                await response.read()
                right = response.status == ask.expected
                reason = None if right else f"status {response.status} instead of {ask.expected}"
                content: dict[str, Any] = await response.json() if right and ask.path.endswith("/login") else {}
        except TimeoutError:
            reason, content = f"no answer within {REQUEST_TIMEOUT_S:g}s", {}
        except (aiohttp.ClientError, OSError) as error:
            reason, content = _lost(error), {}
        await self._count(segment, ask, side, reason)
        return content

    async def _count(self, segment: Segment, ask: Ask, side: str | None, reason: str | None) -> None:
        now = self.seconds()
        second = self._seconds.setdefault(int(now), Second(at=int(now)))
        for tally in (self.total, segment, second):
            tally.count(side, reason)
        if reason is not None and len(self.failures) < KEPT_FAILURES:
            self.failures.append(Failure(now, segment.mark, reason, f"{ask.method} {ask.path}", side))
        async with self._counted:
            self._counted.notify_all()


def _lost(error: Exception) -> str:
    """The reason in words that can be counted: without ports and addresses."""
    import aiohttp  # noqa: PLC0415 - start-up time

    if isinstance(error, aiohttp.ClientConnectorError):
        refused = isinstance(error.os_error, ConnectionRefusedError)
        return "connection refused" if refused else "could not connect"
    if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError):
        return "connection reset"
    if isinstance(error, aiohttp.ClientPayloadError):
        return "answer cut off"
    return type(error).__name__


def _login(user: str) -> Ask:
    return Ask("POST", "/api/v1/auth/login", json={"username": user, "password": PASSWORD})


def _search(draw: random.Random) -> Ask:
    query = draw.choice(
        (
            f"page={draw.randint(1, 5)}",
            f"modality={draw.choice(MODALITIES)}&sort=-scheduled_at",
            f"status={draw.choice(STATUSES)}&page_size=10",
            "q=head",
            "date_from=2024-03-01&date_to=2024-04-30",
        )
    )
    return Ask("GET", f"/api/v1/studies/search?{query}")


def _new_task(draw: random.Random) -> Ask:
    task = {"exam_id": exam_id(draw.randint(1, STUDY_COUNT)), "kind": draw.choice(TASK_KINDS), "note": None}
    return Ask("POST", "/api/v1/tasks", 201, task)


_MIX: dict[Callable[[random.Random], Ask], int] = {
    _search: 50,
    lambda draw: Ask("GET", f"/api/v1/studies/{exam_id(draw.randint(1, STUDY_COUNT))}"): 28,
    lambda _: Ask("GET", "/api/v1/studies/filters/options"): 6,
    lambda _: Ask("GET", "/api/v1/tasks?page_size=10"): 6,
    lambda _: Ask("GET", "/api/v1/auth/me"): 4,
    lambda _: Ask("GET", "/api/v1/studies/EXAM-none", 404): 1,
    lambda draw: _login(user_name(draw.randrange(DEFAULT_CLIENTS))): 2,
    _new_task: 3,
}


def _next(draw: random.Random) -> Ask:
    """A request as a busy user's browser would send it, by weight."""
    (ask,) = draw.choices(list(_MIX), weights=list(_MIX.values()))
    return ask(draw)
