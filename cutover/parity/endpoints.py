"""Requests that ask for the same thing: ``/studies/17?page=2`` is ``/studies/{id}``."""

from __future__ import annotations

import re
from collections.abc import Callable

_ID = re.compile(
    r"\d+"
    r"|[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
    r"|(?=[A-Fa-f]*\d)[0-9a-fA-F]{16,}"
    r"|\d+(?:\.\d+){3,}"
    r"|\d{4}-\d\d-\d\d"
    r"|[A-Za-z]{1,16}[-_]\d{2,}"
    r"|\S*\$\{\w+\}\S*"
)

EndpointOf = Callable[[str, str], str]


def is_id(name: str) -> bool:
    """Whether a segment of a path, or the name of a member, names one thing of many."""
    return _ID.fullmatch(name) is not None


def endpoint(method: str, path: str) -> str:
    """``GET /studies/{id}``: segments that are numbers, UUIDs, long hex, DICOM UIDs, dates or EXAM-0001 are ids.

    So are variables of a sequence.
    """
    plain = path.partition("?")[0].partition("#")[0]
    return f"{method} " + "/".join("{id}" if is_id(segment) else segment for segment in plain.split("/"))
