"""What goes wrong around somebody's own nginx: where traffic is afterwards, what is said, and how it goes on.

Each case is one site that meets one trouble. A row says what a shift, a rollback by hand and an automatic one, each of
them begun at weight 50, come to: the exit code, words of the error, and who serves afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.forks import Forks
from tests.support.nginx import kill_all, kill_master, living
from tests.support.site import Backend
from tests.support.trouble import (
    BOTH,
    FAILING,
    NOBODY,
    OLD,
    Comes,
    Edge,
    all_is_well_again,
    edge_site,
    fill,
    judge,
    wait_until,
)


@dataclass(frozen=True)
class Case:
    name: str
    harm: Callable[[Edge], AbstractContextManager[None]]
    shift: Comes | None
    rollback: Comes | None
    automatic: Comes | None
    by: str = "request"
    disks: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return f"{self.name}, by {self.by}".replace(" ", "-").replace(",", "")


@contextmanager
def config_folder_read_only(site: Edge) -> Iterator[None]:
    site.read_only(site.conf_d)
    yield
    site.writable(site.conf_d)


@contextmanager
def config_disk_full(site: Edge) -> Iterator[None]:
    filler = fill(site.conf_d)
    yield
    filler.unlink()


@contextmanager
def switch_disk_full(site: Edge) -> Iterator[None]:
    filler = fill(site.switch)
    yield
    filler.unlink()


@contextmanager
def state_read_only(site: Edge) -> Iterator[None]:
    site.read_only(site.state)
    yield
    site.writable(site.state)


@contextmanager
def state_disk_full(site: Edge) -> Iterator[None]:
    filler = fill(site.state)
    yield
    filler.unlink()


@contextmanager
def file_edited(site: Edge) -> Iterator[None]:
    site.file.write_text(site.file.read_text().replace("keepalive 64", "keepalive 65"))
    yield


@contextmanager
def file_edited_and_reloaded(site: Edge) -> Iterator[None]:
    with file_edited(site):
        site.reload()
        yield


@contextmanager
def file_deleted(site: Edge) -> Iterator[None]:
    site.file.unlink()
    yield


@contextmanager
def nginx_conf_broken(site: Edge) -> Iterator[None]:
    before = site.nginx.conf.read_text()
    site.nginx.conf.write_text(before + "no_such_directive on;\n")
    yield
    site.nginx.conf.write_text(before)


@contextmanager
def nginx_killed(site: Edge) -> Iterator[None]:
    site.kill_nginx()
    yield
    site.nginx.start()


@contextmanager
def master_killed(site: Edge) -> Iterator[None]:
    workers = kill_master(site.nginx.pid_file)
    yield
    kill_all(workers)
    wait_until(lambda: not living(workers))
    site.nginx.start()


@contextmanager
def link_deleted(site: Edge) -> Iterator[None]:
    (site.switch / "current").unlink()
    yield


@contextmanager
def link_moved(site: Edge) -> Iterator[None]:
    link = site.switch / "current"
    link.unlink()
    link.symlink_to("elsewhere")
    yield


@contextmanager
def old_dead(site: Edge) -> Iterator[None]:
    site.old.stop()
    yield
    site.old = Backend("old", site.old.port)


@contextmanager
def new_dead(site: Edge) -> Iterator[None]:
    site.new.stop()
    yield
    site.new = Backend("new", site.new.port)


@contextmanager
def both_dead(site: Edge) -> Iterator[None]:
    with old_dead(site), new_dead(site):
        yield


CASES = [
    Case("config folder read-only", config_folder_read_only, disks=("conf.d",),
         shift=Comes(1, BOTH, ("Read-only", "traffic is at weight 50, as before")),
         rollback=Comes(5, BOTH, ("Read-only", "kill -HUP")), automatic=Comes(5, BOTH, ("Read-only", "kill -HUP"))),
    Case("config folder read-only", config_folder_read_only, disks=("conf.d",), by="client",
         shift=Comes(0, BOTH), rollback=Comes(0, OLD), automatic=Comes(1, OLD)),
    Case("config disk full", config_disk_full, disks=("conf.d",),
         shift=Comes(1, BOTH, ("No space left",)), rollback=Comes(0, OLD), automatic=Comes(1, OLD)),
    Case("switch disk full", switch_disk_full, disks=("switch",), by="client",
         shift=Comes(1, BOTH, ("No space left",)), rollback=Comes(0, OLD), automatic=Comes(1, OLD)),
    Case("state read-only", state_read_only, disks=("state",),
         shift=Comes(1, BOTH, ("Read-only",)), rollback=Comes(0, OLD, ("Read-only",)), automatic=None),
    Case("state disk full", state_disk_full, disks=("state",),
         shift=Comes(1, BOTH, ("full",)), rollback=Comes(0, OLD, ("full",)),
         automatic=Comes(1, OLD, ("full", "traffic was brought back"))),
    Case("file edited", file_edited,
         shift=Comes(1, OLD, ("was edited", "brought back")), rollback=Comes(0, OLD), automatic=Comes(1, OLD)),
    Case("file edited and reloaded", file_edited_and_reloaded,
         shift=Comes(1, OLD, ("was edited", "brought back")), rollback=Comes(0, OLD), automatic=Comes(1, OLD)),
    Case("file deleted", file_deleted,
         shift=Comes(1, OLD, ("is gone", "brought back")), rollback=Comes(0, OLD), automatic=Comes(1, OLD)),
    Case("nginx.conf broken", nginx_conf_broken,
         shift=Comes(1, BOTH, ("no_such_directive", "traffic is at weight 50, as before")),
         rollback=Comes(5, BOTH, ("no_such_directive", "kill -HUP")), automatic=Comes(5, BOTH, ("no_such_directive",))),
    Case("nginx.conf broken", nginx_conf_broken, by="client",
         shift=Comes(0, BOTH), rollback=Comes(0, OLD), automatic=Comes(1, OLD)),
    Case("nginx killed", nginx_killed,
         shift=Comes(1, NOBODY, ("not running",)), rollback=Comes(5, NOBODY, ("not running", "systemctl start nginx")),
         automatic=Comes(5, NOBODY, ("not running", "systemctl start nginx"))),
    Case("master killed", master_killed,
         shift=Comes(1, BOTH, ("master process is gone", "kill -QUIT")),
         rollback=Comes(5, BOTH, ("master process is gone", "weight 0 for its start", "kill -QUIT")),
         automatic=Comes(5, BOTH, ("master process is gone", "weight 0 for its start", "kill -QUIT"))),
    Case("master killed", master_killed, by="client",
         shift=Comes(1, BOTH, ("master process is gone", "kill -QUIT")),
         rollback=Comes(0, OLD, ("master process is gone", "kill -QUIT")), automatic=Comes(1, OLD)),
    Case("link deleted", link_deleted, by="client",
         shift=Comes(1, OLD, ("weight 0 is live instead of 50",)), rollback=Comes(0, OLD), automatic=Comes(1, OLD)),
    Case("link moved", link_moved, by="client",
         shift=Comes(1, OLD), rollback=Comes(0, OLD), automatic=Comes(1, OLD)),
    Case("old dead", old_dead, shift=None,
         rollback=Comes(5, {"502", "new"}, ("old does not answer", "--force")),
         automatic=Comes(5, {"502", "new"}, ("old does not answer", "--force"))),
    Case("new dead", new_dead, shift=None, rollback=Comes(0, OLD), automatic=Comes(1, OLD)),
    Case("both dead", both_dead, shift=None,
         rollback=Comes(5, {"502"}, ("old does not answer", "--force")),
         automatic=Comes(5, {"502"}, ("old does not answer", "--force"))),
]  # fmt: skip


@pytest.fixture
def case(request: pytest.FixtureRequest) -> Case:
    given: Case = request.param
    return given


@pytest.fixture
def edge(case: Case, tmp_path: Path, new_nginx: str, forks: Forks) -> Iterator[Edge]:
    with edge_site(tmp_path, new_nginx, forks, case.by) as made:
        for disk in case.disks:
            made.disk({"conf.d": made.conf_d, "switch": made.switch, "state": made.state}[disk])
        made.nginx.start()
        yield made


def having(column: str) -> pytest.MarkDecorator:
    cases = [case for case in CASES if getattr(case, column) is not None]
    return pytest.mark.parametrize("case", cases, ids=[case.id for case in cases], indirect=True)


@having("shift")
def test_a_shift(edge: Edge, case: Case) -> None:
    edge.plan()
    edge.cutover("shift", "--weight", "50")
    with case.harm(edge):
        judge(edge, edge.cutover("shift", "--weight", "80", expect=None), case.shift)


@having("rollback")
def test_a_rollback_by_hand(edge: Edge, case: Case) -> None:
    edge.plan()
    edge.cutover("shift", "--weight", "50")
    with case.harm(edge):
        judge(edge, edge.cutover("rollback", expect=None), case.rollback)
    all_is_well_again(edge)


@having("automatic")
def test_an_automatic_rollback(edge: Edge, case: Case) -> None:
    edge.plan(FAILING)
    process = edge.run_until_it_waits()
    with case.harm(edge):
        judge(edge, edge.let_it_fail(process), case.automatic)
