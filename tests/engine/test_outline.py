"""What ``cutover plan`` and ``cutover render`` say, before and while a run is open."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cutover.engine.opening import Options
from cutover.engine.outline import outline, rendering
from cutover.report.outline import text
from tests.support.ports import free_port
from tests.support.site import Backend, Site, stop_nginx

PHASES = """\
preflight:
  - name: Django is ready
    http: {backend: new, path: /health}
    retry: {for: 60s, every: 2s}
validate:
  - diff: {requests: ["GET /studies?page=1"]}
  - load: {backend: new, concurrency: 2, for: 30s, thresholds: ["p95 <= 500ms"]}
    on_fail: continue
shift:
  - shift: {through: [10, 50], hold: 5m, gates: [{http: {backend: proxy, path: /health}, on_fail: pause}]}
cutover:
  - shift: {to: 100, hold: 10m}
soak:
  - watch: {for: 24h, gates: [{http: {backend: new, path: /health}}]}
cleanup:
  - command: {run: [docker, stop, fastapi]}
rollback:
  - command: {run: ["true"]}
"""

QUICK = """\
preflight:
  - http: {backend: old, path: /health}
validate:
  - diff: {requests: ["GET /studies?page=1"]}
shift:
  - shift: {through: [10, 50]}
cutover:
  - shift: {to: 100}
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    old, new = Backend("old"), Backend("new")
    made = Site(tmp_path, old, new, free_port())
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    try:
        yield made
    finally:
        stop_nginx(made)
        old.stop()
        new.stop()


async def outlined(site: Site) -> dict[str, Any]:
    return await outline(Options(plan_file=site.plan_file))


def write_foreign_plan(folder: Path, control: str, *, server: str = "server: {listen: '127.0.0.1:1'}") -> Options:
    """A plan whose proxy is not cutover's own; nothing of it is there."""
    file = folder / "cutover.yml"
    file.write_text(
        textwrap.dedent(f"""\
        version: 1
        name: site
        backends:
          old: {{url: "http://127.0.0.1:2"}}
          new: {{url: "http://127.0.0.1:3"}}
        proxy:
          url: http://127.0.0.1:1
          control: {control}
          config: {folder}/conf.d/site.conf
          {server}
        phases:
          shift:
            - shift: {{through: [10, 50]}}
        """)
    )
    return Options(plan_file=file)


async def test_every_phase_and_step_says_what_it_changes_how_long_it_takes_and_what_a_failure_leads_to(
    site: Site,
) -> None:
    site.write_plan(PHASES)
    data = await outlined(site)
    steps = {(p["phase"], s["number"]): s for p in data["phases"] for s in p["steps"]}
    assert [p["phase"] for p in data["phases"]] == [
        "preflight", "validate", "shift", "cutover", "soak", "cleanup", "rollback",
    ]  # fmt: skip
    assert [s["on_fail"] for s in steps.values()] == [
        "stop", "stop", "continue", "rollback", "rollback", "rollback", "rollback", "noted",
    ]  # fmt: skip
    assert (steps["shift", 1]["from_weight"], steps["shift", 1]["weights"]) == (0, [10, 50])
    assert (steps["cutover", 1]["from_weight"], steps["cutover", 1]["weights"]) == (50, [100])
    assert steps["validate", 1]["requests"] == ["GET /studies?page=1"]
    assert steps["shift", 1]["gates"][0]["on_fail"] == "pause"
    assert data["least_seconds"] == 30 + 2 * 300 + 600 + 86400


async def test_an_outline_makes_nothing(site: Site) -> None:
    site.write_plan(PHASES)
    before = sorted(site.folder.rglob("*"))
    await outlined(site)
    await rendering(Options(plan_file=site.plan_file), 10, settled=False)
    assert sorted(site.folder.rglob("*")) == before


async def test_before_the_first_run_the_whole_configuration_of_the_first_weight_is_new(site: Site) -> None:
    site.write_plan(PHASES)
    data = await outlined(site)
    rendered = await rendering(Options(plan_file=site.plan_file), 10, settled=False)
    lines = data["diff"].splitlines()
    assert lines[0] == "--- nothing yet"
    assert [line[1:] for line in lines[3:]] == rendered["text"].splitlines()
    assert data["change"]["weight"] == 10
    assert data["run"] is None


async def test_an_open_run_shows_what_is_passed_and_the_change_to_what_is_live(site: Site) -> None:
    site.write_plan(QUICK)
    site.cutover("run", "--until", "shift")
    data = await outlined(site)
    assert [p["phase"] for p in data["phases"] if p["passed"]] == ["preflight", "validate", "shift"]
    assert data["run"]["weight"] == data["live"]["weight"] == 50
    assert data["change"]["weight"] == 100
    assert {"-# weight: 50", "+# weight: 100"} <= set(data["diff"].splitlines())
    assert "will not run again" in text(data, color=False)


async def test_a_run_that_is_done_leaves_nothing_to_do(site: Site) -> None:
    site.write_plan(QUICK)
    site.cutover("run")
    data = await outlined(site)
    assert data["run"]["complete"]
    assert data["diff"] == ""
    assert "nothing left to do" in text(data, color=False)


async def test_after_a_rollback_the_whole_journey_lies_ahead(site: Site) -> None:
    site.write_plan(QUICK)
    site.cutover("run", "--until", "shift")
    site.cutover("rollback")
    data = await outlined(site)
    assert not any(p["passed"] for p in data["phases"])
    assert data["phases"][2]["steps"][0]["from_weight"] == 0


async def test_by_client_says_where_the_switch_is(site: Site) -> None:
    folder = site.folder / "switch"
    site.write_plan(QUICK, split=f"{{by: client, dir: {folder}}}")
    data = await outlined(site)
    assert data["change"]["switch_dir"] == str(folder)
    assert f"Weights change by a link in {folder}" in text(data, color=False)


async def test_a_server_block_of_the_users_own_shows_the_file_to_include_too(tmp_path: Path) -> None:
    options = write_foreign_plan(tmp_path, "{local: {binary: nginx-that-is-not-there}}", server="")
    files = (await outline(options))["change"]["files"]
    assert [Path(file["path"]).name for file in files] == ["site.conf", "site.server.inc"]
    assert all(file["diff"] for file in files)


@pytest.mark.parametrize("control", ["{local: {binary: nginx-that-is-not-there}}", "{docker: {container: gone}}"])
async def test_a_proxy_that_cannot_be_asked_costs_a_sentence_not_the_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, control: str
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    data = await outline(write_foreign_plan(tmp_path, control))
    told = text(data, color=False)
    assert data["change"]["reason"]
    assert f"The proxy could not be asked: {data['change']['reason']}" in told
    assert "+# weight: 10" in told


async def test_only_a_terminal_gets_a_coloured_diff(site: Site) -> None:
    site.write_plan(PHASES)
    data = await outlined(site)
    assert "\x1b" not in text(data, color=False)
    assert "\x1b[32m+# weight: 10\x1b[0m" in text(data, color=True)
    assert "\x1b" not in site.cutover("plan").stdout


def test_render_prints_the_configuration_alone(site: Site) -> None:
    site.write_plan(PHASES)
    done = site.cutover("render", "--weight", "25")
    assert done.stdout.startswith("# Written by cutover")
    assert "\n# weight: 25\n" in done.stdout
    assert done.stderr == ""
    data = json.loads(site.cutover("render", "--weight", "25", "--json").stdout)
    assert data["text"] == done.stdout
    assert data["weight"] == 25
    assert data["revision"] in data["text"]


def test_render_is_at_weight_0_by_default_and_can_be_settled(site: Site) -> None:
    site.write_plan(PHASES)
    assert "\n# weight: 0\n" in site.cutover("render").stdout
    settled = site.cutover("render", "--settled").stdout
    assert "\n# mode: settled\n" in settled
    assert f"server 127.0.0.1:{site.old.port}" not in settled


@pytest.mark.parametrize("weight", ["101", "-1", "half"])
def test_render_refuses_what_is_no_weight(site: Site, weight: str) -> None:
    site.write_plan(PHASES)
    site.cutover("render", f"--weight={weight}", expect=2)


async def test_render_for_an_nginx_that_cannot_be_asked_says_what_it_assumes(tmp_path: Path) -> None:
    options = write_foreign_plan(tmp_path, "{local: {binary: nginx-that-is-not-there}}")
    data = await rendering(options, 10, settled=False)
    assert "nginx-that-is-not-there" in data["assumed"]
    assert "\n# weight: 10\n" in data["text"]


def test_a_run_that_is_not_known_is_a_mistake_with_suggestions(site: Site) -> None:
    site.write_plan(QUICK)
    assert "no runs yet" in site.cutover("report", expect=2).stderr
    assert "no runs yet" in site.cutover("history").stdout
    assert json.loads(site.cutover("history", "--json").stdout) == []
    site.cutover("preflight")
    run = site.status()["run"]
    wrong = site.cutover("report", f"{run[:-1]}x", expect=2)
    assert f"did you mean {run}" in wrong.stderr
    assert run in site.cutover("report", run[:8]).stdout
    assert json.loads(site.cutover("report", "--json").stdout)["run"] == run


def test_reports_and_history_need_no_plan_that_loads(site: Site) -> None:
    site.write_plan(QUICK)
    site.cutover("preflight")
    run = site.status()["run"]
    site.plan_file.write_text("name: site\nversion: 77\n")
    assert run in site.cutover("report").stdout
    assert run in site.cutover("history").stdout
    assert "phase preflight passed" in site.cutover("history", run).stdout
    events = [json.loads(line) for line in site.cutover("history", run, "--json").stdout.splitlines()]
    assert events[0]["event"] == "RunOpened"
