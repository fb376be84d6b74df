"""How often a gate passed and failed in a hold, and when that ends it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from cutover.plan.step import Gate
from cutover.plan.thresholds import Verdict


@dataclass(frozen=True)
class Tally:
    """What could not be measured counts as nothing, and interrupts no row."""

    passed: int = 0
    failed: int = 0
    in_a_row: int = 0

    @classmethod
    def of(cls, unfinished: Mapping[str, Any] | None, number: int) -> Self:
        """As an earlier process left it."""
        counts: Mapping[str, int] = (unfinished or {}).get("gates", {}).get(str(number), {})
        return cls(**counts)

    def then(self, verdict: Verdict) -> Tally:
        if verdict is Verdict.PASS:
            return replace(self, passed=self.passed + 1, in_a_row=0)
        if verdict is Verdict.FAIL:
            return replace(self, failed=self.failed + 1, in_a_row=self.in_a_row + 1)
        return self

    def too_many(self, gate: Gate) -> bool:
        in_all = gate.most_failures is not None and self.failed >= gate.most_failures
        return in_all or (gate.in_a_row is not None and self.in_a_row >= gate.in_a_row)

    def ends(self, gate: Gate, verdict: Verdict, *, final: bool) -> bool:
        """Whether a hold ends with this verdict, which is counted already. ``final``: nothing is asked after it.

        What never passed does not hold, however many failures are allowed.
        """
        if gate.consequence(verdict) == "continue" or verdict is Verdict.PASS:
            return False
        if verdict is Verdict.UNKNOWN:
            return final
        return self.too_many(gate) or (final and not self.passed)
