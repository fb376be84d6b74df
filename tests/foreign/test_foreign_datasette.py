"""datasette 0.64.8 against 0.65.2, which mends a few things, and against 1.0a19, whose JSON is another.

Everything that differs was looked at by hand, and is told below with its reason.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.foreign.conftest import Between
from tests.support.compared import Told, cured, endpoint_of, groups_of, requests_of, validated
from tests.support.foreign import serving

HERE = Path(__file__).parent
REQUESTS = requests_of(HERE / "requests" / "datasette.yml")
RELEASES = ("0.64.8", "0.65.2", "1.0a19")
MAX_ROUNDS = 5
# On a busy machine, what is cut short by time would differ.
UNHURRIED = {"suggest_facets": "off", "sql_time_limit_ms": "20000", "facet_time_limit_ms": "20000"}
# The environments of three releases are made in the first test that asks for them.
pytestmark = pytest.mark.timeout(700)

BOTH_FAIL = [
    Told("warn", "GET /space/planets.json", "status", "status", "both answer 500 to a column that is none"),
    Told("warn", "POST /space/planets.json", "status", "status", "both answer 500 to a method that is none"),
]
PAGES = ["GET /", "GET /space", "GET /space/planets", "GET /space/planets/{id}", "GET /space/big_moons"]
FOOTER = 'text: atasette.io/" title="Datasette #'
MENDED = [
    Told("fail", "GET /-/versions.json", "value", "$.datasette.version", "the release itself"),
    *(Told("fail", page, "value", (FOOTER,), "likewise, below each page") for page in PAGES),
    Told("fail", "GET //example.org/a/", "header", "Location", "the open redirect that 0.65.2 closes"),
]

NEW_JSON = [
    Told("fail", "GET /.json", "missing", "$.space", "databases stood at the top"),
    Told("fail", "GET /.json", "added", "$.databases $.metadata", "and stand below a name now"),
    Told("fail", "GET /-/versions.json", "value", "$.datasette.version", "the release itself"),
    Told("fail", "GET /-/versions.json", "type", "$.sqlite.extensions.json1", "null was no, now it is looked for"),
    Told("fail", "GET /-/settings.json", "added", "$.allow_signed_tokens $.max_signed_tokens_ttl $.max_insert_rows",
         "tokens and writes came"),
    Told("fail", "GET /space.json", "missing", "$.query_ms", "no timings any more"),
    Told("fail", "GET /space.json", "added", "$.metadata $.table_columns", "came"),
    Told("fail", "GET /space.json", "status", "status", "?sql= redirects to /-/query.json, 400 or not"),
    Told("fail", "GET /space/planets.json", "type", "$.rows[]", "rows were lists, and are objects"),
    Told("fail", "GET /space/planets.json", "missing",
         "$.allow_execute_sql $.columns $.database $.expandable_columns $.expanded_columns $.facet_results "
         "$.filtered_table_rows_count $.human_description_en $.is_view $.next_url $.primary_keys $.private $.query "
         "$.query_ms $.suggested_facets $.table $.units", "has to be asked for with _extra"),
    Told("fail", "GET /space/planets.json", "added", "$.ok", "came"),
    Told("fail", "GET /space/planets.json", "missing", "$.facet_results.moons", "facets stood by their column"),
    Told("fail", "GET /space/planets.json", "added", "$.facet_results.results $.facet_results.timed_out",
         "and stand below a name now"),
    Told("fail", "GET /space/planets.json", "status", "status", "500 for a column that is none became 400"),
    Told("fail", "GET /space/planets/3.json", "type", "$.rows[]", "one row, likewise an object"),
    Told("fail", "GET /space/planets/3.json", "missing", "$.columns $.units", "went"),
    Told("fail", "GET /space/planets/3.json", "added", "$.ok $.truncated", "came"),
    Told("warn", "GET /space/planets/99.json", "value", "$.error", "Record not found became Row not found"),
]  # fmt: skip
NEW_HTTP = [
    Told("fail", "GET /space.json", "header", "Cache-Control Referrer-Policy", "lost where no query is run"),
    Told("fail", "HEAD /space.json", "header", "Cache-Control Referrer-Policy", "likewise"),
    Told("fail", "HEAD /", "header", "Link", "the link got the <> that it had lacked"),
    Told("fail", "GET /space/odd%20name/%C3%A9.json", "status", "status", "400 became a redirect to another spelling"),
    Told("fail", "POST /space/planets.json", "status", "status", "500 became 405"),
    Told("fail", "OPTIONS /space/planets.json", "header", "Content-Type", "a text became JSON"),
    Told("fail", "OPTIONS /space/planets.json", "body", "$", "ok became the whole table"),
    Told("warn", "OPTIONS /space/planets.json", "header", "Cache-Control", "so it may be cached"),
    Told("note", "OPTIONS /space/planets.json", "header", "Referrer-Policy", "came"),
]
NEW_PAGES = [
    *(Told("fail", page, "body", "$", "another page") for page in PAGES),
    *(Told("fail", page, "header", "Link", "the link got its <>") for page in PAGES),
    Told("fail", "GET /space", "header", "Cache-Control", "lost where no query is run"),
    Told("fail", "GET /space", "header", "Referrer-Policy", "likewise"),
    Told("fail", "GET /space", "status", "status", "?sql= redirects"),
]
NEW_FILES = [
    Told(
        "fail", "GET /space/moons.csv", "body", "$", "a defect of 1.0a19: after the names of the columns, only 'rowid'"
    ),
    Told("warn", "GET /space/moons.csv", "header", "Cache-Control", "may be cached"),
    Told("note", "GET /space/moons.csv", "header", "Referrer-Policy", "came"),
    Told("warn", "GET /space/planets.csv", "header", "Cache-Control", "may be cached"),
    Told("note", "GET /space/planets.csv", "header", "Referrer-Policy", "came"),
    Told("fail", "GET /-/static/app.css", "body", "$", "another design"),
    Told("warn", "GET /-/static/app.css", "header", "Etag", "came"),
    Told("warn", "GET /-/permissions", "body", "$", "the page of an error, redesigned"),
    Told("warn", "GET /robots.txt", "body", "$", "likewise"),
]
# Bodies that are no JSON have no rule: such a request is left out, or the difference mended.
NO_JSON = {*PAGES, "GET /space/moons.csv", "GET /-/static/app.css", "OPTIONS /space/planets.json"}


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    """Of each release, all with the same data."""
    file = tmp_path_factory.mktemp("data") / "space.db"
    connection = sqlite3.connect(file)
    connection.executescript((HERE / "space.sql").read_text())
    connection.close()
    settings = [word for name, value in UNHURRIED.items() for word in ("--setting", name, value)]
    serve = ["datasette", "serve", "--immutable", str(file), "--port", "0", *settings]
    with ExitStack() as stack:
        yield {r: stack.enter_context(serving(f"datasette-{r}", *serve)) for r in RELEASES}


def test_a_release_that_mends_is_told_by_what_it_mends(ports: dict[str, int], between: Between) -> None:
    site = between(ports["0.64.8"], ports["0.65.2"])
    found = validated(site, REQUESTS, expect=1)
    assert found.groups == groups_of(MENDED, BOTH_FAIL)
    assert found.noise == {
        *((page, "text: &middot; Queries took #") for page in PAGES[1:]),
        *((f"GET {path}", "$.query_ms") for path in ("/space.json", "/space/planets.json", "/space/planets/3.json")),
    }
    requests = [request for request in REQUESTS if endpoint_of(request) not in NO_JSON]
    left = validated(site, cured(requests, found), expect=0)
    assert left.groups == groups_of(BOTH_FAIL)
    assert left.data["details"]["rules"] == {"never_matched": [], "left_nothing_of": {"count": 0, "first": []}}


def test_a_release_that_breaks_is_told_by_all_that_it_breaks(ports: dict[str, int], between: Between) -> None:
    found = validated(between(ports["0.64.8"], ports["1.0a19"]), REQUESTS, expect=1)
    assert found.groups == groups_of(NEW_JSON, NEW_HTTP, NEW_PAGES, NEW_FILES)
    rows = found.group("fail", "GET /space/planets.json", "type", "$.rows[]")
    assert (rows["count"], rows["message"]) == (8 + 3 + 3, "list became object")
    assert found.data["details"]["unknown"]["count"] == 0


def test_what_is_proposed_leads_to_a_pass_in_a_few_rounds(ports: dict[str, int], between: Between) -> None:
    """Behind a redirect, and behind a status, there is more to find; no rule is proposed that hides it beforehand."""
    site = between(ports["0.64.8"], ports["1.0a19"])
    requests = [request for request in REQUESTS if endpoint_of(request) not in NO_JSON]
    found = validated(site, requests, expect=1)
    for _ in range(MAX_ROUNDS):
        requests = cured(requests, found)
        found = validated(site, requests)
        if found.verdict == "pass":
            break
    assert found.verdict == "pass"
    assert found.groups == set()
    assert found.data["figures"]["requests"] == len(requests)
    # What the wider rule has dropped, the narrower one can't find; and all of /.json is another document.
    assert found.data["details"]["rules"] == {
        "never_matched": [f"ignore: $.facet_results.{name}" for name in ("moons", "results", "timed_out")],
        "left_nothing_of": {"count": 1, "first": ["GET /.json"]},
    }
