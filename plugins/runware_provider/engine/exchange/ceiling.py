"""Where the API said that it has no room, and when a little more may be tried. Pure.

A refusal costs nothing but a request, yet a job that lives at the edge would be refused all the time. So a probe has to be
earned, by answers and by time, and one that is refused is paid for with what was earned.
"""

from __future__ import annotations

EARNED_BY_ANSWER = 0.003
"""Of a probe: of a thousand tasks, so many are refused for want of room at most, in the long run."""
EARNED_BY_COHORT = 0.3
"""Of a probe, by each cohort that stays within the ceiling: few slots are not left alone for ever."""
MOST_EARNED = 20.0
MOST_OWED = 1.0
MOST_AT_ONCE = 4
"""Times the ceiling: so far probes follow each other without a look at the latency."""


class Ceiling:
    """The bound that refusals showed; None of it until there is one."""

    def __init__(self) -> None:
        self.at: int | None = None
        """So many were under way when it was full; None while no refusal says so."""
        self._step = 1
        self._earned = 1.0
        self._probing_from: int | None = None
        """The ceiling at the first of some probes that follow each other; None while none is made."""

    def answered(self) -> None:
        """An answer came."""
        self._earn(EARNED_BY_ANSWER)

    def kept(self) -> None:
        """A cohort was answered without a refusal."""
        self._probing_from = None
        self._earn(EARNED_BY_COHORT)

    def _earn(self, part: float) -> None:
        self._earned = min(MOST_EARNED, self._earned + part)

    def probe(self) -> int | None:
        """So many under way may be tried now; None where the ceiling has to be respected."""
        if self.at is None or self._earned < 1:
            return None
        if self._probing_from is None:
            self._probing_from = self.at
        elif self.at >= MOST_AT_ONCE * self._probing_from:
            return None
        return self.at + self._step

    def accepted(self, under_way: int, *, more_come: bool = False) -> bool:
        """Whether more than the ceiling was accepted, which lifts it; the next probe is twice as large.

        Args:
            under_way: with what was accepted.
            more_come: whether others of the same moment follow, which are no probe of their own.
        """
        if self.at is None or under_way <= self.at:
            return False
        self.at = under_way
        if not more_come:
            self._step *= 2
        return True

    def refused(self, count: int, under_way: int) -> int:
        """So many were refused while so many are under way; returns the ceiling."""
        # Only what a probe brought about is paid for: one refusal out of the blue must not stop the search for room.
        if self._probing_from is not None:
            self._earned = max(-MOST_OWED, self._earned - count)
            # What is refused below is not for the probe.
            if under_way <= self._probing_from:
                self._probing_from = None
        self._step = 1
        self.at = max(1, under_way)
        return self.at
