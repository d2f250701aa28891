"""What counts can prove: intervals for a rate, and whether one of two is better."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

Z95 = 1.959963984540054
"""The standard normal distribution's 97.5th percentile."""
SIGNIFICANT = 0.05
EXACT = 2_000
"""Records up to which every possible split is added up."""


def wilson(hits: int, of: int) -> tuple[float, float]:
    """The 95 % interval of a rate (Wilson, 1927); 0 to 1 when nothing was counted."""
    if not of:
        return 0.0, 1.0
    rate, z2 = hits / of, Z95 * Z95
    middle = (rate + z2 / (2 * of)) / (1 + z2 / of)
    half = Z95 / (1 + z2 / of) * math.sqrt(rate * (1 - rate) / of + z2 / (4 * of * of))
    low = 0.0 if hits == 0 else max(0.0, middle - half)
    high = 1.0 if hits == of else min(1.0, middle + half)
    return low, high


def fisher(hits: int, of: int, hits_before: int, of_before: int) -> float:
    """How likely two rates of different records are so far apart when neither is better, two-sided.

    Fisher's exact test; where both sides together have more than `EXACT` records, which are enough for it, the normal
    approximation of two proportions.
    """
    rate, rate_before = (hits / of if of else 0.0), (hits_before / of_before if of_before else 0.0)
    if not of or not of_before or rate == rate_before:
        return 1.0
    if of + of_before > EXACT:
        pooled = (hits + hits_before) / (of + of_before)
        spread = math.sqrt(pooled * (1 - pooled) * (1 / of + 1 / of_before))
        return math.erfc(abs(rate - rate_before) / spread / math.sqrt(2))
    right = hits + hits_before
    whole = _log_choose(of + of_before, right)

    def likelihood(ours: int) -> float:
        return math.exp(_log_choose(of, ours) + _log_choose(of_before, right - ours) - whole)

    seen = likelihood(hits) * (1 + 1e-7)
    possible = range(max(0, right - of_before), min(of, right) + 1)
    return min(1.0, sum(chance for ours in possible if (chance := likelihood(ours)) <= seen))


def _log_choose(of: int, chosen: int) -> float:
    return math.lgamma(of + 1) - math.lgamma(chosen + 1) - math.lgamma(of - chosen + 1)


def mcnemar(only_first: int, only_second: int) -> float:
    """McNemar's exact test, two-sided: how likely so uneven a split is when neither is better.

    Args:
        only_first: records that only the first got right.
        only_second: records that only the second got right.
    """
    of, fewer = only_first + only_second, min(only_first, only_second)
    if 2 * fewer >= of:
        return 1.0
    # Added up from the largest term down, in logarithms: powers of two below 2**-1074 are none.
    largest = math.lgamma(of + 1) - math.lgamma(fewer + 1) - math.lgamma(of - fewer + 1) - of * math.log(2)
    total = term = 1.0
    for k in range(fewer, 0, -1):
        term *= k / (of - k + 1)
        total += term
        if term < total * 1e-17:
            break
    return min(1.0, 2 * total * math.exp(largest))


def holm(chances: Sequence[float]) -> list[float]:
    """The same chances, corrected for having looked at so many (Holm, 1979)."""
    order = sorted(range(len(chances)), key=lambda index: chances[index])
    corrected = [1.0] * len(chances)
    worst = 0.0
    for rank, index in enumerate(order):
        worst = max(worst, min(1.0, chances[index] * (len(chances) - rank)))
        corrected[index] = worst
    return corrected
