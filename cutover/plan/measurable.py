"""Gates that nothing could ever open: what they ask can't be measured where the plan has them asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from cutover.plan.step import Gate, Step
from cutover.plan.thresholds import Verdict

Place = tuple[str | int, ...]


def unmeasurable(phases: Mapping[str, Sequence[Step]], last: str) -> Iterator[tuple[Place, str]]:
    """Where they stand, and why. Traffic is followed through the phases as they are written, but for the ``last``.

    A plan without shifts is moved by hand: nothing is known of its weights.
    """
    forward = [
        (phase, number, step) for phase, steps in phases.items() if phase != last for number, step in enumerate(steps)
    ]
    weight: int | None = 0 if any(step.type == "shift" for _, _, step in forward) else None
    for phase, number, step in forward:
        weights = list(getattr(step.settings, "weights", ())) or [weight]
        gates: Sequence[Gate] = getattr(step.settings, "gates", ())
        for live in weights:
            if live is None or (step.type == "shift" and not live):
                continue
            for index, gate in enumerate(gates):
                if not _waived(gate) and (why := gate.settings.unmeasurable(live)):
                    yield (phase, number, step.type, "gates", index, gate.type), why
            if not gates and step.on_fail != "continue" and (why := step.settings.unmeasurable(live)):
                yield (phase, number, step.type), why
        weight = weights[-1]


def _waived(gate: Gate) -> bool:
    return gate.consequence(Verdict.UNKNOWN) == "continue"
