"""One differing record as a whole, told by deepdiff, for people.

Verdicts don't rest on it: deepdiff gets one small pair of records per endpoint, after the comparison is done.
"""

from __future__ import annotations

import asyncio
from typing import Any

from cutover.parity.findings import Record

EXPLAIN_TIMEOUT_S = 2.0
MAX_LINES = 20
MAX_RECORD_NODES = 500


async def explain(record: Record) -> list[str]:
    """Lines such as ``Value of root['status'] changed from "done" to "DONE".``; none where the record is too big."""
    if not _small(record.old) or not _small(record.new):
        return []
    try:
        async with asyncio.timeout(EXPLAIN_TIMEOUT_S):
            return await asyncio.to_thread(_explained, record.old, record.new)
    except TimeoutError:
        return []


def _explained(old: Any, new: Any) -> list[str]:
    from deepdiff import DeepDiff  # noqa: PLC0415 - start-up time

    difference = DeepDiff(old, new, verbose_level=2, threshold_to_diff_deeper=0)
    return str(difference.pretty()).splitlines()[:MAX_LINES]


def _small(value: Any) -> bool:
    left, stack = MAX_RECORD_NODES, [value]
    while stack and left:
        one = stack.pop()
        left -= 1
        if type(one) is dict:
            stack.extend(one.values())
        elif type(one) is list:
            stack.extend(one)
    return not stack
