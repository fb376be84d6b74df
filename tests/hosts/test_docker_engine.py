"""Which engine is asked, and how long."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from cutover.errors import ProxyError
from cutover.hosts.docker_engine import DockerContainer, in_thread

SOON_S = 5.0


def context(folder: Path, name: str, host: str) -> None:
    """A Docker configuration whose current context is ``name``."""
    meta = folder / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest()
    meta.mkdir(parents=True)
    endpoints = {"docker": {"Host": host, "SkipTLSVerify": False}}
    (meta / "meta.json").write_text(json.dumps({"Name": name, "Metadata": {}, "Endpoints": endpoints}))
    (folder / "config.json").write_text(json.dumps({"currentContext": name}))


@pytest.fixture
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG"):
        monkeypatch.delenv(name, raising=False)


async def test_an_engine_that_does_not_answer_is_named(no_environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    asked = time.monotonic()
    with pytest.raises(ProxyError, match="can't be reached") as raised:
        await DockerContainer("edge").call(lambda container: container.id)
    assert "tcp://127.0.0.1:1" in raised.value.message
    assert "docker info" in str(raised.value.hint)
    assert time.monotonic() - asked < SOON_S


def test_a_socket_that_is_not_there_is_named() -> None:
    """In a process of its own: the SDK leaves the socket that it could not connect to the garbage collector."""
    program = """
import asyncio
from cutover.errors import ProxyError
from cutover.hosts.docker_engine import DockerContainer
try:
    asyncio.run(DockerContainer("edge").call(lambda container: container.id))
except ProxyError as error:
    print(error)
"""
    environment = {**os.environ, "DOCKER_HOST": "unix:///nowhere/docker.sock"}
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True, env=environment
    )
    assert "unix:///nowhere/docker.sock can't be reached" in ended.stdout
    assert "No such file" in ended.stdout


async def test_the_current_context_chooses_the_engine(
    no_environment: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    context(tmp_path, "far-away", "tcp://127.0.0.1:1")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with pytest.raises(ProxyError, match="refused"):
        await DockerContainer("edge").call(lambda container: container.id)


async def test_an_unknown_context_is_not_taken_for_the_default_one(
    no_environment: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONTEXT", "misspelt")
    with pytest.raises(ProxyError, match="context misspelt does not exist"):
        await DockerContainer("edge").call(lambda container: container.id)


async def test_a_call_that_hangs_ends_at_its_limit() -> None:
    release = threading.Event()
    with pytest.raises(ProxyError, match=r"within 0\.05 s"):
        await in_thread(release.wait, limit_s=0.05, what="container edge")
    release.set()


async def test_a_cancelled_call_is_waited_for_so_that_nothing_lands_later() -> None:
    begun, release, landed = threading.Event(), threading.Event(), threading.Event()

    def write() -> None:
        begun.set()
        release.wait(SOON_S)
        landed.set()

    call = asyncio.create_task(in_thread(write, limit_s=SOON_S, what="container edge"))
    await asyncio.to_thread(begun.wait, SOON_S)
    call.cancel()
    release.set()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert landed.is_set()


def test_a_call_that_never_returns_does_not_keep_the_process() -> None:
    program = """
import asyncio, threading
from cutover.errors import ProxyError
from cutover.hosts.docker_engine import in_thread
try:
    asyncio.run(in_thread(threading.Event().wait, limit_s=0.05, what="container edge"))
except ProxyError as error:
    print(error)
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)
    assert "did not answer" in ended.stdout
    assert ended.stderr == ""
