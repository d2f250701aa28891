"""What the rest of a job will cost, judged by a sample of its answers. Pure.

The sample must be drawn at random, or the first records must be like the rest: a forecast knows no other records
than those that were answered.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

DEGREES = (*range(1, 31), 40, 60, 100)
QUANTILES = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228),
    *(2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086),
    *(2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042),
    *(2.021, 2.000, 1.984),
)
"""97.5 % of Student's t distribution, by degrees of freedom: NIST/SEMATECH e-Handbook of Statistical Methods,
1.3.6.7.2. Between two of them the wider one holds."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """The price of what was not asked yet, in the unit of the costs."""

    each: float
    """Expected of one inference of the rest."""
    total: float
    """Expected of the rest together."""
    low: float | None
    """Where the total lies with 95 % confidence, from here; nothing where one answer tells no spread."""
    high: float | None
    """To here."""
    answers: int
    """How many it is judged by."""


def forecast(
    costs: Sequence[float],
    remaining: int,
    sizes: Sequence[int] | None = None,
    remaining_size: int | None = None,
) -> Forecast:
    """Extrapolate from real answers to the rest.

    With sizes it is the ratio estimator: cost per unit of size, since documents differ in length (Cochran,
    Sampling Techniques, 3rd edition, chapter 6); without, the mean. The interval is one for the sum of the rest,
    not for a mean: it holds the spread of the rest itself and the error of the estimate. For draws without
    replacement the two together are the finite population correction: nothing is uncertain where nothing is left.
    Costs that are very skewed make the interval of a few answers too narrow, on its upper side.

    Args:
        costs: of each answer, for example in USD.
        remaining: inferences of the rest.
        sizes: of each answer's prompt, for example in estimated tokens; together with `remaining_size`.
        remaining_size: the sum of the sizes of the rest.

    Raises:
        ValueError: no costs, or sizes that do not belong to them.
    """
    if not costs:
        raise ValueError("there is no answer to judge by")
    if (sizes is None) != (remaining_size is None) or (sizes is not None and len(sizes) != len(costs)):
        raise ValueError("sizes are given of each answer and of the rest, or not at all")
    if sizes is None or remaining_size is None or not sum(sizes):
        sizes, remaining_size = [1] * len(costs), remaining
    answers = len(costs)
    per_size = math.fsum(costs) / sum(sizes)
    total = per_size * remaining_size
    each = total / remaining if remaining else math.fsum(costs) / answers
    if answers == 1:
        return Forecast(each, total, None, None, answers)
    variance = _variance(costs, sizes, per_size)
    # What the rest amounts to in answers of the sample's mean size.
    amount = remaining_size * answers / sum(sizes)
    error = _quantile(answers - 1) * math.sqrt(variance * (remaining + amount * amount / answers))
    return Forecast(each, total, max(0.0, total - error), total + error, answers)


def _variance(costs: Sequence[float], sizes: Sequence[int], per_size: float) -> float:
    """Of a cost around its size's share; with equal sizes the usual one.

    By the jackknife: how far each answer lies from what the others alone would have said of it. Few answers of
    unlike sizes would seem too sure otherwise, since the largest pulls the ratio to itself.
    """
    answers, whole = len(costs), sum(sizes)
    # An answer that makes up nearly all of the size leaves no others to judge it by.
    others = (max(1 - size / whole, 1 / answers) for size in sizes)
    off = ((cost - per_size * size) / rest for cost, size, rest in zip(costs, sizes, others, strict=True))
    return math.fsum(one * one for one in off) * (answers - 1) / answers**2


def _quantile(degrees: int) -> float:
    return QUANTILES[bisect_right(DEGREES, degrees) - 1]
