"""The check ``http``: one request, and what its answer must be."""

from __future__ import annotations

import asyncio
import json
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self
from urllib.parse import quote

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from cutover.checks.base import BackendName, Check, CheckContext, Result, Target
from cutover.checks.tcp import reason
from cutover.parity.saving import NotSavedError, Saves, take
from cutover.plan.request import SAFE_METHODS, Headers
from cutover.plan.thresholds import Verdict
from cutover.plan.units import Duration, PositiveDuration, format_duration
from cutover.plan.variables import conceal
from cutover.redact import redact

if TYPE_CHECKING:
    from aiohttp import ClientResponse

TIMEOUT_S = 10.0
MAX_BODY_BYTES = 1024 * 1024
MAX_DIFFERENCES = 5
EXCERPT_LENGTH = 200
SUCCESS = 2
CLIENT_ERROR = 400
UNSHOWN = "not shown, as values are saved from it"

StatusCode = Annotated[int, Field(ge=100, le=599)]
Status = StatusCode | list[StatusCode]


class Http(Check):
    """Send one request to a backend and compare the answer with what is expected. Redirects are not followed.

    Example::

        http: {backend: new, path: /health, status: 200, json: {status: ok}, max_time: 500ms}

    ``status`` is any 2xx unless given; ``json`` must be contained in the body, lists item by item. ``save`` takes
    values from the answer for the steps that follow; where one is older than ``refresh``, it is asked for again.
    """

    backend: BackendName
    path: str = Field(pattern=r"^/[^\s]*$")
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = "GET"
    headers: Headers = Field(default_factory=dict)
    body: str | None = None
    status: Status | None = None
    json_subset: Any = Field(default=None, alias="json")
    contains: str | None = None
    max_time: PositiveDuration | None = None
    unsafe: bool = False
    save: Saves = Field(default_factory=dict)
    refresh: Duration | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.method not in SAFE_METHODS and not self.unsafe:
            raise PydanticCustomError(
                "unsafe", "{message}", {"message": f"{self.method} may change data: say unsafe: true beside it"}
            )
        in_body = self.expects_json or self.contains is not None or any(p.kind == "json" for p in self.save.values())
        if self.method == "HEAD" and in_body:
            raise PydanticCustomError("http", "the answer to HEAD has no body: leave json, contains and $ paths out")
        if self.refresh is not None and (not self.save or self.refresh == 0):
            message = "refresh says how old a saved value may become, as in 30m, beside save"
            raise PydanticCustomError("http", "{message}", {"message": message})
        return self

    @property
    def expects_json(self) -> bool:
        """Also ``json: null`` is an expectation."""
        return "json_subset" in self.model_fields_set

    def summary(self) -> str:
        limit = f" within {format_duration(self.max_time)}" if self.max_time is not None else ""
        saves = f", saves {', '.join(self.save)}" if self.save else ""
        return f"{self.method} {self.path} on {self.backend} answers {expected_status(self.status)}{limit}{saves}"

    def requests(self) -> Sequence[str]:
        return (f"{self.method} {self.path} on {self.backend}",)

    async def run(self, ctx: CheckContext) -> Result:
        target = ctx.target(self.backend)
        what = f"{self.method} {target.address}{self.path}"
        limit = max(TIMEOUT_S, self.max_time or 0.0)
        try:
            async with asyncio.timeout(limit):
                answer = await self._ask(target)
        except UnreachableError as error:
            return Result(Verdict.FAIL, f"{what}: {error}", details={"request": what}, silent=error.silent)
        except TimeoutError as error:
            return Result(Verdict.FAIL, f"{what}: {reason(error, limit)}", details={"request": what})
        # First of all: whatever is told of this answer, it is without what is to be saved.
        taken, unsaved = self._take(answer)
        wrong = self._wrong(answer, unsaved)
        saved = {} if wrong else taken
        passed = f"{answer.status} in {format_duration(answer.seconds)}" + _told(saved)
        return Result(
            Verdict.FAIL if wrong else Verdict.PASS,
            redact(f"{what}: {'; '.join(wrong) or passed}"),
            figures={"seconds": answer.seconds},
            details={
                "request": what, "status": answer.status, "location": answer.location, "body": self._shown(answer),
                **({"saved": list(saved)} if self.save else {}),
            },
            saved=saved,
        )  # fmt: skip

    async def _ask(self, target: Target) -> Answer:
        import aiohttp  # noqa: PLC0415 - start-up time
        from yarl import URL  # noqa: PLC0415 - start-up time

        started = perf_counter()
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(force_close=True),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
            trust_env=False,
        )
        try:
            async with (
                session,
                session.request(
                    self.method,
                    URL(target.address + quote(self.path, safe=string.punctuation), encoded=True),
                    headers=target.headers_with(self.headers),
                    data=self.body.encode() if self.body is not None else None,
                    allow_redirects=False,
                ) as response,
            ):
                body = await _read(response)
                location = response.headers.get("Location", "")
                headers = tuple(response.headers.items())
                return Answer(response.status, body, location, perf_counter() - started, headers)
        except aiohttp.ServerDisconnectedError:
            raise UnreachableError("the connection was closed without an answer", silent=True) from None
        except aiohttp.ClientPayloadError as error:
            raise UnreachableError(f"the answer broke off or can't be decoded: {error}") from None
        except aiohttp.ClientResponseError as error:
            raise UnreachableError(f"no HTTP answer: {error.message.splitlines()[0]}") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise UnreachableError(reason(error, TIMEOUT_S), silent=isinstance(error, OSError)) from None

    def _take(self, answer: Answer) -> tuple[Mapping[str, Any], list[str]]:
        """What is to be saved, concealed, and what of it could not be taken."""
        try:
            taken: Mapping[str, Any] = take(self.save, answer.headers, answer.body)
            unsaved = []
        except NotSavedError as error:
            taken, unsaved = error.taken, [str(error)]
            if answer.too_large:
                unsaved.append(f"the body is larger than {MAX_BODY_BYTES // 1024} kb")
        conceal(taken)
        return taken, unsaved

    def _shown(self, answer: Answer) -> str:
        """A login's answer may hold more that is secret than what is saved of it."""
        return UNSHOWN if self.save and answer.status < CLIENT_ERROR else answer.excerpt

    def _wrong(self, answer: Answer, unsaved: list[str]) -> list[str]:
        """What is not as expected, in words."""
        wrong = []
        if not _status_matches(self.status, answer.status):
            to = f" to {answer.location}" if answer.location else ""
            wrong.append(f"{answer.status}{to}, expected {expected_status(self.status)}")
        if self.expects_json:
            wrong += self._wrong_json(answer)
        if self.contains is not None and self.contains not in answer.text:
            cut = f" in its first {MAX_BODY_BYTES // 1024} kb" if answer.too_large else ""
            wrong.append(f"the body does not contain {self.contains!r}{cut}")
        if self.max_time is not None and answer.seconds > self.max_time:
            wrong.append(f"took {format_duration(answer.seconds)}, expected at most {format_duration(self.max_time)}")
        wrong += unsaved if _status_matches(self.status, answer.status) else []
        if wrong and answer.body:
            wrong.append(f"body: {self._shown(answer)}")
        return wrong

    def _wrong_json(self, answer: Answer) -> list[str]:
        if answer.too_large:
            return [f"the body is larger than {MAX_BODY_BYTES // 1024} kb"]
        try:
            actual = json.loads(answer.body)
        except (ValueError, RecursionError) as error:
            return [f"the body is no JSON: {error}"]
        return differences(self.json_subset, actual)[:MAX_DIFFERENCES]


class UnreachableError(Exception):
    """There was no answer; the message says why. ``silent``: there was not even the beginning of one."""

    def __init__(self, message: str, *, silent: bool = False) -> None:
        super().__init__(message)
        self.silent = silent


@dataclass(frozen=True)
class Answer:
    """``body`` is decoded, and cut off one byte after ``MAX_BODY_BYTES``."""

    status: int
    body: bytes
    location: str
    seconds: float
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def too_large(self) -> bool:
        return len(self.body) > MAX_BODY_BYTES

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")

    @property
    def excerpt(self) -> str:
        """The beginning of the body in one line, without secrets."""
        text = " ".join(redact(self.text).split())
        return text if len(text) <= EXCERPT_LENGTH else text[:EXCERPT_LENGTH] + "…"


async def _read(response: ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            return bytes(body[: MAX_BODY_BYTES + 1])
    return bytes(body)


def _told(saved: Mapping[str, Any]) -> str:
    return f", saved {', '.join(saved)}" if saved else ""


def differences(expected: Any, actual: Any, path: str = "$") -> list[str]:
    """How ``expected`` is not contained in ``actual``: mappings by key, lists by index, types strictly."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        found = []
        for key, value in expected.items():
            where = f"{path}.{key}"
            found += differences(value, actual[key], where) if key in actual else [f"{where} is missing"]
        return found
    if isinstance(expected, list) and isinstance(actual, list):
        found = [f"{path} has {len(actual)} items, expected {len(expected)}"] if len(actual) < len(expected) else []
        for index, (value, seen) in enumerate(zip(expected, actual, strict=False)):
            found += differences(value, seen, f"{path}[{index}]")
        return found
    if isinstance(expected, bool) == isinstance(actual, bool) and expected == actual:
        return []
    return [f"{path} is {_shown(actual)}, expected {_shown(expected)}"]


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= EXCERPT_LENGTH else text[:EXCERPT_LENGTH] + "…"


def _status_matches(expected: Status | None, status: int) -> bool:
    if expected is None:
        return status // 100 == SUCCESS
    return status in expected if isinstance(expected, list) else status == expected


def expected_status(status: Status | None) -> str:
    if status is None:
        return "2xx"
    return " or ".join(map(str, status)) if isinstance(status, list) else str(status)
