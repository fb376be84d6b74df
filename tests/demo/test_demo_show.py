"""``cutover demo`` as people run it: the whole job, and a fault caught where it is said to be."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cutover.demo.faults import FAULTS

DEMO_TIMEOUT_S = 150


def demo(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cutover", "demo", *args],
        capture_output=True, text=True, timeout=DEMO_TIMEOUT_S, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.mark.timeout(DEMO_TIMEOUT_S)
def test_the_demo_moves_all_traffic_without_a_failed_request() -> None:
    done = demo()
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\d requests, 0 failed", done.stdout)
    shares = dict(re.findall(r"^(\d+) % .* (\d+\.\d) %  ", done.stdout, re.MULTILINE))
    for weight in ("10", "50"):
        assert float(shares[weight]) == pytest.approx(float(weight), abs=6)
    artifacts = Path(done.stdout.strip().rpartition(" ")[2])
    assert (artifacts / "cutover.yml").is_file()
    assert list(artifacts.rglob("*-weight-50.conf"))


@pytest.mark.timeout(DEMO_TIMEOUT_S)
def test_a_fault_that_shows_at_half_is_caught_there_and_traffic_goes_back() -> None:
    done = demo("--fault", "fails-at-half")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "caught in shift at weight 50 %" in done.stdout
    assert "traffic went back to old in" in done.stdout


@pytest.mark.docker
@pytest.mark.timeout(DEMO_TIMEOUT_S)
def test_the_demo_runs_its_proxy_in_a_container(engine: object) -> None:
    done = demo("--docker", "--fault", "missing-endpoint")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "caught in validate at weight 0 %" in done.stdout


def test_faults_are_listed() -> None:
    assert set(FAULTS) == {line.split()[0] for line in demo("--list-faults").stdout.splitlines()}
    assert set(json.loads(demo("--list-faults", "--json").stdout)) == set(FAULTS)


def test_an_unknown_fault_is_a_mistake_with_a_suggestion() -> None:
    done = demo("--fault", "tokn")
    assert done.returncode == 2
    assert "token" in done.stderr
