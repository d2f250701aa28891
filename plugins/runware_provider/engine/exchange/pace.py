"""How much may be under way: decided from what came back, without a clock of its own.

The vendor has queues of finite capacity. Load shows first as latency, then as 429, 503 and 504, so the window
grows while answers come as fast as before, and halves when the API says that it is full.
"""

from __future__ import annotations

START = 64
SLOWER = 3.0
SLOW_S = 0.5
"""Below this a latency says nothing about load, however much it grew."""
SMOOTHING = 0.1
HOLD_S = 2.0


class Pace:
    """The adaptive bound on outstanding inferences.

    Args:
        most: the user's bound, never exceeded.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._window = float(min(most, START))
        self._held_until = float("-inf")
        self._doubling = True
        self._latency: float | None = None
        self._best: float | None = None

    @property
    def window(self) -> int:
        """Inferences that may be outstanding now; at least one."""
        return max(1, int(self._window))

    def answered(self, latency_s: float) -> None:
        """An inference was answered this many seconds after it was sent."""
        smoothed = latency_s if self._latency is None else self._latency
        self._latency = smoothed + SMOOTHING * (latency_s - smoothed)
        self._best = self._latency if self._best is None else min(self._best, self._latency)
        if self._latency <= SLOWER * max(self._best, SLOW_S / SLOWER):
            grown = 1.0 if self._doubling else 1.0 / self._window
            self._window = min(float(self._most), self._window + grown)

    def refused(self, now: float) -> None:
        """The API said that it is full; several refusals within two seconds count once."""
        if now < self._held_until:
            return
        self._held_until = now + HOLD_S
        self._doubling = False
        self._window = max(1.0, self._window / 2)
