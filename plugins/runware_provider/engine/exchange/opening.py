"""How far the window is opened while nothing is known of a limit. Pure.

Where answers differ among themselves, the fast ones show early that nothing waits: as many of a new cohort have to come by an
age as came of the first ones. Where they do not differ, all come at once, and nothing is known before: the steps are larger
then. Either way a limit is exceeded by no more than one step, and once.
"""

from __future__ import annotations

import bisect
from enum import Enum
from typing import TYPE_CHECKING

from runware_provider.engine.exchange.usual import NEAR, WAVES, Usual, chance_of

if TYPE_CHECKING:
    from runware_provider.engine.exchange.cohort import Cohort

BY_WAVES = 16.0
"""Times the window, after a wave of answers that came as fast as before."""
BY_FAST_ANSWERS = 6.0
"""The same after enough fast answers, which are there before half is."""
ENOUGH_EXPECTED = 20
SHARE_EXPECTED = 0.2
"""Of a cohort: the fastest few answers say too little of the others."""
FAST_BY_CHANCE = 2.5
"""Times what the canary's answers took: up to here they may have been fast ones."""
AS_MANY = 0.7
"""Of the answers that are to be expected."""


class Verdict(Enum):
    """On a cohort."""

    GOOD = "good"
    """Nothing of it had to wait."""
    FULL = "full"
    """Some of it had to wait for a slot."""
    UNKNOWN = "unknown"
    """Nobody knows yet."""


class Opening:
    """Judges the cohorts of a window that opens.

    Args:
        usual: the usual latency, as the canary has it; known better as answers come.
    """

    def __init__(self, usual: Usual) -> None:
        self.usual = usual
        self._in_order: tuple[float, ...] = ()
        """Latencies of the first cohort behind the canary, as far as they were known then; empty before."""
        self._of = 0
        """Its size."""
        self.opened_from: float | None = None
        """The window before the last step; None before the first."""

    @property
    def step(self) -> float:
        """How many times wider the window becomes after a good cohort."""
        return BY_WAVES if self.usual.comes_in_waves else BY_FAST_ANSWERS

    def judge(self, cohort: Cohort, now: float) -> Verdict:
        """Whether something of a cohort had to wait."""
        if self._is_first(cohort):
            self._measure(cohort)
            return Verdict.GOOD
        if self._in_order and self._came_as_expected(cohort, now):
            return Verdict.GOOD
        mean = cohort.mean(now)
        good_up_to_s = self._good_up_to(cohort) * self.usual.latency_s
        # The average of answers that differ is known only when the slow ones are there.
        is_known = mean.is_sure or max(self.usual.spread, cohort.spread) < WAVES
        if is_known and mean.most_s <= good_up_to_s:
            self._measure_anew(cohort, mean.about_s)
            return Verdict.GOOD
        return Verdict.FULL if mean.is_sure else Verdict.UNKNOWN

    def _good_up_to(self, cohort: Cohort) -> float:
        """Times the usual latency: more than later on, as long as it was measured on few answers, which may have been alike."""
        spread = max(self.usual.spread, cohort.spread)
        return NEAR + 2 * chance_of(spread, self.usual.measured_on)

    def _is_first(self, cohort: Cohort) -> bool:
        """Whether half of the first cohort is there, and differs, so that the canary's answers are known to be a guess."""
        half_s = cohort.half_s
        if self._in_order or half_s is None:
            return False
        return self.usual.is_known_better(half_s, cohort.spread, FAST_BY_CHANCE)

    def _measure(self, cohort: Cohort) -> None:
        half_s = cohort.half_s or 0.0
        self._in_order, self._of = cohort.latencies, cohort.size
        # The average of a skewed distribution lies above its median.
        mean_s = half_s * (1 + cohort.spread**2 / 2)
        self.usual = Usual(mean_s, cohort.answered, cohort.spread)

    def _measure_anew(self, cohort: Cohort, mean_s: float) -> None:
        self.usual.is_a_guess = False
        if cohort.size >= self.usual.measured_on:
            self.usual = Usual(mean_s, cohort.size, cohort.spread)

    def _came_as_expected(self, cohort: Cohort, now: float) -> bool:
        expected = 0.0
        for accepted_at, count in cohort.acceptances:
            expected += count * self._share_by((now - accepted_at) / NEAR)
        enough = max(ENOUGH_EXPECTED, SHARE_EXPECTED * cohort.size)
        return expected >= enough and cohort.answered >= AS_MANY * expected

    def _share_by(self, age_s: float) -> float:
        """Of the answers, so many are there at this age; all of them at one that none of the first ones had by then."""
        if age_s > self._in_order[-1]:
            return 1.0
        return bisect.bisect_right(self._in_order, age_s) / self._of
