"""httpbin 0.7.0 of 2018 on Werkzeug 2.0 against httpbin 0.10.4 of 2026 on Werkzeug 3.1.

Everything that differs between the two was looked at by hand. Between them lie another JSON layout, redirects that
became relative, other error pages and another order in Allow: nothing of this is told. What is told, and why, is below.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.foreign.conftest import Between
from tests.support.compared import Group, Told, cured, endpoint_of, groups_of, requests_of, validated
from tests.support.foreign import serving

REQUESTS = requests_of(Path(__file__).parent / "requests" / "httpbin.yml")
ARGUMENTS = ("waitress", "--listen=127.0.0.1:0", "httpbin:app")
# The environments of two releases are made in the first test that asks for them.
pytestmark = pytest.mark.timeout(500)

FOUND = [
    Told("fail", "GET /", "body", "$", "another landing page"),
    Told("fail", "GET /json", "status", "status", "404: the page came later"),
    Told("fail", "GET /base64/not-base64", "status", "status", "500 became 200 with an explanation"),
    Told("fail", "GET /get", "value", "$.args.q", "a query that is no UTF-8 was read as U+FFFD, and stays %E9 now"),
    Told("fail", "GET /range/{id}", "header", "Content-Type", "what is said of a range beyond the end is text/plain"),
    Told("fail", "GET /status/abc", "header", "Content-Type", "likewise of a status that is none"),
    Told("fail", "GET /response-headers", "value", "$.Content-Length", "the length of itself, which is indented now"),
    Told("warn", "GET /status/{id}", "status", "status", "500 was asked for"),
    Told("warn", "GET /nowhere", "body", "$", "the page of an error is spelled another way"),
    Told("warn", "GET /post", "body", "$", "likewise"),
    Told("warn", "DELETE /get", "body", "$", "likewise"),
]
MOVING = {("GET /uuid", "$.uuid"), ("GET /digest-auth/auth/me/other", "Www-Authenticate")}
UNCURABLE = {"GET /", "GET /json", "GET /base64/not-base64"}


@pytest.fixture(scope="module")
def ports() -> Iterator[tuple[int, int]]:
    with serving("httpbin-0.7.0", *ARGUMENTS) as old, serving("httpbin-0.10.4", *ARGUMENTS) as new:
        yield old, new


def test_every_difference_is_told_and_nothing_else(ports: tuple[int, int], between: Between) -> None:
    found = validated(between(*ports), REQUESTS, expect=1)
    assert found.groups == groups_of(FOUND)
    assert found.noise == MOVING
    assert found.data["figures"]["requests"] == len(REQUESTS)
    assert found.data["details"]["unknown"]["count"] == 0


def test_with_the_rules_that_it_proposes_the_verdict_is_pass(ports: tuple[int, int], between: Between) -> None:
    site = between(*ports)
    requests = [request for request in REQUESTS if endpoint_of(request) not in UNCURABLE]
    found = validated(site, requests, expect=1)
    left = validated(site, cured(requests, found), expect=0)
    assert left.verdict == "pass"
    assert left.groups == {Group("warn", "GET /status/{id}", "status", "status")}
    assert left.data["details"]["rules"] == {"never_matched": [], "left_nothing_of": {"count": 0, "first": []}}


def test_a_release_does_not_differ_from_itself(ports: tuple[int, int], between: Between) -> None:
    with serving("httpbin-0.7.0", *ARGUMENTS) as twin:
        same = validated(between(ports[0], twin), REQUESTS, expect=0)
    assert {group.endpoint for group in same.groups} == {"GET /base64/not-base64", "GET /status/{id}"}, "both fail"
