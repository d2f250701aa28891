"""What counts can prove: intervals for a rate, and whether one of two is better."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

Z95 = 1.959963984540054
"""The standard normal distribution's 97.5th percentile."""
SIGNIFICANT = 0.05


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
