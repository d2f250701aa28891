"""How long answers took of late, and so how long one may take that nobody has heard of yet. Pure."""

from __future__ import annotations

from collections import deque

SEEN = 200
"""The last answers, of which the slow ones are looked for."""
SLOW = 0.95
"""Of a hundred answers, so many are faster than a slow one."""
FAST = 0.1
"""Of a hundred answers, so many are there before the first look at them is due."""
KNOWN_FROM = 5
"""Answers from which on they say when to look first: those of the canary."""
SEVERAL = 5
"""Slow answers in a row, after which one is not under way any more, or else very long."""


class Latencies:
    """Of the answers to what this process sent, in seconds."""

    def __init__(self) -> None:
        self._last: deque[float] = deque(maxlen=SEEN)
        self._seen = self._sorted_at = 0
        self._in_order: list[float] = []

    def saw(self, latency_s: float) -> None:
        """An answer came so many seconds after its task was sent."""
        self._last.append(latency_s)
        self._seen += 1

    @property
    def several_s(self) -> float:
        """Seconds in which an answer would have come that is under way; 0 as long as none was seen."""
        if not self._last:
            return 0.0
        in_order = sorted(self._last)
        slow = in_order[int(SLOW * (len(in_order) - 1))]
        return SEVERAL * slow

    @property
    def fast_s(self) -> float | None:
        """Seconds after which it is worth looking for an answer; None as long as too few were seen."""
        if self._seen < KNOWN_FROM:
            return None
        # Sorted again only when as many are new as make a difference: this is asked for at each acceptance.
        if self._seen - self._sorted_at >= max(1, len(self._in_order) // 10):
            self._in_order = sorted(self._last)
            self._sorted_at = self._seen
        return self._in_order[int(FAST * (len(self._in_order) - 1))]
