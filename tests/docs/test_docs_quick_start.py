"""The README's quick start, typed as it stands there, on two backends and a real nginx."""

from __future__ import annotations

from typing import Any

import yaml

from tests.docs.markdown import README, blocks, commands
from tests.support.site import Site

SHORT = {"for": "500ms", "hold": "100ms", "every": "50ms"}
WAITING = 4


def _adapted(data: Any, site: Site) -> Any:
    """The starter with this site's addresses, a load that two busy cores carry, and no time to wait."""
    if isinstance(data, list):
        return [_adapted(item, site) for item in data]
    if not isinstance(data, dict):
        return data
    made = {key: SHORT[key] if key in SHORT else _adapted(value, site) for key, value in data.items()}
    if "concurrency" in made:
        made |= {"concurrency": 4, "thresholds": ["errors == 0%"]}
    return made


def _adapt(site: Site) -> None:
    plan = _adapted(yaml.safe_load(site.plan_file.read_text()), site)
    plan["backends"]["old"]["url"] = f"http://127.0.0.1:{site.old.port}"
    plan["backends"]["new"]["url"] = f"http://127.0.0.1:{site.new.port}"
    plan["proxy"] |= {"url": f"http://127.0.0.1:{site.port}", "server": {"listen": f"127.0.0.1:{site.port}"}}
    site.plan_file.write_text(yaml.safe_dump(plan, sort_keys=False))


def test_the_quick_start_leads_to_a_finished_run_and_back(site: Site) -> None:
    typed = [c.words[1:] for c in commands(README) if c.heading == "Quick start"]
    journey = typed[: typed.index(("rollback",)) + 1]
    assert [words[0] for words in journey] == [
        "init", "check", "plan", "run", "status", "approve", "resume", "rollback",
    ]  # fmt: skip
    (written,) = [b.text.splitlines()[1] for b in blocks(README, "console") if "$ cutover init" in b.text]

    init, check, plan, run, status, approve, resume, rollback = journey
    assert site.cutover(*init).stdout.strip() == written
    _adapt(site)
    assert "no mistakes" in site.cutover(*check).stdout
    assert "Phase shift" in site.cutover(*plan).stdout
    assert not (site.folder / "state").exists(), "check and plan change nothing"
    site.cutover(*run, expect=WAITING)
    assert "waiting" in site.cutover(*status).stdout
    assert site.share_of_new(20) == 100
    site.cutover(*approve)
    assert "all traffic on new, for good" in site.cutover(*resume).stdout
    site.cutover(*rollback)
    assert site.share_of_new(20) == 0


def test_the_pipeline_of_the_quick_start_has_the_commands_in_an_order_that_a_plan_allows() -> None:
    typed = [c.words[1:] for c in commands(README) if c.heading == "Quick start"]
    pipeline = typed[typed.index(("rollback",)) + 1 :]
    assert [words[0] for words in pipeline] == [
        "preflight", "validate", "shift", "shift", "promote", "run", "cleanup",
    ]  # fmt: skip
