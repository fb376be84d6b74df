"""The check ``metrics``: a Prometheus query, and what its value must be."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from cutover.checks.base import BackendName, Check, CheckContext, Result, Target
from cutover.plan.grammar import Url
from cutover.plan.limits import Limit
from cutover.plan.request import Headers
from cutover.plan.thresholds import Verdict
from cutover.plan.units import PositiveDuration, format_duration
from cutover.redact import redact
from cutover.unreached import why_unreached

if TYPE_CHECKING:
    from aiohttp import ClientResponse

QUERY_PATH = "/api/v1/query"
MAX_ANSWER_BYTES = 4 * 1024 * 1024
MAX_SHOWN = 3
MAX_SERIES = 50
MAX_QUERY_CHARS = 120
_OK = 200


class Metrics(Check):
    """Ask a Prometheus server, and hold every series of the answer against a limit.

    Example::

        metrics:
          prometheus: http://127.0.0.1:9090
          query: sum(rate(errors_total{backend="new"}[1m]))
          threshold: "<= 0.5"

    ``query`` gives a number or an instant vector. No series, and NaN, are ``unknown``.
    """

    # A query about new has nothing to say before new has traffic.
    needs_traffic: ClassVar[bool] = True

    prometheus: Url
    query: str = Field(min_length=1)
    threshold: Limit
    headers: Headers = Field(default_factory=dict)
    timeout: PositiveDuration = 10.0

    def summary(self) -> str:
        return f"{_short(self.query)} {self.threshold}"

    def asks(self) -> Sequence[BackendName]:
        return ()

    async def obstacle(self, ctx: CheckContext, held_s: float) -> str | None:  # noqa: ARG002 - as all checks
        return await self.trouble()

    async def trouble(self) -> str | None:
        """Why the server gives no answer to the query; None where it does, be it that there are no data."""
        try:
            await self._asked()
        except NoValueError as error:
            return str(error)
        return None

    async def run(self, ctx: CheckContext) -> Result:  # noqa: ARG002 - as all checks
        try:
            return self._judged(await self._asked())
        except NoValueError as error:
            return Result(Verdict.UNKNOWN, str(error))

    async def _asked(self) -> list[Series]:
        """Raises ``NoValueError`` with the server's address."""
        server = Target("prometheus", self.prometheus, self.headers)
        try:
            async with asyncio.timeout(self.timeout):
                return await self._ask(server)
        except NoValueError as error:
            raise NoValueError(redact(f"{server.address}: {error}")) from None
        except TimeoutError:
            raise NoValueError(f"{server.address}: no answer within {format_duration(self.timeout)}") from None

    async def _ask(self, server: Target) -> list[Series]:
        import aiohttp  # noqa: PLC0415 - start-up time

        form = {"query": self.query, "timeout": f"{self.timeout:g}"}
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(force_close=True),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
            trust_env=False,
        )
        url, headers = server.address + QUERY_PATH, server.headers_with({})
        try:
            async with session, session.post(url, data=form, headers=headers, allow_redirects=False) as response:
                return _series(await _answer(response))
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise NoValueError(f"can't be reached: {why_unreached(error)}") from None

    def _judged(self, series: list[Series]) -> Result:
        known = [one for one in series if not math.isnan(one.value)]
        broken = [one for one in known if not self.threshold.holds(one.value)]
        shown = sorted(broken or known, key=lambda one: one.value, reverse=self.threshold.is_upper)
        details = {"query": redact(self.query), "series": [one.to_json() for one in series[:MAX_SERIES]]}
        figures = {"series": float(len(series))}
        # JSON has no infinity; the summary and the details do.
        if shown and math.isfinite(shown[0].value):
            figures["value"] = shown[0].value
        if broken:
            verdict, said = Verdict.FAIL, f"{_told(shown)}, expected {self.threshold}"
        elif len(known) < len(series):
            verdict, said = Verdict.UNKNOWN, f"{len(series) - len(known)} of {len(series)} series are NaN: no data"
        elif not series:
            verdict, said = Verdict.UNKNOWN, "no data: no series matches"
        else:
            verdict, said = Verdict.PASS, f"{_told(shown)}, {self.threshold}"
        return Result(verdict, redact(f"{_short(self.query)}: {said}"), figures, details)


class NoValueError(Exception):
    """The server gave no value; the message says why."""


@dataclass(frozen=True)
class Series:
    """One value, and the labels it stands under; a scalar has none."""

    labels: dict[str, str]
    value: float

    def to_json(self) -> dict[str, Any]:
        value = self.value if math.isfinite(self.value) else str(self.value)
        return {"labels": {name: redact(text) for name, text in self.labels.items()}, "value": value}

    def __str__(self) -> str:
        labels = ", ".join(f'{name}="{value}"' for name, value in self.labels.items())
        return f"{self.value:g}" + (f" {{{labels}}}" if labels else "")


async def _answer(response: ClientResponse) -> Any:
    """The JSON of an answer. Prometheus tells its mistakes in JSON too, with a status of 4xx or 5xx."""
    import orjson  # noqa: PLC0415 - start-up time

    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            raise NoValueError(f"its answer is larger than {MAX_ANSWER_BYTES // 1024**2} MB: aggregate, as with sum()")
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise NoValueError(f"answered {response.status}, which is no answer of Prometheus") from None
    if isinstance(answer, dict) and answer.get("status") == "error":
        raise NoValueError(f"{answer.get('errorType')}: {answer.get('error')}")
    if response.status != _OK:
        raise NoValueError(f"answered {response.status}, expected {_OK}")
    return answer


def _series(answer: Any) -> list[Series]:
    try:
        kind, result = answer["data"]["resultType"], answer["data"]["result"]
        if kind == "scalar":
            return [Series({}, float(result[1]))]
        if kind == "vector":
            return [Series(dict(one["metric"]), float(one["value"][1])) for one in result]
    except (KeyError, IndexError, TypeError, ValueError):
        raise NoValueError("answered something that is no answer of Prometheus") from None
    raise NoValueError(f"the query gives a {kind}, and a limit needs a number or an instant vector")


def _told(series: Sequence[Series]) -> str:
    more = f" and {len(series) - MAX_SHOWN} more" if len(series) > MAX_SHOWN else ""
    return ", ".join(map(str, series[:MAX_SHOWN])) + more


def _short(query: str) -> str:
    text = " ".join(query.split())
    return text if len(text) <= MAX_QUERY_CHARS else text[: MAX_QUERY_CHARS - 1] + "…"
