"""What is expected of values that are yet to come: assumed at first, then learned from those that came. Pure."""

from __future__ import annotations

PRIOR_ANSWERS = 2
"""For how many answers the assumptions count that an account begins with."""


class Learned:
    """A weighted mean and its spread, one value after the other (D. H. D. West, CACM 22(9), 1979, after Welford).

    Args:
        mean: what is assumed until values tell.
        sd: the standard deviation that is assumed.
        weight: for how many values the assumptions count, where a value weighs 1.
    """

    def __init__(self, mean: float, sd: float, weight: float) -> None:
        self.mean = mean
        self._weight = weight
        self._squared_weights = weight * weight / PRIOR_ANSWERS
        self._squares = sd * sd * weight

    def saw(self, value: float, weight: float = 1.0) -> None:
        """Take a value in."""
        self._weight += weight
        self._squared_weights += weight * weight
        off = value - self.mean
        self.mean += off * weight / self._weight
        self._squares += weight * off * (value - self.mean)

    def variance_of_sum(self, total: float, squares: float) -> float:
        """Of a sum of values that are not known yet, weighted.

        Beside each value's own spread it holds that of the mean, which is off for all of them alike.

        Args:
            total: of their weights.
            squares: of their weights' squares.
        """
        variance = self._squares / self._weight
        return variance * (squares + total * total * self._squared_weights / self._weight**2)
