"""How long answers took of late, and so how long one may take that nobody has heard of yet. Pure."""

from __future__ import annotations

from collections import deque

SEEN = 200
"""The last answers, of which the slow ones are looked for."""
SLOW = 0.95
"""Of a hundred answers, so many are faster than a slow one."""
SEVERAL = 5
"""Slow answers in a row, after which one is not under way any more, or else very long."""


class Latencies:
    """Of the answers to what this process sent, in seconds."""

    def __init__(self) -> None:
        self._last: deque[float] = deque(maxlen=SEEN)

    def saw(self, latency_s: float) -> None:
        """An answer came so many seconds after its task was sent."""
        self._last.append(latency_s)

    @property
    def several_s(self) -> float:
        """Seconds in which an answer would have come that is under way; 0 as long as none was seen."""
        if not self._last:
            return 0.0
        in_order = sorted(self._last)
        slow = in_order[int(SLOW * (len(in_order) - 1))]
        return SEVERAL * slow
