"""Load generators, ours and others', each asked for the same load of one URL."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.machine import program
from cutover.load.order import Order, Prepared
from cutover.load.run import run_load
from cutover.load.verdict import bottleneck, figures, kept_rate

TOOL_MARGIN_S = 60.0
REQUEST_TIMEOUT_S = 10.0
# With a rate, each of wrk's connections waits so long before it asks again; wrk itself knows no rate.
WRK_SCRIPT = """
pause = %f
function delay() return pause end
function done(s, l, r)
  io.write(l:percentile(50), " ", l:percentile(95), " ", l:percentile(99), " ", l.max, " ", s.requests / s.duration)
end
"""
K6_SCRIPT = """
import http from 'k6/http';
const pace = JSON.parse(__ENV.PACE);
export const options = {
  discardResponseBodies: true, summaryTrendStats: ['med', 'p(95)', 'p(99)', 'max'], scenarios: { load: pace },
};
export default function () { http.get(__ENV.TARGET); }
export function handleSummary(data) {
  const times = data.metrics.http_req_duration.values;
  const { count } = (data.metrics.dropped_iterations || { values: { count: 0 } }).values;
  const all = [times.med, times['p(95)'], times['p(99)'], times.max, data.metrics.http_reqs.values.rate, count];
  return { stdout: JSON.stringify(all) };
}
"""


@dataclass(frozen=True)
class Load:
    """``connections`` that are kept busy, or with a ``rate`` so many requests a second on them."""

    url: str
    connections: int
    seconds: float
    rate: float | None = None


@dataclass(frozen=True)
class Measured:
    """Times in seconds; ``rate`` is that of the answers."""

    p50: float
    p95: float
    p99: float
    max: float
    rate: float
    note: str = ""


Tool = Callable[[Load, Path], Measured]


def ours(load: Load, _folder: Path) -> Measured:
    host, port = load.url.removeprefix("http://").rstrip("/").split(":")
    request = Prepared("GET /", f"GET / HTTP/1.1\r\nHost: {host}:{port}\r\nX-Cutover-Probe: 1\r\n\r\n")
    order = Order(host, int(port), tls=False, requests=(request,), concurrency=load.connections, seconds=load.seconds,
                  count=None, warm_up=0.0, timeout=REQUEST_TIMEOUT_S, rate=load.rate)  # fmt: skip
    tally = asyncio.run(run_load(order, lambda _text: None))
    assert not tally.failed, tally.errors
    found, least = figures(tally), figures(tally, surely=True)
    own = f"p95 at least {least['p95'] * 1000:.2f} ms" + ("; it was the limit itself" * bottleneck(tally))
    own += "; it did not keep the rate" * (not kept_rate(tally))
    return Measured(found["p50"], found["p95"], found["p99"], found["max"], found["rps"], own)


def wrk(load: Load, folder: Path) -> Measured:
    script = folder / "done.lua"
    script.write_text(WRK_SCRIPT % (1000 * load.connections / load.rate if load.rate else 0))
    if load.rate is None:
        script.write_text(script.read_text().replace("function delay() return pause end\n", ""))
    out = output(
        "wrk", "-t1", f"-c{load.connections}", f"-d{load.seconds:.0f}s", f"--timeout={REQUEST_TIMEOUT_S:.0f}s",
        "-s", str(script), load.url, seconds=load.seconds,
    )  # fmt: skip
    p50, p95, p99, longest, rate = map(float, out.splitlines()[-1].split())
    return Measured(p50 / 1e6, p95 / 1e6, p99 / 1e6, longest / 1e6, rate * 1e6)


def k6(load: Load, folder: Path) -> Measured:
    script = folder / "load.js"
    script.write_text(K6_SCRIPT)
    pace = {"executor": "constant-vus", "vus": load.connections, "duration": f"{load.seconds:.0f}s"}
    if load.rate is not None:
        pace = {
            "executor": "constant-arrival-rate", "rate": round(load.rate), "timeUnit": "1s",
            "duration": f"{load.seconds:.0f}s", "preAllocatedVUs": load.connections, "maxVUs": load.connections,
        }  # fmt: skip
    out = output(
        "k6", "run", "--quiet", "--no-usage-report", "--log-output=none", "--address=", str(script),
        seconds=load.seconds, TARGET=load.url, PACE=json.dumps(pace),
    )  # fmt: skip
    p50, p95, p99, longest, rate, dropped = json.loads(out)
    note = f"dropped {dropped:,} arrivals" if dropped else ""
    return Measured(p50 / 1e3, p95 / 1e3, p99 / 1e3, longest / 1e3, rate, note)


def with_aiohttp(load: Load, _folder: Path) -> Measured:
    return asyncio.run(_aiohttp(load))


async def _aiohttp(load: Load) -> Measured:
    import aiohttp  # noqa: PLC0415 - the other tools do without

    times: list[float] = []
    end = time.perf_counter() + load.seconds

    async def client(session: aiohttp.ClientSession) -> None:
        while (started := time.perf_counter()) < end:
            async with session.get(load.url) as response:
                await response.read()
            times.append(time.perf_counter() - started)

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await asyncio.gather(*(client(session) for _ in range(load.connections)))
    times.sort()
    p50, p95, p99 = (times[int(len(times) * share)] for share in (0.5, 0.95, 0.99))
    return Measured(p50, p95, p99, times[-1], len(times) / load.seconds)


def output(name: str, *arguments: str, seconds: float, **environ: str) -> str:
    return subprocess.run(
        [program(name) or name, *arguments], check=True, capture_output=True, text=True,
        env={**os.environ, **environ}, timeout=seconds + TOOL_MARGIN_S,
    ).stdout  # fmt: skip
