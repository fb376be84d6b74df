"""A Docker engine that does not answer, and a container that is down: end to end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.forks import Forks
from tests.support.site import Backend, Site

if TYPE_CHECKING:
    from docker.models.containers import Container

pytestmark = pytest.mark.docker

PHASES = "shift:\n  - shift: {to: 50}\n"
Run = Callable[..., "Container"]


@pytest.fixture
def placed(run: Run) -> Container:
    return run()


@pytest.fixture
def site(placed: Container, tmp_path: Path, free_port: int) -> Iterator[Site]:
    old, new, forks = Backend("old"), Backend("new"), Forks()
    made = Site(
        tmp_path, old, new, free_port, forks=forks,
        control=f"docker: {{container: {placed.name}}}", config="/etc/nginx/conf.d/site.conf",
    )  # fmt: skip
    made.write_plan(PHASES)
    made.cutover("shift", "--weight", "50")
    yield made
    made.stop()
    old.stop()
    new.stop()
    forks.stop()


def test_an_engine_that_cannot_be_reached_leaves_traffic_and_says_what_to_type(site: Site) -> None:
    site.environ["DOCKER_HOST"] = "tcp://127.0.0.1:1"
    failed = site.cutover("shift", "--weight", "80", expect=1)
    assert "the Docker engine at tcp://127.0.0.1:1 can't be reached" in failed.stderr
    failed = site.cutover("rollback", expect=5)
    assert "can't be reached" in failed.stderr
    assert "docker exec" in failed.stderr
    assert "docker kill -s HUP" in failed.stderr
    assert 0 < site.share_of_new(20) < 100
    status = site.status()
    assert status["weight"] == {"intended": 50, "live": 50}
    assert status["next"] == "cutover rollback"
    del site.environ["DOCKER_HOST"]
    site.cutover("rollback")
    assert site.share_of_new(10) == 0
    site.cutover("run")
    assert 0 < site.share_of_new(20) < 100


def test_a_container_that_is_down_is_told_with_the_command_that_starts_it(site: Site, placed: Container) -> None:
    placed.stop(timeout=1)
    assert f"docker start {placed.name}" in site.cutover("shift", "--weight", "80", expect=1).stderr
    assert f"docker start {placed.name}" in site.cutover("rollback", expect=5).stderr
    assert site.status()["weight"] == {"intended": 50, "live": None}
    placed.start()
    site.cutover("rollback")
    assert site.share_of_new(10) == 0
    site.cutover("run")
    assert 0 < site.share_of_new(20) < 100


def test_a_container_that_is_gone_is_named(site: Site, placed: Container) -> None:
    placed.remove(force=True)
    assert f"no container {placed.name}" in site.cutover("run", expect=1).stderr
    assert f"no container {placed.name}" in site.cutover("rollback", expect=5).stderr
