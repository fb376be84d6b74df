"""Redirects: compared, and followed only where the plan says so."""

from __future__ import annotations

from itertools import pairwise
from urllib.parse import urlsplit

from cutover.parity.answers import Answer
from cutover.parity.compare import same_but_query_order
from cutover.parity.findings import ABSENT, Findings, Kind, Level
from cutover.parity.origins import Origins

# What a browser makes of it on a method other than GET: 307 and 308 keep the method and its body.
_KEEPS_METHOD = frozenset({307, 308})


def compare_location(old: Answer, new: Answer, origins: Origins, base: str, findings: Findings) -> None:
    """``base`` is the path asked of old. Each side's own origin is neutral, a downgrade to http is not."""
    _compare_hops(old.hops, new.hops, origins, findings)
    ours, theirs = _locations(old), _locations(new)
    if len(ours) != len(theirs):
        message = "removed" if not theirs else "added" if not ours else "sent more than once"
        findings.add(
            Kind.HEADER, "Location", ", ".join(ours) or ABSENT, ", ".join(theirs) or ABSENT,
            message=message, cure="ignore_headers: [Location]",
        )  # fmt: skip
        return
    for one, other in zip(ours, theirs, strict=True):
        _compare_targets(one, other, origins, base, findings)


def _compare_hops(old: tuple[str, ...], new: tuple[str, ...], origins: Origins, findings: Findings) -> None:
    """Of redirects that were followed, only what a client would have sent without TLS on the way."""
    for step, (before, hop) in enumerate(pairwise(("", *new))):
        ours = old[step] if step < len(old) else before
        if _downgraded(ours, hop, origins):
            findings.add(Kind.HEADER, "Location", ours or ABSENT, hop, message="downgraded to http")


def _compare_targets(ours: str, theirs: str, origins: Origins, base: str, findings: Findings) -> None:
    if _downgraded(ours, theirs, origins):
        findings.add(Kind.HEADER, "Location", ours, theirs, message="downgraded to http")
        return
    one = origins.neutral(ours, "old", base)
    other = origins.neutral(theirs, "new", origins.path_on_new(base))
    if one == other:
        return
    level = Level.WARN if same_but_query_order(one, other) else Level.FAIL
    findings.add(Kind.HEADER, "Location", ours, theirs, level=level, cure="ignore_headers: [Location]")


def only_a_slash(answer: Answer, path: str) -> bool:
    """Whether it leads from a path to the same one with, or without, a slash at its end."""
    asked, led = urlsplit(path).path, urlsplit("".join(_locations(answer)[:1])).path
    return answer.is_redirect and asked != led and asked.rstrip("/") == led.rstrip("/")


def same_target_status(old: int, new: int, method: str) -> bool:
    """Whether two redirect statuses send a client of this method to the target in the same way."""
    return method in {"GET", "HEAD"} or (old in _KEEPS_METHOD) == (new in _KEEPS_METHOD)


def _locations(answer: Answer) -> list[str]:
    return [value.strip() for value in answer.values("location")]


def _downgraded(old: str, new: str, origins: Origins) -> bool:
    if urlsplit(new).scheme != "http":
        return False
    before = urlsplit(old).scheme
    return before == "https" or (not before and origins.scheme == "https")
