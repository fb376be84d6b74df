"""A login per side: its token is used by all that follows, in this process and the next, and found nowhere."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.doors import PASSWORD, Doors
from tests.support.forks import Forks
from tests.support.ports import free_port
from tests.support.searched import Searched
from tests.support.site import Site

HEAD = """\
version: 1
name: site
secrets: [PASSWORD]
backends:
  old: {{url: "http://127.0.0.1:{old}", headers: {{Authorization: "Bearer ${{old_token}}"}}}}
  new: {{url: "http://127.0.0.1:{new}", headers: {{Authorization: "Bearer ${{new_token}}"}}}}
proxy:
  url: http://127.0.0.1:{port}
  control: {{managed: {{}}}}
  server: {{listen: "127.0.0.1:{port}"}}
phases:
"""
PREFLIGHT = """\
  preflight:
    - http: {backend: new, path: /health}
    - name: log in to old
      http:
        backend: old
        path: /login
        method: POST
        unsafe: true
        body: '{"password": "${PASSWORD}"}'
        save: {old_token: $.access_token, user: $.user.id}
    - name: log in to new
      http:
        backend: new
        path: /login
        method: POST
        unsafe: true
        body: '{"password": "${PASSWORD}"}'
        save: {new_token: $.access_token}
REFRESH
    - http: {backend: new, path: "/users/${user}", json: {user: demo}}
"""
VALIDATE = """\
  validate:
    - diff: {requests: ["GET /studies", "GET /users/${user}"]}
    - load: {backend: new, count: 20, concurrency: 2, thresholds: ["errors == 0%", "errors <= old + 1%"]}
"""
SHIFT = """\
  shift:
    - shift:
        to: 50
        hold: 300ms
        every: 100ms
        gates:
          - http: {backend: new, path: /me, json: {level: 7}}
          - name: the token is taken
            http:
              backend: old
              path: "/echo/${old_token}"
              headers: {X-Sent: "${new_token}"}
              json: {heard: {X-Sent: "${new_token}"}}
          - http: {backend: proxy, path: /health}
"""
COMMAND = """\
  soak:
    - command:
        run: [sh, -c, 'test "$TOKEN" = "${new_token}" && test "${user}" = 7 && echo "has $TOKEN and ${old_token}"']
        env: {TOKEN: "${new_token}"}
  rollback:
    - http: {backend: old, path: /me}
"""


class Gated(Site):
    """A site whose backends want a token."""

    old: Doors  # type: ignore[assignment]
    new: Doors  # type: ignore[assignment]

    def write(self, *phases: str, refresh: str = "") -> None:
        head = HEAD.format(old=self.old.port, new=self.new.port, port=self.port)
        text = "".join(phases).replace("REFRESH\n", f"        refresh: {refresh}\n" if refresh else "")
        self.plan_file.write_text(head + text)

    def logins(self) -> tuple[int, int]:
        return self.old.seen["/login"], self.new.seen["/login"]


@pytest.fixture
def gated(tmp_path: Path, forks: Forks) -> Iterator[Gated]:
    old, new = Doors("old"), Doors("new")
    made = Gated(tmp_path, old, new, free_port(), forks=forks, environ={"PASSWORD": PASSWORD})  # type: ignore[arg-type]
    yield made
    made.stop()
    old.stop()
    new.stop()


def search_all(site: Gated, outputs: list[str]) -> set[str]:
    """Where a token or password is found, in what was said and in every file of the state folder."""
    tokens = {f"token {n}": token for n, token in enumerate([*site.old.tokens, *site.new.tokens])}
    searched = Searched({**tokens, "password": PASSWORD})
    for output in outputs:
        searched.look(f"what was said: {output[:40]}", output.encode())
    files = [file for file in (site.folder / "state").rglob("*") if file.is_file()]
    assert {"journal.db", "plan.yml", "result.json"} <= {file.name for file in files}
    for file in files:
        searched.look(str(file), file.read_bytes())
    return searched.found


def said(site: Gated, *args: str, expect: int = 0) -> str:
    done = site.cutover(*args, expect=expect)
    return f"{args}: {done.stdout}\n{done.stderr}"


def test_each_side_is_asked_with_its_own_token_and_none_is_ever_shown(gated: Gated) -> None:
    gated.write(PREFLIGHT, VALIDATE, SHIFT, COMMAND)
    outputs = [said(gated, "check"), said(gated, "plan"), said(gated, "run", "-v")]
    assert gated.logins() == (1, 1)
    assert gated.old.unasked == gated.new.unasked == []
    assert "saved old_token, user" in outputs[-1]
    outputs += [said(gated, "status", "--json"), said(gated, "report"), said(gated, "report", "--json")]
    outputs += [said(gated, "rollback", "--json"), said(gated, "run", "--json"), said(gated, "history", "--json")]
    outputs += [said(gated, "history", "-v")]
    assert search_all(gated, outputs) == set()


WAITING = """\
  between:
    - command: {run: [sh, -c, "touch there; while [ ! -e go ]; do sleep 0.02; done"], idempotent: true}
"""
AFTER = """\
  after:
    - http: {backend: new, path: "/users/${user}", json: {user: demo}}
    - http: {backend: old, path: "/echo/${new_token}"}
"""


def test_after_a_kill_between_phases_the_next_command_logs_in_again(gated: Gated) -> None:
    gated.write(PREFLIGHT, WAITING, AFTER, SHIFT)
    process = gated.start("run")
    wait_for(gated.folder / "there")
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert gated.logins() == (1, 1)
    gated.old.lock()
    gated.new.lock()
    (gated.folder / "go").touch()
    output = said(gated, "run")
    assert gated.logins() == (2, 2)
    assert output.count("asked again, for what it saves: POST http://127.0.0.1:") == 2
    assert gated.status()["state"] == "done"
    assert search_all(gated, [output]) == set()


def wait_for(file: Path) -> None:
    deadline = time.monotonic() + 30
    while not file.exists():
        assert time.monotonic() < deadline, f"{file} never came"
        time.sleep(0.02)


def test_resume_logs_in_again_and_a_rollback_does_too(gated: Gated) -> None:
    rollback = """\
  rollback:
    - http: {backend: new, path: "/users/${user}"}
"""
    gated.write(PREFLIGHT, "  asked: [approve: all is well]\n", AFTER, rollback)
    said(gated, "run", expect=4)
    said(gated, "approve")
    assert gated.logins() == (1, 1)
    assert "asked again" in said(gated, "resume")
    assert gated.logins() == (2, 2)
    # The rollback's step needs what old's login gave, and new's token.
    assert "asked again" in said(gated, "rollback")
    assert gated.logins() == (3, 3)


def test_a_phase_or_a_shift_by_itself_logs_in_once_for_all_its_gates(gated: Gated) -> None:
    gated.write(PREFLIGHT, VALIDATE, SHIFT)
    said(gated, "validate")
    assert gated.logins() == (1, 1)
    # The load asks for what the diff does.
    assert gated.old.seen["/users/7"] > 1
    assert not any("$" in path for path in [*gated.old.seen, *gated.new.seen])
    said(gated, "shift", "--weight", "20", "--hold", "300ms")
    assert gated.logins() == (2, 2)
    assert gated.new.seen["/me"] > 2
    said(gated, "rollback")


def test_a_login_that_fails_leaves_a_step_unknown_and_a_gate_shut(gated: Gated) -> None:
    gated.write(PREFLIGHT, SHIFT)
    said(gated, "preflight")
    gated.new.password = "changed-meanwhile"
    output = said(gated, "shift", "--weight", "20", expect=1)
    assert "unknown: there is no new_token: log in to new: POST http://127.0.0.1:" in output
    assert "/login: 401, expected 2xx" in output
    assert "wrong password" in output
    assert gated.status()["weight"] == {"intended": 0, "live": 0}
    gated.write(PREFLIGHT, AFTER)
    assert "there is no new_token" in said(gated, "run", "--from", "after", expect=1)
    gated.write(PREFLIGHT)
    assert "401, expected 2xx" in said(gated, "run", expect=1)


def test_a_value_that_is_not_there_fails_the_login(gated: Gated) -> None:
    gated.write(PREFLIGHT.replace("$.access_token, user", "$.token, user"))
    output = said(gated, "run", expect=1)
    assert "nothing to save as old_token: there is no $.token in the answer" in output
    assert "body: not shown, as values are saved from it" in output
    assert search_all(gated, [output]) == set()


def test_a_value_older_than_refresh_is_asked_for_again_while_gates_go_on(gated: Gated) -> None:
    soak = """\
  soak:
    - watch: {for: 2s, every: 100ms, gates: [{http: {backend: new, path: /me}}, {http: {backend: new, path: /you}}]}
"""
    gated.write(PREFLIGHT, soak, refresh="400ms")
    output = said(gated, "run")
    assert gated.old.seen["/login"] == 1
    assert 2 <= gated.new.seen["/login"] <= 1 + gated.new.seen["/me"]
    assert gated.new.unasked == []
    assert "unknown" not in output
    assert search_all(gated, [output]) == set()


def test_a_value_that_does_not_fit_is_told_without_being_shown(gated: Gated) -> None:
    misfit = """\
  after:
    - http: {backend: new, path: "/users/7", headers: {X-Login: "${login}"}}
"""
    gated.write(PREFLIGHT.replace("user: $.user.id", "user: $.user.id, login: $.odd"), misfit)
    gated.old.more = {"odd": "two\nlines-of-it"}
    output = said(gated, "run", expect=1)
    assert "a saved value does not fit in http.headers.X-Login: a header's value can hold no line breaks" in output
    assert "lines-of-it" not in output


def test_a_comparison_without_a_run_logs_in_once_first_and_shows_no_token(gated: Gated) -> None:
    gated.write(PREFLIGHT, VALIDATE)
    outputs = [said(gated, "diff"), said(gated, "diff", "--learn"), said(gated, "diff", "GET", "/studies", "--json")]
    assert "pass  2 requests compared, none differs" in outputs[0]
    assert gated.logins() == (3, 3)
    assert gated.old.unasked == gated.new.unasked == []
    gated.new.password = "changed-meanwhile"
    outputs.append(said(gated, "diff", expect=1))
    assert "there is no new_token" in outputs[-1]
    tokens = [*gated.old.tokens, *gated.new.tokens, PASSWORD]
    assert not [output for output in outputs for token in tokens if token in output]
