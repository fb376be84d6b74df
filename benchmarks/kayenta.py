"""Kayenta's rule for a metric, to be compared with: MannWhitney.scala and MannWhitneyClassifier.scala.

It reads a metrics store: for each side a point per interval of time. The Mann-Whitney test gives an estimate of the
shift between experiment and control and its confidence interval, in the metric's own unit; the metric is ``High`` where
the near end of the interval lies beyond a quarter of the estimate.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, rankdata

CONFIDENCE = 0.98
TOLERANCE = 0.25
SOLVED_WITHIN = 1e-4
"""In the metric's unit, whatever that is: enough for milliseconds and percent, not for seconds."""

Points = NDArray[np.float64]


def high(experiment: Sequence[float], control: Sequence[float]) -> bool:
    new, old = np.array(experiment, dtype=float), np.array(control, dtype=float)
    if len(new) == len(old) and bool(np.all(new == old)):
        return False
    quantile = float(norm.isf((1 - CONFIDENCE) / 2))
    estimate = _solved(new, old, 0.0)
    # Where most points are equal, both lie at the same step, and their solver decides by chance: that is not counted.
    return _solved(new, old, quantile) - TOLERANCE * abs(estimate) > SOLVED_WITHIN


def _solved(new: Points, old: Points, quantile: float) -> float:
    """The shift at which the test's statistic is ``quantile``."""
    low, top = float(new.min() - old.max()), float(new.max() - old.min())
    if _statistic(new, old, low, quantile) <= 0:
        return low
    while top - low > SOLVED_WITHIN:
        middle = (low + top) / 2
        if _statistic(new, old, middle, quantile) > 0:
            low = middle
        else:
            top = middle
    return (low + top) / 2


def _statistic(new: Points, old: Points, shift: float, quantile: float) -> float:
    """Ranks with averages for ties, a variance corrected for them, and a correction for continuity."""
    n, m = len(new), len(old)
    ranks = rankdata(np.concatenate([new - shift, old]))
    above = float(ranks[:n].sum()) - n * (n + 1) / 2 - n * m / 2
    _, ties = np.unique(ranks, return_counts=True)
    total = n + m
    spread = np.sqrt(n * m / 12 * (total + 1 - float((ties**3 - ties).sum()) / (total * (total - 1))))
    return (above - 0.5 * np.sign(above)) / float(spread) - quantile if spread > 0 else -quantile
