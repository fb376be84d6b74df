"""What is wrong with a plan is told all at once, in the order of the file, in words of YAML."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest

from cutover.errors import EXIT_USAGE, PlanError
from cutover.plan import LoadedPlan
from cutover.plan.load import MAX_MISTAKES

Load = Callable[..., LoadedPlan]
Mistakes = Callable[..., list[str]]
WithPhases = Callable[[str], str]

STEP_TYPES = "http, diff, load, traffic, shift, watch, command, wait"
WRONG_EVERYWHERE = """\
version: 2
name: Medical
vars: {tenant: demo, n: 5}
backends:
  old: {url: "http://127.0.0.1:8000", header: {A: b}}
  new:
    servers: ["x"]
proxy:
  kind: nginxx
  url: http://127.0.0.1:8080/${TENNANT}
  control: {managed: {}, local: {}}
  server: {listen: 5}
  routes: [{path: /}, {path: /, to: neww}]
phases:
  preflight:
    - htttp: {backend: old}
    - http: {backend: olld, path: /x, status: "${N:-abc}"}
      timeout: 90
    - load: {backend: new, concurrency: 1, for: 10s, thresholds: ["p95 < 500", "erors == 0%"]}
  Shift:
    - shift: {through: [1, x], gates: [{wait: 5m}, {traffic: {thresholds: 5}}]}
      shift: 4
    - 5
    - {name: x}
    - {http: {backend: fallback, path: /}, wait: 5m, on_fial: stop}
  rollback:
    - shift: {to: 0}
"""


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(mistakes: Mistakes) -> None:
    assert mistakes(WRONG_EVERYWHERE) == [
        "1:10: version: expected 1, got the number 2",
        "2:7: name: 'Medical' is not a plan name; write [a-z][a-z0-9-]*, as in medical-api",
        "3:25: vars.n: expected a text, got the number 5 (quote it)",
        "5:39: backends.old.header: unknown key 'header' (did you mean 'headers'?)",
        "6:3: backends.new.url: is missing",
        "7:15: backends.new.servers[0]: 'x' is not a server; write host:port, [v6]:port or unix:/path",
        "9:9: proxy.kind: expected 'nginx', got the text 'nginxx' (did you mean 'nginx'?)",
        "10:8: proxy.url: the variable 'TENNANT' is not set (set it, or write ${TENNANT:-default})",
        "11:12: proxy.control: control needs exactly one of managed, local, docker",
        "12:20: proxy.server.listen: expected a text or a list, got the number 5 (quote it)",
        "13:30: proxy.routes[1].path: '/' is routed above, by routes[0]",
        "13:37: proxy.routes[1].to: expected 'old' or 'new', got the text 'neww' (did you mean 'new'?)",
        "16:7: phases.preflight[0].htttp: unknown step type 'htttp' (did you mean 'http'?)",
        (
            "17:23: phases.preflight[1].http.backend: expected 'old', 'new', 'fallback' or 'proxy', got the text "
            "'olld' (did you mean 'old'?)"
        ),
        "17:47: phases.preflight[1].http.status: expected a whole number or a list, got the text 'abc'",
        "18:16: phases.preflight[1].timeout: 90 is not a duration; write it with its unit: 500ms, 30s, 5m, 24h",
        (
            "19:67: phases.preflight[2].load.thresholds[0]: p95: '500' is not a duration; "
            "write it with its unit: 500ms, 30s, 5m, 24h"
        ),
        "19:80: phases.preflight[2].load.thresholds[1]: 'erors' is not a metric; did you mean 'errors'?",
        "20:3: phases.Shift: 'Shift' is not a phase name; write [a-z][a-z0-9_-]*",
        "21:28: phases.Shift[0].shift.through[1]: expected a whole number, got the text 'x'",
        "21:41: phases.Shift[0].shift.gates[0].wait: wait is an action, and a gate may change nothing",
        "21:75: phases.Shift[0].shift.gates[1].traffic.thresholds: expected a list, got the number 5",
        "22:7: phases.Shift[0].shift: duplicate key 'shift', first at line 21, column 7",
        f"23:7: phases.Shift[1]: a step is a mapping with one of: {STEP_TYPES}",
        f"24:7: phases.Shift[2]: a step needs one of: {STEP_TYPES}",
        "25:7: phases.Shift[3]: exactly one step type, not http and wait",
        "25:54: phases.Shift[3].on_fial: unknown key 'on_fial' (did you mean 'on_fail'?)",
        "27:14: phases.rollback[0].shift: a rollback runs at weight 0, and can't shift",
    ]


def test_a_mistake_names_its_file_and_costs_exit_2(load: Load) -> None:
    with pytest.raises(PlanError) as error:
        load(WRONG_EVERYWHERE)
    assert error.value.exit_code == EXIT_USAGE
    first = error.value.mistakes[0]
    assert str(error.value).startswith(f"{first.file}:1:10: version: ")


def test_the_whole_plan_has_no_mistake(load: Load, whole: str) -> None:
    loaded = load(whole, {"OLD_TOKEN": "t0ken-of-old"})
    assert list(loaded.plan.phases) == ["preflight", "validate", "shift", "cutover", "soak", "cleanup", "rollback"]
    assert loaded.plan.forward_phases == ["preflight", "validate", "shift", "cutover", "soak", "cleanup"]
    assert loaded.plan.backends.old.headers == {"Authorization": "Bearer t0ken-of-old"}
    assert loaded.plan.phases["preflight"][1].title == "Django is ready"


@pytest.mark.parametrize("key", ["version", "name", "backends", "proxy", "phases"])
def test_what_a_plan_needs_is_missed(key: str, mistakes: Mistakes, whole: str) -> None:
    told = mistakes(
        whole.replace(f"\n{key}:", f"\nx-{key}:").replace("version: 1\n", "version: 1\n" * (key != "version"))
    )
    assert f"1:1: {key}: is missing" in told


def test_a_missing_key_is_told_at_the_mapping_that_lacks_it(mistakes: Mistakes, with_phases: WithPhases) -> None:
    told = mistakes(
        with_phases("""
        preflight:
          - http:
              backend: old
          - http: {backend: old}
          - load: {}
        """)
    )
    assert told == [
        "12:7: phases.preflight[0].http.path: is missing",
        "14:13: phases.preflight[1].http.path: is missing",
        "15:13: phases.preflight[2].load.backend: is missing",
        "15:13: phases.preflight[2].load.concurrency: is missing",
        "15:13: phases.preflight[2].load.for: is missing",
    ]


@pytest.mark.parametrize(
    ("http", "said"),
    [
        ("5", "http: expected a mapping, got the number 5"),
        ("[a]", "http: expected a mapping, got a list"),
        ("", "http: expected a mapping, got nothing"),
        ("{backend: old, path: 5}", "http.path: expected a text, got the number 5 (quote it)"),
        ("{backend: old, path: true}", "http.path: expected a text, got true (quote it)"),
        ("{backend: old, path: ~}", "http.path: expected a text, got nothing"),
        ("{backend: old, path: {a: b}}", "http.path: expected a text, got a mapping"),
        ("{backend: old, path: health}", "http.path: the text 'health' does not match '^/[^\\s]*$'"),
        ("{backend: old, path: /, unsafe: yes}", "http.unsafe: expected true or false, got the text 'yes'"),
        ("{backend: old, path: /, status: [a]}", "http.status[0]: expected a whole number, got the text 'a'"),
        ("{backend: old, path: /, status: 1.5}", "http.status: expected a whole number or a list, got the number 1.5"),
        ("{backend: old, path: /, status: {}}", "http.status: expected a whole number or a list, got a mapping"),
        ("{backend: old, path: /, headers: {A: 5}}", "http.headers.A: expected a text, got the number 5 (quote it)"),
        (
            "{backend: old, path: /, headers: {5: a}}",
            "http.headers[5]: a key is a text, not the number 5 (put it in quotes)",
        ),
        ("{backend: old, path: /, 5: a}", "http[5]: a key is a text, not the number 5 (put it in quotes)"),
        ("{backend: old, path: /, method: get}", "http.method: expected 'GET' or 'POST', got the text 'get'"),
    ],
)
def test_wrong_values_are_told_in_words_of_yaml(
    http: str, said: str, mistakes: Mistakes, with_phases: WithPhases
) -> None:
    (told,) = mistakes(with_phases(f"preflight: [{{http: {http}}}]"))
    assert told.endswith(f": phases.preflight[0].{said}")


def test_keys_may_be_numbers_where_numbers_are_meant(load: Load, with_phases: WithPhases) -> None:
    loaded = load(with_phases('validate: [{diff: {requests: ["GET /"], status_map: {422: 400}}}]'))
    assert loaded.plan.phases["validate"][0].settings.status_map == {422: 400}  # type: ignore[attr-defined]
    assert loaded.resolved["phases"]["validate"][0]["diff"]["status_map"] == {"422": 400}


def test_a_key_in_quotes_where_a_number_is_meant_is_told(mistakes: Mistakes, with_phases: WithPhases) -> None:
    (told,) = mistakes(with_phases("""validate: [{diff: {requests: ["GET /"], status_map: {"422": 400}}}]"""))
    assert told.endswith("status_map.422: a key is a number here, not the text '422' (leave out the quotes)")


@pytest.mark.parametrize(
    ("proxy", "said"),
    [
        ("server: {listen: [8080]}", "proxy.server.listen[0]: expected a text, got the number 8080 (quote it)"),
        (
            "server: {listen: 'a b'}",
            "proxy.server.listen: 'a b' is not an address to listen on; write 8080 or 127.0.0.1:8080",
        ),
        (
            "server: {listen: ['8080', 'a b']}",
            "proxy.server.listen[1]: 'a b' is not an address to listen on; write 8080 or",
        ),
        ("server: {listen: '8080', tls: {certificate: /x}}", "proxy.server.tls.key: is missing"),
        (
            "control: {local: {}}",
            "proxy.config: is missing: the file that cutover owns, as in /etc/nginx/conf.d/api.conf",
        ),
        ("control: {}", "proxy.control: control needs exactly one of managed, local, docker"),
        ("control: {docker: }", "proxy.control.docker.container: is missing"),
        ("routes: []", "proxy.routes: should have at least 1 item, not 0"),
        ("split: {by: request, key: $remote_addr}", "proxy.split: key and dir belong to a split by: client"),
    ],
)
def test_a_union_is_told_once(proxy: str, said: str, mistakes: Mistakes, head: str) -> None:
    key = proxy.partition(":")[0]
    lines = [line for line in head.splitlines() if not line.startswith(f"  {key}:")]
    told = mistakes("\n".join([*lines, f"  {proxy}", "phases: {}", ""]))
    assert len(told) == 1
    assert f": {said}" in told[0]


def test_a_mistake_under_an_anchor_is_told_once(mistakes: Mistakes, with_phases: WithPhases) -> None:
    told = mistakes(with_phases("preflight: [&x {http: {backend: neww, path: /}}, *x, *x]"))
    assert len(told) == 1


def test_a_mistake_in_merged_keys_is_told_where_it_is_written(mistakes: Mistakes, head: str) -> None:
    text = head + "phases:\n  a:\n    - http: &x {backend: olld, path: /}\n    - http: {<<: *x, path: /b}\n"
    assert [line.partition(" ")[0] for line in mistakes(text)] == ["12:26:"]


def test_a_managed_nginx_needs_a_server_others_may_keep_their_own(mistakes: Mistakes, load: Load, head: str) -> None:
    bare = "".join(line for line in head.splitlines(keepends=True) if "server:" not in line)
    assert "proxy.server: is missing: a managed nginx needs one" in mistakes(bare + "phases: {}\n")[0]
    local = bare.replace("{managed: {}}", "{local: {}}") + "  config: /etc/nginx/conf.d/a.conf\n"
    assert load(local + "  split: {by: client}\nphases: {}\n").plan.proxy.server is None


@pytest.mark.parametrize(
    "url", ["ftp://h", "http://", "h:80", "http://h:99999", "http://h:0", "http://h/?a", "http://h h", ""]
)
def test_a_url_must_be_one(url: str, mistakes: Mistakes, head: str) -> None:
    told = mistakes(head.replace("http://127.0.0.1:8080", f'"{url}"') + "phases: {}\n")
    assert "proxy.url: " in told[0]
    assert "URL" in told[0]


def test_a_variable_that_is_no_text_is_told_once(mistakes: Mistakes, head: str) -> None:
    told = mistakes(head + "vars: {n: 5}\ndescription: ${n}\nphases: {}\n")
    assert told == ["10:11: vars.n: expected a text, got the number 5 (quote it)"]


def test_backends_must_differ_and_speak_one_scheme(mistakes: Mistakes, head: str) -> None:
    same = head.replace("127.0.0.1:8001", "127.0.0.1:8000") + "phases: {}\n"
    assert mistakes(same) == ["5:8: backends.new: old and new have a server in common; nothing would move"]
    mixed = head.replace("http://127.0.0.1:8001", "https://127.0.0.1:8001") + "phases: {}\n"
    assert mistakes(mixed) == ["5:8: backends.new: all backends of a plan are http, or all are https"]


def test_a_fallback_that_is_not_there_is_told_wherever_it_is_asked(mistakes: Mistakes, with_phases: WithPhases) -> None:
    told = mistakes(
        with_phases("""
        soak:
          - http: {backend: fallback, path: /}
          - watch: {for: 1h, gates: [{http: {backend: fallback, path: /}}]}
        """)
    )
    assert told == [
        "12:23: phases.soak[0].http.backend: the plan's backends name no fallback",
        "13:49: phases.soak[1].watch.gates[0].http.backend: the plan's backends name no fallback",
    ]


def test_what_has_all_its_lines_commented_out_is_empty(load: Load, head: str) -> None:
    text = head.replace("{managed: {}}", "{managed: }") + "vars:\nsecrets:\nphases:\n  preflight:\n  soak: []\n"
    plan = load(text).plan
    assert (plan.vars, plan.secrets, plan.phases) == ({}, [], {"preflight": [], "soak": []})
    assert plan.proxy.control.kind == "managed"


def test_phases_themselves_are_needed(mistakes: Mistakes, head: str) -> None:
    assert mistakes(head + "phases:\n") == ["10:8: phases: expected a mapping, got nothing"]
    assert mistakes(head + "phases: [a]\n") == ["10:9: phases: expected a mapping, got a list"]
    assert mistakes(head + "phases: {soak: 5}\n") == ["10:16: phases.soak: expected a list, got the number 5"]


def test_so_many_mistakes_are_counted_and_soon(mistakes: Mistakes, with_phases: WithPhases) -> None:
    text = with_phases("preflight:\n" + "  - http: {backend: olld, path: 5, statuss: 1}\n" * 1500)
    began = time.process_time()
    told = mistakes(text)
    assert len(told) == MAX_MISTAKES + 1
    assert "and at least 500 more mistakes from here on" in told[-1]
    assert time.process_time() - began < 3


@pytest.mark.parametrize(
    "value",
    [
        "server 127.0.0.1;",
        "a:80; include /etc/passwd",
        "a:80\nb",
        "a:80 #",
        "a:80}",
        "a:$x",
        "$host:80",
        "a:99999",
        "a:٣",
        "a",
        "unix:/../x",
    ],
)
def test_no_server_can_inject_a_directive(value: str, mistakes: Mistakes, head: str) -> None:
    server = json.dumps(value)
    text = head.replace('old: {url: "http://127.0.0.1:8000"', f'old: {{url: "http://h:1", servers: [{server}]')
    (told,) = mistakes(text + "phases: {}\n")
    assert told.startswith("4:38: backends.old.servers[0]: ")


def test_a_server_that_is_one_is_taken(load: Load, head: str) -> None:
    servers = '["a:80", "a-b.c:8080", "[::1]:80", "unix:/run/x.sock"]'
    text = head.replace('old: {url: "http://127.0.0.1:8000"', f'old: {{url: "http://h:1", servers: {servers}')
    assert len(load(text + "phases: {}\n").plan.backends.old.servers) == 4
