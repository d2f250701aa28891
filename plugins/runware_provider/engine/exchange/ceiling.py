"""Where the API said that it has no room, and when a little more may be tried. Pure.

A refusal costs nothing but a request, yet a job that lives at the edge would be refused all the time. So each answer
earns a part of a probe, and a probe that is refused is paid for with what was earned.
"""

from __future__ import annotations

EARNED = 0.015
"""Of a probe, by each answer: of a hundred tasks, so many are refused for want of room at most, in the long run."""
MOST_EARNED = 20.0
MOST_OWED = 3.0


class Ceiling:
    """The bound that refusals showed; None of it until there is one."""

    def __init__(self) -> None:
        self.at: int | None = None
        """So many were under way when it was full; None while no refusal says so."""
        self._step = 1
        self._earned = 1.0
        self._probing = False

    def answered(self) -> None:
        """An answer came."""
        self._earned = min(MOST_EARNED, self._earned + EARNED)

    def probe(self) -> int | None:
        """So many under way may be tried now; None where the ceiling has to be respected."""
        if self.at is None or self._earned < 1:
            return None
        self._probing = True
        return self.at + self._step

    def accepted(self, under_way: int) -> bool:
        """Whether more than the ceiling was accepted, which lifts it; the next probe is twice as large."""
        if self.at is None or under_way <= self.at:
            return False
        self.at = under_way
        self._step *= 2
        return True

    def refused(self, count: int, under_way: int) -> int:
        """So many were refused while so many are under way; returns the ceiling.

        Who was at the limit stays a little below it: what is done but was not seen yet counts as under way, so the
        limit is never sharp.
        """
        # Only a probe that was refused is paid for: one refusal out of the blue must not stop the search for room.
        if self._probing:
            self._earned = max(-MOST_OWED, self._earned - count)
        self._probing = False
        self._step = 1
        self.at = max(1, under_way - under_way // 33)
        return self.at
