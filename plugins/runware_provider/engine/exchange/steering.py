"""Where the window goes, once a limit was met: which rule applies to a cohort, and what it makes of the window. Pure.

Each rule names itself in the move that it makes. Each change has to pay: a window that was widened has to bring throughput,
and one that was narrowed has to make answers faster.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from runware_provider.engine.exchange.usual import NEAR, SHORTEST_S, Usual

if TYPE_CHECKING:
    from runware_provider.engine.exchange.cohort import Cohort

SLOWER = 1.5
"""Times the usual latency, from which on the window is too wide."""
HEADROOM = 1.3
"""Of a window that was brought down: a queue that keeps the slots busy between two looks at the results."""
CAREFUL_STEP = 1.3
"""Where the slots may be full already."""
STEP = 1.6
LEAP = 2.0
"""After a step that paid, and twice that after the next one."""
LONGEST_LEAP = 4.0
SHORTER = 0.2
"""Of the usual latency: when answers are faster by so much, in the same window, slots were added."""
FIRST_REST = 2
"""Cohorts between two tries to widen a window whose slots may be full; twice as many after one that brought nothing."""
LONGEST_REST = 4
BRAKES_KEPT = 8
NARROWED = 0.6
"""Of a window: when it was brought down so far, it shows whether that helped."""


class Move(NamedTuple):
    """What a rule makes of the window."""

    window: float
    reason: str


class Widened(NamedTuple):
    """A step that has to pay."""

    window: float
    """Before it."""
    latency_s: float
    """Before it."""


class Narrowed(NamedTuple):
    """A brake that has to help."""

    window: float
    """Before it."""
    delivered_per_s: float
    """Before it."""


class Steering:
    """Steers by the cohorts that are answered one after the other.

    Args:
        usual: the usual latency.
        factor: of the first step.
    """

    def __init__(self, usual: Usual, factor: float = STEP) -> None:
        self.usual = usual
        self._factor = factor
        self._rest = 0
        """Cohorts for which the window is not widened."""
        self._next_rest = FIRST_REST
        self._widened: Widened | None = None
        self._narrowed: deque[Narrowed] = deque(maxlen=BRAKES_KEPT)
        """The last brakes, since which answers were never as fast as usual."""
        self._last_mean_s: float | None = None
        """Of the cohort before, if the window is the same."""

    def was_refused(self) -> None:
        """The window went down to what was accepted: nothing that was tried before has to be judged."""
        self._factor, self._widened, self._last_mean_s = STEP, None, None
        self._narrowed.clear()

    def decide(self, window: float, cohort: Cohort, now: float, *, may_widen: bool) -> Move | None:
        """What becomes of the window now that a cohort is known; None where it stays.

        Args:
            window: as it was for the cohort.
            cohort: of which enough is known.
            now: seconds, from any moment.
            may_widen: whether a wider window is allowed.
        """
        # A call may come before the acceptance that it is measured from: such answers took no time at all.
        mean_s = max(SHORTEST_S, cohort.mean(now).about_s)
        if self.usual.is_known_better(mean_s, cohort.spread):
            self.usual = Usual(mean_s, cohort.size, cohort.spread)
        self.usual.is_a_guess = False
        widened, self._widened = self._widened, None
        last_mean_s, self._last_mean_s = self._last_mean_s, mean_s
        slower = self.usual.slower(mean_s)
        if slower <= NEAR:
            self._narrowed.clear()
        # The first rule that applies decides.
        if widened is not None and not self._pays(widened, window, mean_s):
            return self._taken_back(widened, window, slower)
        for brake in self._narrowed:
            if self._did_not_help(brake, window, cohort, now):
                return self._slow_by_itself(brake, cohort, mean_s)
        if slower > SLOWER + 1.5 * self.usual.chance(cohort.size):
            return self.narrow(window, cohort, now)
        self.usual.measure(mean_s, cohort.spread)
        if may_widen and cohort.filled_window:
            return self._widen(window, cohort, mean_s, last_mean_s)
        return None

    def narrow(self, window: float, cohort: Cohort, now: float, least: float | None = None) -> Move:
        """Answers are slow: down to what had a slot, with a queue for the time between two looks.

        Args:
            window: as it was for the cohort.
            cohort: that was slow.
            now: seconds, from any moment.
            least: what was well before, if that is known.
        """
        slower = self.usual.slower(cohort.mean(now).about_s)
        if 2 * cohort.answered >= cohort.size:
            fitting = window / slower
            reason = f"answers take {slower:.1f} times as long as usual"
        else:
            # So many came in twice the usual time. Of slots that all share, none may have come yet.
            had_slots = window * cohort.answered / (2 * cohort.size)
            # Those that came meanwhile, of whatever cohort, kept so many slots at work.
            at_work = cohort.delivered_per_s(now) * self.usual.latency_s
            fitting = max(had_slots, at_work, window / 3 if least is None else least)
            reason = "half is not back after twice the usual latency"
        self._factor = STEP
        self._narrowed.append(Narrowed(window, cohort.delivered_per_s(now)))
        return self._moved(min(window, max(HEADROOM * fitting, fitting + 1)), reason)

    def _pays(self, widened: Widened, window: float, mean_s: float) -> bool:
        """Whether throughput grew by half of what the window did, or more."""
        wider = window / widened.window
        pays = mean_s / widened.latency_s <= min(SLOWER, 1 + (wider - 1) / 2)
        if pays:
            self._factor = min(LONGEST_LEAP, max(LEAP, 2 * self._factor))
            self._next_rest = FIRST_REST
        return pays

    def _taken_back(self, widened: Widened, window: float, slower: float) -> Move:
        self._factor, self._rest = STEP, self._next_rest
        self._next_rest = min(LONGEST_REST, 2 * self._next_rest)
        # Not far below what was under way before, which was well.
        fitting = max(window / slower * NEAR + 1, 0.8 * widened.window)
        return self._moved(min(window, fitting), "more under way brought nothing but latency")

    def _did_not_help(self, brake: Narrowed, window: float, cohort: Cohort, now: float) -> bool:
        """Whether less came back because less was under way, so that nothing had waited."""
        narrowed = window / brake.window
        delivered = cohort.delivered_per_s(now) / max(1e-9, brake.delivered_per_s)
        clearly_less = narrowed**0.5 * (1 - self.usual.chance(cohort.size))
        return narrowed <= NARROWED and delivered <= clearly_less

    def _slow_by_itself(self, brake: Narrowed, cohort: Cohort, mean_s: float) -> Move:
        self.usual = Usual(mean_s, cohort.size, self.usual.spread)
        self._factor = STEP
        self._narrowed.clear()
        return self._moved(brake.window, "slow whatever is under way")

    def _widen(self, window: float, cohort: Cohort, mean_s: float, last_mean_s: float | None) -> Move | None:
        factor = self._factor
        # What waited for slots waits no longer: there are more of them.
        clearly_s = (SHORTER + 2 * self.usual.chance(cohort.size)) * self.usual.latency_s
        if last_mean_s is not None and last_mean_s - mean_s > clearly_s:
            factor = LONGEST_LEAP
        # The slots may be full already: a careful step, now and then.
        elif self.usual.slower(mean_s) > NEAR:
            if self._rest > 0:
                self._rest -= 1
                return None
            self._rest, factor = self._next_rest, CAREFUL_STEP
        self._widened = Widened(window, mean_s)
        return self._moved(max(window * factor, window + 1), "answers come as fast as before")

    def _moved(self, window: float, reason: str) -> Move:
        self._last_mean_s = None
        return Move(window, reason)
