"""Runs in which new is judged against old, by the traffic that both had."""

from __future__ import annotations

import re

import pytest

from tests.support.site import Site, Traffic

JUDGED = """\
shift:
  - shift:
      through: [50]
      hold: {hold}
      every: 250ms
      gates:
        - traffic: {{judge: {{confidence: 98%, tolerance: 25%}}}}
"""


@pytest.fixture
def judged(site: Site) -> Site:
    site.write_plan(JUDGED.format(hold="30s"))
    site.cutover("proxy", "start")
    return site


def test_a_new_that_is_half_as_slow_again_is_rolled_back_with_the_sentence_that_says_so(judged: Site) -> None:
    judged.old.delay_s, judged.new.delay_s = 0.2, 0.3
    with Traffic(judged.port, clients=24) as traffic:
        failed = judged.cutover("run", expect=1)
    assert traffic.failed == []
    sentence = r"fail: response times are \d\d to \d\d % slower than old \(98 %, \d+ and \d+ requests\)"
    assert re.search(sentence, failed.stderr), failed.stderr
    assert "traffic was brought back from weight 50 to old, verified" in failed.stderr
    assert judged.status()["state"] == "rolled_back"
    assert judged.share_of_new(10) == 0


def test_both_equally_slow_is_no_reason_to_go_back(site: Site) -> None:
    site.write_plan(JUDGED.format(hold="4s"))
    site.old.delay_s = site.new.delay_s = 0.2
    site.cutover("proxy", "start")
    with Traffic(site.port, clients=24) as traffic:
        done = site.cutover("run", "--until", "shift")
    assert traffic.failed == []
    assert "not shown to be worse than old: errors at most " in done.stdout
    assert site.status()["weight"] == {"intended": 50, "live": 50}


def test_an_old_that_fails_while_new_is_healthy_is_no_reason_to_go_back_to_it(site: Site) -> None:
    site.write_plan(JUDGED.format(hold="3s"))
    site.old.status = 500
    site.cutover("proxy", "start")
    with Traffic(site.port, clients=16) as traffic:
        done = site.cutover("run", "--until", "shift")
    assert traffic.failed
    assert "; old has 100 % errors, new 0 %" in done.stdout
    assert site.status()["weight"] == {"intended": 50, "live": 50}
