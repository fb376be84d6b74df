"""What few requests may show by chance alone."""

from __future__ import annotations

from math import exp, lgamma, log, log1p, sqrt

CHANCE = 0.005
"""A limit counts as broken where an honest backend, just within it, would look that bad in one of 200 looks."""

_DEVIATIONS = 2.576
"""Standard deviations of a normal distribution that leave ``CHANCE`` beyond them, on one side."""

_NEGLIGIBLE = 1e-12


def beyond_chance(failed: int, tries: int, percent: float) -> bool:
    """Whether so many of these tries would hardly fail if ``percent`` of all did: an exact binomial test, one-sided."""
    p = percent / 100
    if failed <= tries * p:
        return False
    if p <= 0:
        return True
    return at_least(failed, tries, p) < CHANCE


def surely_above(percent: float, samples: int) -> float:
    """The percentile of a sample that hardly exceeds the ``percent`` one of all: 82 for 95 and 20 samples."""
    q = percent / 100
    return max(0.0, 100 * (q - _DEVIATIONS * sqrt(q * (1 - q) / samples)))


def at_least(k: int, n: int, p: float) -> float:
    """The chance of ``k`` or more of ``n``; ``k`` is above the mean, from where terms only get smaller.

    ``p`` lies between 0 and 1, both excluded.
    """
    term = exp(lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) + k * log(p) + (n - k) * log1p(-p))
    total = 0.0
    while k <= n and term > total * _NEGLIGIBLE:
        total += term
        term *= (n - k) / (k + 1) * p / (1 - p)
        k += 1
    return total
