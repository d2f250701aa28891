"""When too many rows have failed: at the end, and while there is still money to save. Pure.

While a job runs, it is beyond what was allowed in two cases. Either it is certain: more rows have failed than the
whole may have, even if all others succeed. Or the last answers hold so many failures that chance does not explain
it: a prompt that always fails should cost a few dozen answers, not a share of the dataset.
"""

from __future__ import annotations

import math
from collections import deque
from fractions import Fraction
from functools import lru_cache

WINDOW = 100
"""How many of the last answers are looked at together."""
FEWEST = 20
"""Fewer answers say nothing yet."""
CHANCE = 1e-9
"""How likely a look at the window may be wrong, if answers fail independently at exactly the allowed share: over a
million answers that stops less than one job in a thousand, and less still below the allowed share."""


class FailureWatch:
    """Counts failures against what the user allows.

    Args:
        most: a count of rows (int), a share of the rows that are asked (float, 0 to 1), or None for any.
        rows: how many there are, as far as is known; what turns out not to be asked is `left_out`.

    Raises:
        ValueError: a negative count, or a share outside 0 to 1.
    """

    def __init__(
        self,
        most: int | float | None,  # noqa: PYI041 - 1 is one row, 1.0 is all of them
        rows: int,
    ) -> None:
        bound = math.inf if isinstance(most, int) else 1
        if most is not None and not 0 <= most <= bound:
            raise ValueError(f"{most!r} is neither a count nor a share")
        self._count = most if isinstance(most, int) else None
        # The share that the user wrote, not the double beside it: 0.29 of 100 rows are 29 rows.
        self._share = Fraction(repr(most)) if isinstance(most, float) else None
        self._rows = rows
        self._left_out = 0
        self._asked = 0
        self._failed = 0
        self._last: deque[bool] = deque(maxlen=WINDOW)
        self._failed_last = 0
        self._too_many = _too_many(most) if isinstance(most, float) else ()

    def saw(self, failed: bool, times: int = 1) -> None:  # noqa: FBT001 - a watch that saw(True) reads as meant
        """An answer came, or an inference ended without one.

        Args:
            failed: whether the rows that it stands for fail.
            times: for how many rows it stands. In the window it is one answer: rows that were asked alike fail
                together, and would look like a streak.
        """
        self._asked += times
        self._failed += times * failed
        if len(self._last) == WINDOW:
            self._failed_last -= self._last[0]
        self._last.append(failed)
        self._failed_last += failed

    def could_not_ask(self, rows: int) -> None:
        """These rows have failed without being asked. That says nothing of the answers, so the window does not see it."""
        self._asked += rows
        self._failed += rows

    def left_out(self, rows: int) -> None:
        """These rows are not asked: not chosen, or skipped for a reason that is no failure."""
        self._left_out += rows

    @property
    def undecided(self) -> bool:
        """Whether too few answers are known yet to tell a prompt that fails far too often.

        Twenty answers of which no more fail than may are enough: of a prompt that fails in every second answer, where
        one in ten may, one job in five thousand passes them.
        """
        seen = len(self._last)
        if not self._too_many or seen == WINDOW:
            return False
        if seen < FEWEST:
            return True
        return self._failed_last > self._allowed(seen)

    def bears(self, rows: int) -> bool:
        """Whether so many failures more would be allowed, of all rows."""
        return self._failed + rows <= self._allowed(max(self._rows - self._left_out, self._asked))

    def beyond(self) -> str | None:
        """Why to stop now, in a sentence without its full stop; nothing as long as there is no reason.

        Whatever order the rows come in, a job that is certain to end well is never stopped. One with a share may
        be stopped that would have ended well, if its failures come in a streak.
        """
        most = max(self._rows - self._left_out, self._asked)
        if self._failed > self._allowed(most):
            return f"{self._failed} of {most} rows failed already, where {self._may}"
        seen = len(self._last)
        streak = self._too_many and self._failed_last >= self._too_many[seen]
        if streak and self._failed + most - self._asked > self._allowed(most):
            return f"{self._failed_last} of the last {seen} answers failed, where {self._may}"
        return None

    def beyond_at_the_end(self) -> str | None:
        """Why the whole is not good enough, in a sentence without its full stop; nothing if it is."""
        if self._failed > self._allowed(self._asked):
            return f"{self._failed} of {self._asked} rows failed, where {self._may}"
        return None

    def _allowed(self, asked: int) -> float:
        """Rows that may fail of so many."""
        if self._share is not None:
            return asked * self._share.numerator // self._share.denominator
        return math.inf if self._count is None else self._count

    @property
    def _may(self) -> str:
        if self._share:
            return f"{float(100 * self._share):g} % may"
        return f"{self._count or 'none'} may"


@lru_cache(maxsize=64)
def _too_many(share: float) -> tuple[float, ...]:
    """From how many failures on a window of 0, 1, ... WINDOW answers is beyond chance; infinite where none is.

    The fewest k whose binomial tail P(X >= k), X of n answers that fail independently with this share, stays below
    `CHANCE`. Shares above 0.81 have none: a hundred failures in a row are no wonder then.
    """
    return tuple(_fewest_beyond_chance(answers, share) for answers in range(WINDOW + 1))


def _fewest_beyond_chance(answers: int, share: float) -> float:
    if answers < FEWEST:
        return math.inf
    tail, fewest = 0.0, math.inf
    # From the far end, where the terms are smallest: nothing is lost to rounding.
    for failed in range(answers, 0, -1):
        tail += math.comb(answers, failed) * share**failed * (1 - share) ** (answers - failed)
        if tail >= CHANCE:
            break
        fewest = failed
    return fewest
