"""How long answers took of late, and so when to look for one, and how long one may take that nobody has heard of yet. Pure.

An answer is not seen when it comes, but at the next look, so that only two ages are known: one at which it was not there,
and one at which it was. What says when to look must not be the second: a first look that is too late would find every
answer, and so seem to be just right.
"""

from __future__ import annotations

import math
from collections import deque

SEEN = 200
"""The last answers, of which the slow ones are looked for."""
SLOW = 0.95
"""Of a hundred answers, so many are faster than a slow one."""
FIRST_LOOK = 0.2
"""Of a hundred answers, so many are there before the first look at them is due."""
HALF_OF_THEM = 0.5
LATE = 0.8
"""Of a hundred answers, so many are there when looks become rarer."""
HALF = 0.5
"""Of the age at the first look: so old is an answer taken to be that was there by then."""
NOT_LATER = 1.2
"""Times the shortest wait for a first look of late: longer ones may come from a queue that is gone by now."""
FORGOTTEN = 1.1
"""By so much the shortest wait is taken to have grown, after several times as long."""
FORGOTTEN_AFTER = 10
KNOWN_FROM = 5
"""Answers from which on they say when to look first: those of the canary."""
SHORTEST_KNOWN_FROM = 20
"""Answers from which on the fastest of them are no matter of chance."""
SEVERAL = 5
"""Slow answers in a row, after which one is not under way any more, or else very long."""


class Latencies:
    """Of the answers to what this process sent, in seconds."""

    def __init__(self) -> None:
        self._last: deque[float] = deque(maxlen=SEEN)
        self._not_there: deque[float] = deque(maxlen=SEEN)
        self._seen = self._sorted_at = 0
        self._in_order: list[float] = []
        self._shortest_s = math.inf
        self._shortest_at = 0.0

    def saw(self, latency_s: float, not_there_s: float, now: float) -> None:
        """An answer was there so many seconds after its task was sent.

        Args:
            latency_s: its age when it was seen.
            not_there_s: its age when it was looked for the time before; 0 where it was there at the first look.
            now: seconds, from any moment.
        """
        self._last.append(latency_s)
        self._not_there.append(not_there_s if not_there_s > 0 else HALF * latency_s)
        self._seen += 1
        # Sorted again only when as many are new as make a difference.
        if self._seen - self._sorted_at >= max(1, len(self._in_order) // 10):
            self._in_order = sorted(self._not_there)
            self._sorted_at = self._seen
            if self._seen >= SHORTEST_KNOWN_FROM:
                self._note_the_shortest(now)

    def _note_the_shortest(self, now: float) -> None:
        forgotten_after_s = FORGOTTEN_AFTER * self._shortest_s
        if now - self._shortest_at >= forgotten_after_s:
            self._shortest_s *= FORGOTTEN
            self._shortest_at = now
        self._shortest_s = min(self._shortest_s, self._share_s(FIRST_LOOK))

    @property
    def several_s(self) -> float:
        """Seconds in which an answer would have come that is under way; 0 as long as none was seen."""
        if not self._last:
            return 0.0
        in_order = sorted(self._last)
        slow = in_order[int(SLOW * (len(in_order) - 1))]
        return SEVERAL * slow

    @property
    def seen_s(self) -> tuple[float, float] | None:
        """After how many seconds half of the answers of late were seen, and 95 of a hundred; None as long as nobody knows."""
        if not self.are_known:
            return None
        in_order = sorted(self._last)
        last = len(in_order) - 1
        return in_order[int(HALF_OF_THEM * last)], in_order[int(SLOW * last)]

    @property
    def are_known(self) -> bool:
        """Whether enough were seen to say when to look."""
        return self._seen >= KNOWN_FROM

    @property
    def fast_s(self) -> float:
        """Seconds after which it is worth looking for an answer; only once they are known."""
        return min(self._share_s(FIRST_LOOK), NOT_LATER * self._shortest_s)

    @property
    def median_s(self) -> float:
        """Seconds in which half of the answers are there; 0 as long as nobody knows."""
        return self._share_s(HALF_OF_THEM) if self.are_known else 0.0

    @property
    def late_s(self) -> float:
        """Seconds after which most answers are there; only once they are known."""
        return self._share_s(LATE)

    def _share_s(self, share: float) -> float:
        return self._in_order[int(share * (len(self._in_order) - 1))]
