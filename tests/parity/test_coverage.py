"""What of old's document was compared, and what new's lacks."""

from __future__ import annotations

import json
from typing import Any

from cutover.openapi.document import Document
from cutover.parity.coverage import Coverage
from cutover.parity.options import ComparedRequest


def document(*operations: str, **more: Any) -> Document:
    paths: dict[str, Any] = {}
    for operation in operations:
        method, path = operation.split()
        paths.setdefault(path, {})[method.lower()] = {"responses": {"200": {"description": ""}}}
    return Document.parse(
        {"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": paths, **more}, "d.json"
    )


OLD = document("GET /studies", "GET /studies/{id}", "POST /studies", "HEAD /studies", "GET /devices/{id}")


def compared(coverage: Coverage, *requests: str) -> Coverage:
    for request in requests:
        coverage.add(ComparedRequest.model_validate(request))
    return coverage


def test_it_counts_by_operation_and_says_why_not() -> None:
    reasons = {"GET /devices/{id}": "no list answer gave the id"}
    coverage = compared(
        Coverage(OLD, None, reasons), "GET /studies?page=2", "GET /studies/7", "GET /studies/8", "GET /x?token=y"
    )
    assert coverage.compared == {"GET /studies": 1, "GET /studies/{id}": 2}
    assert coverage.not_compared == {
        "POST /studies": "writes: list it with unsafe: true",
        "HEAD /studies": "no request asks for it",
        "GET /devices/{id}": "no list answer gave the id",
    }
    assert coverage.summary() == (
        "2 of 5 operations compared; not: POST /studies (writes: list it with unsafe: true), "
        "HEAD /studies (no request asks for it), GET /devices/{id} (no list answer gave the id)"
    )
    assert json.loads(json.dumps(coverage.to_json())) == {
        "operations": 5,
        "compared": [{"operation": "GET /studies", "requests": 1}, {"operation": "GET /studies/{id}", "requests": 2}],
        "not_compared": [{"operation": name, "reason": reason} for name, reason in coverage.not_compared.items()],
        "new_lacks": [], "new_lacks_as_allowed": [], "allowed_in_vain": [], "only_in_new": [],
        "not_in_old_document": ["GET /x"],
    }  # fmt: skip


def test_full_coverage_says_no_more_than_that() -> None:
    coverage = compared(Coverage(document("GET /a"), document("GET /a"), {}), "GET /a", "HEAD /a")
    assert coverage.summary() == "1 of 1 operations compared"


def test_what_new_lacks_is_told_whatever_its_variables_are_called() -> None:
    new = document("GET /studies", "GET /studies/{study_id}", "GET /health")
    coverage = Coverage(OLD, new, {})
    assert coverage.lacking == ["POST /studies", "GET /devices/{id}"]
    assert coverage.added == ["GET /health"]
    assert "new's document lacks POST /studies, GET /devices/{id}" in coverage.summary()


def test_what_may_be_lacking_is_no_finding_and_what_is_there_after_all_is_told() -> None:
    new = document("GET /studies", "GET /studies/{id}", "POST /studies")
    coverage = Coverage(OLD, new, {}, lacking_allowed=["GET /devices/{device}", "POST /studies", "GET /typo"])
    assert coverage.lacking == []
    assert coverage.lacking_as_allowed == ["GET /devices/{id}"]
    assert coverage.allowed_in_vain == ["POST /studies", "GET /typo"]
    assert "allowed to be lacking, but there: POST /studies, GET /typo" in coverage.summary()


def test_paths_that_moved_are_looked_for_where_they_are() -> None:
    old, new = document("GET /api/a/{id}"), document("GET /api-dj/a/{pk}", "GET /api-dj/b")
    assert Coverage(old, new, {}).lacking == ["GET /api/a/{id}"]
    moved = Coverage(old, new, {}, path_on_new=lambda path: path.replace("/api/", "/api-dj/"))
    assert (moved.lacking, moved.added) == ([], ["GET /api-dj/b"])


def test_base_paths_of_servers_are_part_of_paths() -> None:
    old = document("GET /a", servers=[{"url": "http://old.example/api/v1"}])
    new = document("GET /api/v1/a")
    coverage = compared(Coverage(old, new, {}), "GET /api/v1/a")
    assert (coverage.compared, coverage.lacking, coverage.added) == ({"GET /api/v1/a": 1}, [], [])


def test_requests_outside_of_the_document_take_no_memory() -> None:
    coverage = compared(Coverage(OLD, None, {}), *(f"GET /other/{number}" for number in range(1000)))
    assert len(coverage.to_json()["not_in_old_document"]) == 20


def test_more_than_a_few_are_counted() -> None:
    coverage = Coverage(document(*(f"GET /a{number}" for number in range(9))), None, {})
    assert coverage.summary().endswith("and 6 more")
