"""Inferences that were accepted one after the other, and how long half of them took. Pure.

The median of what is answered so far would be wrong: of those accepted first also the slow ones are answered, of those
accepted last only the fast ones. So the median is given once it is sure: half of all took as long at most, and whoever
is not answered yet has waited longer.
"""

from __future__ import annotations

import bisect

ROUNDING_S = 1e-6
"""An acceptance is computed back from an answer: its time less its latency."""


class Cohort:
    """Taken in until it is closed; answers of others are ignored."""

    def __init__(self) -> None:
        self.size = 0
        self.taken_in = 0
        """As many, and those that ended without an answer."""
        self.closed = False
        """Whether no more are taken in."""
        self.filled_window = False
        """Whether as much was under way as was allowed: only then a wider window would have been used."""
        self._accepted_at: list[float] = []
        """In order; at the same index, how many of them are not answered."""
        self._unanswered: list[int] = []
        self._youngest = -1
        """Index of the last acceptance of which some are not answered."""
        self._latencies: list[float] = []

    @property
    def first(self) -> float | None:
        """When the first was accepted; None before."""
        return self._accepted_at[0] if self._accepted_at else None

    @property
    def last(self) -> float | None:
        """When the last was accepted; None before."""
        return self._accepted_at[-1] if self._accepted_at else None

    def take_in(self, count: int, now: float) -> None:
        """So many were accepted now."""
        self.size += count
        self.taken_in += count
        self._accepted_at.append(now)
        self._unanswered.append(count)
        self._youngest = len(self._unanswered) - 1

    def saw(self, latency_s: float, now: float) -> None:
        """An answer came so many seconds after its acceptance; it may be of another cohort."""
        if self._ended(latency_s, now):
            bisect.insort(self._latencies, latency_s)

    def lost(self, latency_s: float, now: float) -> None:
        """One ended without an answer so many seconds after its acceptance; if it was of these, it no longer is."""
        if self._ended(latency_s, now):
            self.size -= 1

    def _ended(self, latency_s: float, now: float) -> bool:
        """Count one that is under way no longer; whether it is of these."""
        accepted_at = now - latency_s
        index = bisect.bisect_left(self._accepted_at, accepted_at - ROUNDING_S)
        if index == len(self._accepted_at) or self._accepted_at[index] > accepted_at + ROUNDING_S:
            return False
        self._unanswered[index] -= 1
        while self._youngest >= 0 and self._unanswered[self._youngest] <= 0:
            self._youngest -= 1
        return True

    def median_s(self, now: float) -> float | None:
        """Seconds that half of them took at most; None as long as that is not sure."""
        half = max(1, (self.size + 1) // 2)
        if not self.closed or len(self._latencies) < half:
            return None
        median_s = self._latencies[half - 1]
        if self._youngest >= 0 and now - self._accepted_at[self._youngest] < median_s:
            return None
        return median_s

    @property
    def noise(self) -> float:
        """By what share the median of so few is off, about: answers differ by some 60 % among themselves."""
        return float(max(1, self.size) ** -0.5)
