"""Plans that no longer load and journals that are lost, in the middle of a run: a rollback needs neither."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.forks import Forks
from tests.support.trouble import BOTH, OLD, PHASES, Comes, Edge, all_is_well_again, edge_site, judge


@dataclass(frozen=True)
class Case:
    """What a shift and a rollback come to, begun at weight 50; the harm returns what undoes it."""

    name: str
    harm: Callable[[Edge], Callable[[], object]]
    shift: Comes
    rollback: Comes


def plan_breaks(site: Edge) -> Callable[[], object]:
    site.plan_file.write_text(f"{site.plan_file.read_text()}\tnonsense: [\n")
    return site.plan


def plan_has_a_mistake(site: Edge) -> Callable[[], object]:
    site.plan_file.write_text(f"{site.plan_file.read_text()}nonsense: 1\n")
    return site.plan


def variable_is_unset(site: Edge) -> Callable[[], object]:
    site.plan_file.write_text(site.plan_file.read_text().replace("path: /health", 'path: "/${NOWHERE_SET}"'))
    return site.plan


def plan_is_gone(site: Edge) -> Callable[[], object]:
    site.plan_file.unlink()
    return site.plan


def plan_listens_where_somebody_else_does(site: Edge) -> Callable[[], object]:
    text = site.plan_file.read_text()
    listen = f'"127.0.0.1:{site.port}"'
    site.plan_file.write_text(text.replace(f"listen: {listen}", f'listen: [{listen}, "127.0.0.1:{site.old.port}"]'))
    return site.plan


def journal_is_gone(site: Edge) -> Callable[[], object]:
    for file in site.state.glob("journal.db*"):
        file.unlink()
    return lambda: None


def journal_is_damaged(site: Edge) -> Callable[[], object]:
    (site.state / "journal.db").write_bytes(b"no database at all\n" * 1000)
    return (site.state / "journal.db").unlink


def state_is_gone(site: Edge) -> Callable[[], object]:
    shutil.rmtree(site.state)
    return lambda: None


CASES = [
    Case("plan breaks", plan_breaks, Comes(2, BOTH, ("cutover.yml",)), Comes(0, OLD, ("does not load",))),
    Case("plan has a mistake", plan_has_a_mistake, Comes(2, BOTH, ("nonsense",)), Comes(0, OLD, ("does not load",))),
    Case("variable is unset", variable_is_unset, Comes(2, BOTH, ("NOWHERE_SET",)), Comes(0, OLD, ("does not load",))),
    Case("plan is gone", plan_is_gone, Comes(2, BOTH, ("cutover.yml",)), Comes(0, OLD, ("does not load",))),
    Case("plan listens on a busy port", plan_listens_where_somebody_else_does,
         Comes(1, BOTH, ("is in use", "as before")), Comes(0, OLD, ("settings of the run's start",))),
    Case("journal is gone", journal_is_gone, Comes(0, BOTH), Comes(0, OLD)),
    Case("journal is damaged", journal_is_damaged,
         Comes(1, BOTH, ("move this one away",)), Comes(0, OLD, ("journal",))),
    Case("state is gone", state_is_gone, Comes(0, BOTH), Comes(0, OLD)),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=[case.name.replace(" ", "-") for case in CASES])
def test_a_shift_says_so_and_a_rollback_works(case: Case, tmp_path: Path, new_nginx: str, forks: Forks) -> None:
    with edge_site(tmp_path, new_nginx, forks) as site:
        site.nginx.start()
        site.plan()
        site.cutover("shift", "--weight", "50")
        undo = case.harm(site)
        judge(site, site.cutover("shift", "--weight", "80", expect=None), case.shift)
        assert site.status()["weight"]["live"] == (50 if case.shift.exit_code else 80)
        judge(site, site.cutover("rollback", expect=None), case.rollback)
        undo()
        all_is_well_again(site)


def test_without_a_plan_file_and_with_several_plans_a_rollback_asks_which(
    tmp_path: Path, new_nginx: str, forks: Forks
) -> None:
    with edge_site(tmp_path, new_nginx, forks) as site:
        site.nginx.start()
        site.plan(PHASES)
        site.cutover("shift", "--weight", "50")
        (site.state.parent / "other" / "emergency").mkdir(parents=True)
        site.plan_file.unlink()
        refused = site.cutover("rollback", expect=2)
        assert "other, site" in refused.stderr
        (site.folder / "name.yml").write_text("name: site\n")
        site.cutover("rollback", "-p", "name.yml")
        assert site.served_by() == OLD
