"""What differs between two answers of old says nothing about new."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from cutover.parity.findings import Findings, Key, Kind, Level

# Diffy's rule, from its DifferencesFilter: a field differs if raw exceeds noise, relatively and absolutely.
RELATIVE_PERCENT = 20.0
ABSOLUTE_PERCENT = 0.03
# One difference in fewer samples is more than 0.03 % whatever it means, so nothing is excused below this.
MIN_SAMPLES = 100
MAX_MATTERS = 1000

Matter = tuple[str, str]


@dataclass(slots=True)
class Noise:
    """Over the requests of one endpoint: how many differed between old and new, and between old and old."""

    requests: int = 0
    raw: Counter[Matter] = field(default_factory=Counter)
    noise: Counter[Matter] = field(default_factory=Counter)

    def count(self, found: Findings, noisy: set[Matter]) -> None:
        """Count one request: what its first look found, and what old alone showed."""
        self.requests += 1
        for counter, seen in ((self.raw, matters(found)), (self.noise, noisy)):
            counter.update(matter for matter in seen if matter in counter or len(counter) < MAX_MATTERS)

    def excuses(self, key: Key) -> bool:
        """Whether a finding that survived its own request is noise over all of them."""
        raw, noise = self.raw[key.matter], self.noise[key.matter]
        if not noise or self.requests < MIN_SAMPLES:
            return False
        return not differs(raw, noise, self.requests)


def differs(raw: int, noise: int, total: int) -> bool:
    """Diffy's rule. Counts of requests."""
    if raw <= noise:
        return False
    distance = abs(raw - noise)
    return distance / (raw + noise) * 100 > RELATIVE_PERCENT and distance / total * 100 > ABSOLUTE_PERCENT


def matters(*found: Findings) -> set[Matter]:
    """What moved between answers; that both of them fail is told as a warning, but is no difference."""
    return {key.matter for findings in found for key in findings.keys if not _both_fail(key)}


def _both_fail(key: Key) -> bool:
    return key.kind is Kind.STATUS and key.level is not Level.FAIL
