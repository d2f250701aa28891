"""Inferences that were accepted one after the other, and how long they took on average. Pure.

The average of what is answered so far would be wrong: the slow ones are missing. So whoever is not answered yet counts with
the time that he has waited at the least, and with the most that counts at all; between these two the average lies, and they
meet in the end. That no latency counts for more than about twice the usual one makes that end near, and one that takes for
ever a slow one among others.
"""

from __future__ import annotations

import bisect
import math
import statistics
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

ROUNDING_S = 1e-6
"""An acceptance is computed back from an answer: its time less its latency."""


class Mean(NamedTuple):
    """An average of latencies of which some are not known yet, seconds."""

    least_s: float
    most_s: float

    @property
    def is_sure(self) -> bool:
        """Whether nothing will change it."""
        return self.most_s - self.least_s < ROUNDING_S

    @property
    def about_s(self) -> float:
        """The best guess."""
        return (self.least_s + self.most_s) / 2


class Cohort:
    """Taken in until it is closed; answers of others are ignored, but for what is delivered meanwhile.

    Args:
        most_s: what a latency counts for at most, seconds.
    """

    def __init__(self, most_s: float = math.inf) -> None:
        self.most_s = most_s
        self.size = 0
        self.taken_in = 0
        """As many as the size, and those that ended without an answer."""
        self.delivered = 0
        """Of these and others, since the first of these was accepted: answers, and what ended without one."""
        self.closed = False
        """Whether no more are taken in."""
        self.filled_window = False
        """Whether as much was under way as was allowed: only then a wider window would have been used."""
        self._accepted_at: list[float] = []
        """In order; at the same index, how many there were, and how many of them are not answered."""
        self._counts: list[int] = []
        self._unanswered: list[int] = []
        self._latencies: list[float] = []
        """Of what is answered, in order."""
        self._sum_s = 0.0

    @property
    def first(self) -> float | None:
        """When the first was accepted; None before."""
        return self._accepted_at[0] if self._accepted_at else None

    @property
    def acceptances(self) -> Iterator[tuple[float, int]]:
        """When so many were accepted."""
        return zip(self._accepted_at, self._counts, strict=True)

    @property
    def answered(self) -> int:
        """How many of them are, by now."""
        return len(self._latencies)

    @property
    def latencies(self) -> tuple[float, ...]:
        """Of those that are answered by now, in order."""
        return tuple(self._latencies)

    @property
    def half_s(self) -> float | None:
        """Seconds in which half of them came; None as long as that is not known."""
        half = max(1, (self.size + 1) // 2)
        return self._latencies[half - 1] if self.answered >= half else None

    @property
    def spread(self) -> float:
        """By what share latencies differ from their average, about, as the faster half of those that are answered has it.

        The slower half may have waited for a slot, and says nothing of that.
        """
        faster = self._latencies[: (self.answered + 1) // 2]
        if len(faster) < 2:
            return 0.0
        return 2 * statistics.pstdev(faster) / max(ROUNDING_S, statistics.fmean(faster))

    def mean(self, now: float) -> Mean:
        """Between what and what the average lies."""
        least_s = most_s = self._sum_s
        for accepted_at, unanswered in zip(self._accepted_at, self._unanswered, strict=True):
            if unanswered > 0:
                least_s += unanswered * min(self.most_s, now - accepted_at)
                most_s += unanswered * self.most_s
        size = max(1, self.size)
        return Mean(least_s / size, most_s / size)

    def delivered_per_s(self, now: float) -> float:
        """What came back since the first of these was accepted, in a second."""
        if self.first is None:
            return 0.0
        return self.delivered / max(ROUNDING_S, now - self.first)

    def take_in(self, count: int, now: float) -> None:
        """So many were accepted now."""
        self.size += count
        self.taken_in += count
        # An answer tells by its time alone to whom it belongs.
        if self._accepted_at and now - self._accepted_at[-1] < ROUNDING_S:
            self._counts[-1] += count
            self._unanswered[-1] += count
            return
        self._accepted_at.append(now)
        self._counts.append(count)
        self._unanswered.append(count)

    def saw(self, latency_s: float, now: float) -> None:
        """An answer came so many seconds after its acceptance; it may be of another cohort."""
        if self._ended(latency_s, now):
            bisect.insort(self._latencies, latency_s)
            self._sum_s += min(self.most_s, latency_s)

    def lost(self, latency_s: float, now: float) -> None:
        """One ended without an answer so many seconds after its acceptance; if it was of these, it no longer is."""
        if self._ended(latency_s, now):
            self.size -= 1

    def _ended(self, latency_s: float, now: float) -> bool:
        """Count one that is under way no longer; whether it is of these."""
        if self._accepted_at:
            self.delivered += 1
        accepted_at = now - latency_s
        index = bisect.bisect_left(self._accepted_at, accepted_at - ROUNDING_S)
        if index == len(self._accepted_at) or self._accepted_at[index] > accepted_at + ROUNDING_S:
            return False
        self._unanswered[index] -= 1
        return True
