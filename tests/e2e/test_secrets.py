"""Secrets never leave: searched for in every file, every byte of output and every command line, in many spellings."""

from __future__ import annotations

import base64
import html
import json
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from tests.support.forks import ROOT, Forks
from tests.support.ports import free_port
from tests.support.searched import Searched
from tests.support.site import Site

DEFECTIVE = ROOT / "tests/support/defective.py"
PLACES = ("HEADER", "BODY", "PASSWORD", "LISTED", "EXPECTED", "COMMAND", "HEADER_OF_REQUEST")
SECRETS = {f"MARK_{place}": f"mark+{place.lower()}/4&%<7>=='\"q" for place in PLACES}


class Echo:
    """A backend that gives back all that it is sent: in bodies, headers and error pages."""

    def __init__(self, name: str) -> None:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                sent = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                heard = dict(self.headers.items())
                scheme, _, credentials = heard.get("Authorization", "").partition(" ")
                told = {"status": "ok", "sent": sent, "heard": heard}
                if self.path == "/odd":
                    told |= {"name": name, "quoted": quote(sent), "plus": quote_plus(str(heard.get("X-Api-Key")))}
                    told |= {"encoded": base64.b64encode(f"{name}:{heard.get('X-Api-Key')}".encode()).decode()}
                    if scheme == "Basic":
                        told["decoded"] = base64.b64decode(credentials).decode()
                text = json.dumps(told)
                if self.path == "/fail":
                    text = f"<h1>Server error</h1><pre>{html.escape(text)}</pre>"
                body = text.encode()
                self.send_response(500 if self.path == "/fail" else 200)
                self.send_header("Content-Type", "text/html" if self.path == "/fail" else "application/json")
                self.send_header("X-Echo", f"{heard.get('X-Api-Key')} {heard.get('Authorization')}")
                self.send_header("Set-Cookie", f"session={heard.get('X-Api-Key')}")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET  # noqa: N815 - the base class's name

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, request: object, client_address: object) -> None:
                pass

        self.name = name
        self.running = True
        self._server = Server(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


ENVIRON = {**SECRETS, "MARK_PASSWORD": quote(SECRETS["MARK_PASSWORD"], safe="")}
PLAN = """\
version: 1
name: site
secrets: [MARK_LISTED, MARK_EXPECTED, MARK_COMMAND]
vars: {{note: "${{MARK_LISTED}}"}}
description: "about ${{note}}"
backends:
  old: {{url: "http://user:${{MARK_PASSWORD}}@127.0.0.1:{old}", headers: {{X-Api-Key: "${{MARK_HEADER}}"}}}}
  new: {{url: "http://user:${{MARK_PASSWORD}}@127.0.0.1:{new}", headers: {{X-Api-Key: "${{MARK_HEADER}}"}}}}
proxy:
  url: http://127.0.0.1:{port}
  control: {{managed: {{}}}}
  server: {{listen: "127.0.0.1:{port}"}}
phases:
"""
PASSING = """\
  preflight:
    - http: {backend: old, path: /health, json: {status: ok}}
    - name: "new takes ${note}"
      http: {backend: new, path: /take, method: POST, unsafe: true, body: "${MARK_BODY}", contains: take-nothing}
      on_fail: continue
    - command: {run: [sh, -c, "echo $GIVEN; echo $GIVEN | base64 >&2"], env: {GIVEN: "${MARK_COMMAND}"}}
    - load:
        backend: new
        for: 500ms
        concurrency: 4
        requests: [{path: /health, headers: {X-Own: "${MARK_HEADER_OF_REQUEST}"}}]
  shift:
    - shift:
        to: 50
        hold: 100ms
        every: 100ms
        gates: [{http: {backend: proxy, path: /health, headers: {X-Own: "${MARK_HEADER_OF_REQUEST}"}}}]
"""
FAILING = """\
  preflight:
    - http: {backend: new, path: /fail}
      on_fail: continue
    - http: {backend: old, path: /odd, json: {status: "${MARK_EXPECTED}"}}
      on_fail: continue
    - http: {backend: new, path: /fail, method: POST, unsafe: true, body: "${MARK_BODY}", contains: "${MARK_EXPECTED}"}
      on_fail: continue
    - diff: {requests: [{path: /odd, headers: {X-Own: "${MARK_HEADER_OF_REQUEST}"}}, "GET /fail"]}
      on_fail: continue
    - load: {backend: new, count: 20, concurrency: 2, requests: ["GET /fail"]}
      on_fail: continue
    - command: {run: [sh, -c, "echo failed with $GIVEN; exit 3"], env: {GIVEN: "${MARK_COMMAND}"}, cwd: "."}
      on_fail: continue
    - command: {run: ["no-such-${MARK_LISTED}"]}
      on_fail: continue
  shift:
    - shift: {to: 50}
    - http: {backend: proxy, path: /fail, headers: {X-Api-Key: "${MARK_HEADER}"}}
"""
BREAKING = """\
  shift:
    - shift: {to: 50}
    - http: {backend: new, path: /defect}
"""


class Watch:
    """The command lines of all processes, looked at again and again while a block runs."""

    def __init__(self, searched: Searched) -> None:
        self._searched = searched
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def _look(self) -> None:
        while not self._stop.wait(0.02):
            for file in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    line = file.read_bytes()
                except OSError:
                    continue
                self._searched.look(f"the command line {line[:60]!r}", line)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join(timeout=5)


@pytest.fixture
def echo_site(tmp_path: Path, forks: Forks) -> Iterator[Site]:
    old, new = Echo("old"), Echo("new")
    made = Site(tmp_path, old, new, free_port(), forks=forks, environ=dict(ENVIRON))  # type: ignore[arg-type]
    yield made
    made.stop()
    old.stop()
    new.stop()


def write(site: Site, phases: str) -> None:
    site.plan_file.write_text(PLAN.format(old=site.old.port, new=site.new.port, port=site.port) + phases)


def search_files(site: Site, searched: Searched) -> None:
    files = [file for file in (site.folder / "state").rglob("*") if file.is_file()]
    assert {"journal.db", "plan.yml", "spec.json", "cutover.conf", "access.log"} <= {file.name for file in files}
    for file in files:
        searched.look(str(file), file.read_bytes())


def test_no_command_lets_a_secret_out(echo_site: Site) -> None:
    searched = Searched(SECRETS)

    def run(*args: str, expect: int) -> None:
        done = echo_site.cutover(*args, expect=expect)
        searched.look(f"standard output of {args}", done.stdout.encode())
        searched.look(f"standard error of {args}", done.stderr.encode())

    with Watch(searched):
        write(echo_site, PASSING)
        run("run", "-v", expect=0)
        run("rollback", "--json", expect=0)
        write(echo_site, FAILING)
        run("run", "-v", expect=1)
        run("run", "--json", expect=1)
        for command in ("check", "plan", "render", "status", "report", "history", "doctor"):
            run(command, expect=0)
            run(command, "--json", expect=0)
        run("history", newest(echo_site), "-v", expect=0)
        run("history", newest(echo_site), "--json", expect=0)
        search_files(echo_site, searched)
        broken = echo_site.plan_file.read_text() + "  nonsense: [{http: {backend: ${MARK_LISTED}}}]\n"
        echo_site.plan_file.write_text(broken)
        run("check", expect=2)
        run("rollback", expect=0)
        echo_site.environ["MARK_PASSWORD"] = SECRETS["MARK_PASSWORD"]
        run("check", expect=2)
        search_files(echo_site, searched)
    assert searched.places > 100
    assert searched.found == set()


def newest(site: Site) -> str:
    return max(folder.name for folder in (site.state / "runs").iterdir())


def test_a_defects_traceback_has_no_secret_either(echo_site: Site) -> None:
    write(echo_site, BREAKING)
    done = subprocess.run(
        [sys.executable, str(DEFECTIVE), "check", "run", "-v"], cwd=echo_site.folder,
        env={**echo_site.env(), "PYTHONPATH": str(ROOT)}, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 70, done.stderr
    log = echo_site.state.parent / "errors.log"
    assert "nobody foresaw" in log.read_text()
    assert "Traceback" in log.read_text()
    searched = Searched(SECRETS)
    searched.look("standard output", done.stdout)
    searched.look("standard error", done.stderr)
    search_files(echo_site, searched)
    assert searched.found == set()


def test_the_state_is_closed_to_others_whatever_the_umask(echo_site: Site) -> None:
    write(echo_site, PASSING)
    before = os.umask(0o000)
    try:
        forks = Forks()
        echo_site.forks = forks
        echo_site.cutover("run")
    finally:
        os.umask(before)
    forks.stop()
    root = echo_site.state.parent
    wide = {
        f"{path.relative_to(root)} {stat.S_IMODE(path.lstat().st_mode):o}"
        for path in [root, *root.rglob("*")]
        if stat.S_IMODE(path.lstat().st_mode) & 0o077
    }
    assert wide == set()
