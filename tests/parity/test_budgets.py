"""What a comparison may take, by counts and bytes; how long it takes is in ``benchmarks``."""

from __future__ import annotations

import gc
import json
import random
import tracemalloc
from typing import Any

import pytest

from cutover.parity import document
from cutover.parity.answers import Answer
from cutover.parity.document import Budget
from cutover.parity.exchange import Asked, Compared, compare_answers
from cutover.parity.findings import Findings, Kind
from cutover.parity.options import ComparedRequest, Options
from cutover.parity.origins import Origins
from cutover.parity.report import Report
from cutover.parity.rounds import Outcome
from cutover.parity.rules import Rules
from cutover.parity.terms import Terms

MB = 1024 * 1024
GET = ComparedRequest.model_validate("GET /")


def rows(count: int) -> list[dict[str, Any]]:
    return [
        {
            "id": n,
            "uid": f"1.2.840.{n}",
            "name": {"family": f"F{n}", "age": n % 90},
            "score": n / 7,
            "urgent": n % 3 == 0,
        }
        for n in range(count)
    ]


def answer(value: Any, **how: Any) -> Answer:
    return Answer(200, (("Content-Type", "application/json"),), json.dumps(value, **how).encode())


def compared(old: Answer, new: Answer, **options: Any) -> Compared:
    return compare_answers(
        old, new, Asked("GET", "/"), Terms(Rules(Options.model_validate(options)), Origins(), Budget(60))
    )


def told(found: Findings) -> dict[tuple[str, str], int]:
    return {(key.kind.value, key.path): tally.count for key, tally in found}


def test_one_record_inserted_before_4000_is_one_finding() -> None:
    old = rows(4000)
    found = compared(answer(old), answer([{**old[0], "id": -1, "uid": "x"}, *old])).findings
    assert told(found) == {("added", "$[]"): 1}


def test_4000_shuffled_records_differ_where_they_changed() -> None:
    old = rows(4000)
    new = [{**row, "score": -1} if row["id"] % 10 == 0 else row for row in old]
    random.Random(5).shuffle(new)  # noqa: S311 - the same shuffle each time
    found = compared(answer(old), answer(new), unordered=["$"]).findings
    assert told(found) == {("value", "$[].score"): 400}


def test_4000_records_without_a_key_that_were_shuffled_are_paired_by_what_they_hold() -> None:
    old = [[row["uid"], row["name"], row["score"]] for row in rows(4000)]
    new = random.Random(5).sample(old, len(old))  # noqa: S311 - the same shuffle each time
    assert not compared(answer(old), answer(new), unordered=["$"]).findings
    assert told(compared(answer(old), answer(new[1:]), unordered=["$"]).findings) == {("missing", "$[]"): 1}


@pytest.mark.parametrize("options", [{}, {"ignore": ["$[*].name.age", "..etag"]}, {"unordered": ["$"]}])
def test_memory_stays_below_five_times_the_parsed_bodies(options: dict[str, Any]) -> None:
    old = rows(4000)
    one, other = answer(old), answer([{**row, "score": -1, "name": {**row["name"], "age": 0}} for row in old])
    tracemalloc.start()
    try:
        parsed = json.loads(one.body), json.loads(other.body)
        reference = tracemalloc.get_traced_memory()[0]
        del parsed
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        assert compared(one, other, **options).findings
        assert tracemalloc.get_traced_memory()[1] - before < 5 * reference
    finally:
        tracemalloc.stop()


def test_equal_documents_are_parsed_once_each_and_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a plan ignores and how: nothing is paired or hashed, and walked only until each rule has matched."""
    walked: list[int] = []
    monkeypatch.setattr(Budget, "spend", lambda *_: walked.append(1))
    parsed: list[str] = []
    for name in ("_FAST", "_decode_long"):
        monkeypatch.setattr(document, name, _counting(parsed, getattr(document, name)))
    old = rows(1000)
    settings = {"unordered": ["$"], "key": {"$": "id"}, "datetime": "instant", "numeric_string": ["$[*].score"]}
    assert not compared(answer(old), answer(old, indent=1), **settings).findings
    assert len(walked) <= len(settings)
    assert len(parsed) == 2


def _counting(parsed: list[str], decode: Any) -> Any:
    class Counting:
        def __call__(self, text: str) -> Any:
            parsed.append(text)
            return decode(text)

        decode = __call__

    return Counting()


def report_on(report: Report, numbers: range) -> int:
    """Bytes held after as many requests, of three endpoints, each with paths and values of its own, which move too."""
    for n in numbers:
        found = Findings()
        found.add(Kind.VALUE, f"$.id{n}.name", f"old {n}" * 50, f"new {n}" * 50)
        found.add(Kind.TYPE, f"$.id{n}.size", n, str(n))
        request = GET.model_copy(update={"path": f"/kind{n % 3}/{n}?page={n}"})
        report.add(request, Outcome(found, found, {("value", f"$.moved{n}")}))
        report.add(request, Outcome(unknown=f"too large {n}"))
        report.skipped.add(f"DELETE /studies/{n}")
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def test_10000_requests_hold_to_a_fixed_memory() -> None:
    report = Report()
    tracemalloc.start()
    try:
        early = report_on(report, range(3000))
        late = report_on(report, range(3000, 10_000))
    finally:
        tracemalloc.stop()
    assert late - early < MB / 2
    assert (report.compared, report.failed, report.differing) == (10_000, 10_000, 10_000)
    assert report.unknown.count == report.skipped.count == 10_000


def test_10000_endpoints_are_a_thousand_and_the_rest() -> None:
    report = Report()
    for n in range(10_000):
        report.add(GET.model_copy(update={"path": f"/kind{n}x"}), Outcome())
    assert report.compared == 10_000
    assert len(report.endpoints) == 1001
