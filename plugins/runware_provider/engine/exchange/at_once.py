"""How many requests are made at once: as many as it takes, fewer while connections fail. Pure: time comes as a number."""

from __future__ import annotations

import math
from collections import deque

FEW = 4
"""Requests that are no burden to anybody."""
SOME_FAIL = 0.05
"""Of the requests: single ones that fail are chance, and say nothing of how many there are."""
ALL_FAIL = 0.9
"""Of the requests: then it is an outage, and says nothing of it either."""
GROWTH = 1.125
"""Times the bound, where so many were too many a while ago."""
TIMED = 20
"""Round trips of late, of which the shortest counts: the others waited for this process."""


def as_many_as_it_takes(requests: float, round_trip_s: float, within_s: float) -> int:
    """Requests under way at once, for so many to be made in time.

    Args:
        requests: to be made.
        round_trip_s: of one, seconds.
        within_s: the time, seconds.
    """
    return max(FEW, math.ceil(requests * round_trip_s / max(within_s, round_trip_s, 1e-9)))


class RoundTrips:
    """How long a request takes that is answered at once."""

    def __init__(self) -> None:
        self._last: deque[float] = deque(maxlen=TIMED)

    def took(self, seconds: float) -> None:
        """One was answered."""
        self._last.append(seconds)

    @property
    def shortest_s(self) -> float:
        """Seconds; 0 as long as nobody knows."""
        return min(self._last, default=0.0)


class Brake:
    """Bounds requests under way by what becomes of them.

    It decides anew whenever so many have ended as were under way at once.

    Args:
        most: that are allowed ever.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._allowed = most
        self._too_many = math.inf
        """Of so many at once, some failed."""
        self._ended = self._failed = self._at_once = 0

    @property
    def allowed(self) -> int:
        """Requests that may be under way at once."""
        return self._allowed

    def saw(self, *, failed: bool, at_once: int) -> None:
        """A request has ended.

        Args:
            failed: whether no usable reply came; that the API has no room is one.
            at_once: requests that were under way, with it.
        """
        self._ended += 1
        self._failed += failed
        self._at_once = max(self._at_once, at_once)
        if self._ended >= max(FEW, self._at_once):
            self._decide(self._failed / self._ended, min(self._allowed, self._at_once))
            self._ended = self._failed = self._at_once = 0

    def _decide(self, failed: float, at_once: int) -> None:
        least = min(FEW, self._most)
        if failed >= ALL_FAIL:
            self._allowed = max(least, at_once // 2)
        elif failed > SOME_FAIL:
            self._too_many = at_once
            self._allowed = max(least, int(at_once * (1 - failed)))
        else:
            # Single failures are chance, also while it grows: with some at every time it would never be wide again.
            # What was too many a while ago no longer is.
            if at_once >= self._too_many:
                self._too_many = math.inf
            self._allowed = min(self._most, self._wider())

    def _wider(self) -> int:
        doubled = 2 * self._allowed
        return doubled if doubled < self._too_many else math.ceil(GROWTH * self._allowed)
