"""``cutover diff``: compared as often as one likes, without a run, a lock or a proxy."""

from __future__ import annotations

import json
import re

import pytest

from tests.support.site import Site

DIFF = """\
validate:
  - name: the same answers
    diff:
      requests: {requests}
      ignore: ["$.generated_at"]
"""


@pytest.fixture
def compared(quick: Site) -> Site:
    """A plan of which one request is the same and one is not."""
    quick.write_plan(DIFF.format(requests="[GET /health, GET /whoami]"))
    return quick


def test_what_differs_is_shown_side_by_side_with_its_cure(compared: Site) -> None:
    done = compared.cutover("diff", expect=1)
    assert done.stdout == (
        "validate: the same answers\n"
        "fail  2 requests compared, 1 differs\n"
        "\n"
        "GET /whoami\n"
        "  fail  $.served_by  value ×1\n"  # noqa: RUF001 - the sign that people are shown
        "        GET /whoami\n"
        '        old  "old"             new  "new"\n'
        "        cure ignore: ['$.served_by']\n"
        "\n"
        "rules that never matched: ignore: $.generated_at\n"
    )
    assert done.stderr == ""


def test_the_cure_put_into_the_plan_cures(compared: Site) -> None:
    compared.write_plan(DIFF.format(requests="[GET /health, GET /whoami]").replace("$.generated_at", "$.served_by"))
    done = compared.cutover("diff")
    assert "pass  2 requests compared, none differs" in done.stdout


def test_it_makes_no_run_no_state_and_starts_no_proxy(compared: Site) -> None:
    compared.cutover("diff", expect=1)
    assert not (compared.folder / "state").exists()


def test_requests_named_now_are_compared_by_the_rules_of_the_plan(compared: Site) -> None:
    done = compared.cutover("diff", "GET", "/health", "GET /a?b=c")
    assert done.stdout.startswith("by the rules of validate: the same answers\npass  2 requests compared, none differs")
    assert compared.old.seen == compared.new.seen == {"/health": 1, "/a?b=c": 1}


def test_without_a_diff_step_there_are_no_rules(quick: Site) -> None:
    quick.write_plan("preflight:\n  - http: {backend: old, path: /health}\n")
    assert "without rules" in quick.cutover("diff", "GET", "/health").stdout
    told = quick.cutover("diff", expect=2)
    assert "the plan has no diff step" in told.stderr


def test_json_is_one_document_with_everything(compared: Site) -> None:
    data = json.loads(compared.cutover("diff", "--json", expect=1).stdout)
    assert data["verdict"] == "fail"
    (only,) = data["comparisons"]
    assert only["step"] == "validate: the same answers"
    assert only["figures"] == {"requests": 2, "mismatches": 50, "value": 50}
    (group,) = only["details"]["groups"]
    assert (group["endpoint"], group["path"], group["kind"]) == ("GET /whoami", "$.served_by", "value")
    assert group["samples"] == [{"request": "GET /whoami", "where": "$.served_by", "old": '"old"', "new": '"new"'}]


def test_requests_from_a_file_a_log_and_a_limit(compared: Site) -> None:
    (compared.folder / "more.txt").write_text("GET /one\nGET /two\n")
    assert "2 requests compared" in compared.cutover("diff", "--requests", "more.txt").stdout
    line = '127.0.0.1 - - [20/Nov/2026:10:00:00 +0000] "GET {} HTTP/1.1" 200 5 "-" "browser"\n'
    log = "".join(line.format(path) for path in ("/a", "/a", "/b", "/c?token=abcdefgh", "/d"))
    (compared.folder / "access.log").write_text(log + line.format("/e").replace("GET", "POST"))
    done = compared.cutover("diff", "--access-log", "access.log", "--limit", "3")
    assert "3 requests compared, none differs" in done.stdout
    assert "abcdefgh" not in done.stdout
    assert "POST /e" in done.stdout


def test_what_was_drawn_is_kept_for_the_plan(compared: Site) -> None:
    (compared.folder / "more.txt").write_text("GET /one\nHEAD /two\n")
    compared.cutover("diff", "--requests", "more.txt", "--save", "kept.yml")
    kept = compared.folder / "kept.yml"
    assert oct(kept.stat().st_mode & 0o777) == "0o600"
    compared.write_plan("validate:\n  - diff: {requests_file: kept.yml}\n")
    assert "2 requests compared" in compared.cutover("diff").stdout
    assert compared.old.seen["/one"] == 2


def test_old_asked_twice_proposes_no_rule_where_nothing_moves(compared: Site) -> None:
    done = compared.cutover("diff", "--learn")
    assert "2 requests, asked of old twice\nnothing moves by itself" in done.stdout
    assert compared.new.seen == {}


def test_another_instance_of_old_is_a_baseline(compared: Site) -> None:
    done = compared.cutover("diff", "--learn", "--baseline", f"http://127.0.0.1:{compared.new.port}")
    assert '  ignore:\n    - \'$.served_by\'  # GET /whoami: "old" then "new"\n' in done.stdout


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["GET"], "GET is not a request"),
        (["GTE", "/a"], "GTE /a is not a request"),
        (["GET", "a"], "GET a is not a request"),
        (["--requests", "none.txt"], "--requests none.txt: there is no such file"),
        (["--har", "none.har"], "--har none.har: there is no such file"),
        (["--access-log", "."], "--access-log .: a folder, not a file"),
        (["--access-log", "none.log"], "--access-log none.log: there is no such file"),
        (["--openapi", "none.json"], "none.json: is no file that exists"),
        (["--step", "same"], "the plan has no diff step 'same'"),
        (["--baseline", "http://127.0.0.1:1"], "--baseline belongs to --learn"),
        (["--learn", "--baseline", "127.0.0.1:1"], "is no http:// or https:// URL"),
        (["--save", "/proc/none/x.yml"], "/proc/none/x.yml"),
    ],
)
def test_what_is_asked_wrongly_is_a_2_and_asks_nobody(compared: Site, words: list[str], complaint: str) -> None:
    done = compared.cutover("diff", *words, expect=2)
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr
    assert compared.old.seen == compared.new.seen == {}


def test_a_backend_that_is_down_is_unknown_or_a_difference(compared: Site) -> None:
    compared.new.stop()
    done = compared.cutover("diff", expect=1)
    assert "  fail  connection ×1  new: 127.0.0.1:" in done.stdout  # noqa: RUF001 - the sign that people are shown
    compared.old.stop()
    done = compared.cutover("diff", expect=1)
    assert "unknown  0 requests compared\nunknown (2):\n" in done.stdout
    assert f"GET /health: old: 127.0.0.1:{compared.old.port}: Connection refused\n" in done.stdout
    assert "so nothing could be learned" in compared.cutover("diff", "--learn", expect=1).stdout


def test_it_runs_while_another_command_holds_the_lock(compared: Site) -> None:
    phases = DIFF.format(requests="[GET /health]") + "soak:\n  - wait: 30s\n"
    compared.write_plan(phases)
    run = compared.start("run")
    while compared.status()["phase"] != "soak":
        assert run.poll() is None
    assert "pass" in compared.cutover("diff").stdout
    run.terminate()
    assert run.wait(timeout=30) == 143


def test_a_plan_with_mistakes_is_told_as_check_tells_it(quick: Site) -> None:
    quick.write_plan(DIFF.format(requests='[GET /health, "GTE /whoami"]'))
    done = quick.cutover("diff", expect=2)
    assert re.search(r"cutover\.yml:\d+:\d+: phases\.validate\[0\]\.diff\.requests\[1\]: 'GTE /whoami'", done.stderr)


def test_a_status_is_told_by_what_became_what(compared: Site) -> None:
    compared.new.status = 503
    done = compared.cutover("diff", expect=1)
    assert "GET /health\n  fail  status 200 -> 503 ×1\n        GET /health\nGET /whoami\n" in done.stdout  # noqa: RUF001 - the sign that people are shown


def test_what_the_plan_keeps_is_left_alone_by_a_look_at_something_else(compared: Site) -> None:
    compared.write_plan("validate:\n  - diff: {requests: [GET /health], save: kept.yml}\n")
    kept = compared.folder / "kept.yml"
    kept.write_text('- "GET /as/it/was"\n')
    compared.cutover("diff", "GET", "/other")
    compared.cutover("diff", "--learn")
    assert kept.read_text() == '- "GET /as/it/was"\n'


def test_a_run_that_stops_for_differences_says_where_they_are_shown(compared: Site) -> None:
    done = compared.cutover("run", expect=1)
    assert "hint: `cutover diff` shows each difference, and what would cure it" in done.stderr
