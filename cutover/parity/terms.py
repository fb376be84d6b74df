"""What a comparison goes by."""

from __future__ import annotations

from dataclasses import dataclass

from cutover.parity.document import Budget
from cutover.parity.origins import Origins
from cutover.parity.rules import Rules


@dataclass(frozen=True, slots=True)
class Terms:
    """The plan's rules, what each side calls itself, and the limits of this one comparison."""

    rules: Rules
    origins: Origins
    budget: Budget
