from __future__ import annotations

import pytest

from cutover.parity.endpoints import endpoint


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/studies/17?page=2", "/studies/{id}"),
        ("/studies/17/series/3/", "/studies/{id}/series/{id}/"),
        ("/s/0e0f3c1e-6b0f-4e0e-8a3a-2f3f6f0d9a11", "/s/{id}"),
        ("/s/1.2.840.113619.2.55", "/s/{id}"),
        ("/s/5f2b8c9d0e1f2a3b", "/s/{id}"),
        ("/days/2024-05-01", "/days/{id}"),
        ("/studies/EXAM-0001", "/studies/{id}"),
        ("/studies/search", "/studies/search"),
        ("/api/v1/facade", "/api/v1/facade"),
        ("/api/v1.2/deadbeefdeadbeef", "/api/v1.2/deadbeefdeadbeef"),
        ("/", "/"),
    ],
)
def test_requests_for_the_same_thing_share_a_template(path: str, template: str) -> None:
    assert endpoint("GET", path) == f"GET {template}"
