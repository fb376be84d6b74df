from __future__ import annotations

import pytest

from cutover.parity.answers import Answer
from cutover.parity.findings import Findings
from cutover.parity.origins import Origins, own_hosts
from cutover.parity.redirects import compare_location, only_a_slash

PUBLIC = "https://api.example"


def found(old: str, new: str, scheme: str = "https") -> bool:
    origins = Origins(
        own_hosts("http://10.0.0.1:8000", PUBLIC), own_hosts("http://10.0.0.2:8001", PUBLIC), scheme=scheme
    )
    findings = Findings()
    answers = [Answer(301, (("Location", location),)) for location in (old, new)]
    compare_location(answers[0], answers[1], origins, "/a/b", findings)
    return findings.failed


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/x", f"{PUBLIC}/x"),
        (f"{PUBLIC}/x", f"{PUBLIC}:443/x"),
        ("http://10.0.0.1:8000/x", "http://10.0.0.2:8001/x"),
        ("x", "/a/x"),
        ("?page=2", "/a/b?page=2"),
        ("https://login.example/x", "https://login.example/x"),
    ],
)
def test_the_same_place_is_no_difference(old: str, new: str) -> None:
    assert not found(old, new)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/x", "http://api.example/x"),
        (f"{PUBLIC}/x", "http://api.example:443/x"),
        ("/x", "http://10.0.0.1:8000/x"),
        ("/x", "https://api.example.org/x"),
        ("/x", "//evil.example/x"),
        ("/x", "/x?y=1"),
        ("/x", "/X"),
    ],
)
def test_another_place_or_a_downgrade_is_found(old: str, new: str) -> None:
    assert found(old, new)


def test_http_stays_http_where_clients_use_http() -> None:
    assert not found("/x", "http://10.0.0.2:8001/x", scheme="http")


@pytest.mark.parametrize(
    ("path", "location", "slash"),
    [
        ("/studies", "/studies/", True),
        ("/studies/?page=1", "http://10.0.0.2:8001/studies?page=1", True),
        ("/studies", "/login", False),
        ("/studies", "/studies", False),
        ("/studies", "/studies/1/", False),
    ],
)
def test_a_redirect_over_a_slash_alone_is_known(path: str, location: str, *, slash: bool) -> None:
    assert only_a_slash(Answer(301, (("Location", location),)), path) is slash


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ((), ("http://api.example/x",)),
        (("/x",), ("http://api.example/x",)),
        (("/x", "/y"), ("/x", "http://10.0.0.2:8001/y")),
        ((f"{PUBLIC}/x",), (f"{PUBLIC}/x", "http://api.example/y")),
    ],
)
def test_a_downgrade_on_the_way_is_found_though_it_was_followed(old: tuple[str, ...], new: tuple[str, ...]) -> None:
    assert hops_found(old, new)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ((), ("/x",)),
        (("/x",), ()),
        (("http://10.0.0.1:8000/x",), ("http://10.0.0.2:8001/x",)),
        (("http://api.example/x",), (f"{PUBLIC}/x", "/y")),
    ],
)
def test_other_ways_that_are_followed_are_no_difference(old: tuple[str, ...], new: tuple[str, ...]) -> None:
    assert not hops_found(old, new)


def hops_found(old: tuple[str, ...], new: tuple[str, ...]) -> bool:
    findings = Findings()
    compare_location(Answer(200, hops=old), Answer(200, hops=new), Origins(scheme="https"), "/a", findings)
    return findings.failed
