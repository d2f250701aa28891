"""How much may be under way: found from what comes back. Pure: time comes as a number, and nothing is waited for.

The vendor has so many slots, perhaps a queue before them, and tells nobody. Too small a window leaves slots idle; too
large a one makes every answer late, and is refused in the end. Nothing of this costs money, only time.

What was accepted since the window was moved last is a cohort. When its average latency is known well enough, the first rule
that applies decides, and names itself in `reason`:

1. *First answers*: their latency is the usual one.
2. *Opening* (`opening.py`): as long as no limit was met, answers that come as fast as before open the window by much.
3. *More brought nothing* (from here on `steering.py`): the window was widened, and latency climbed instead of throughput:
   back.
4. *Slow by itself*: it was narrowed, and throughput fell with it: this latency is the usual one now, and the window is
   restored.
5. *Slower*: latency is half as much again as usual: down in proportion; to what is delivered where half is not back.
6. *Good answers*: up in steps, which double while they pay.

Beside these: a *refusal* brings the window down to what was accepted, at once; a *probe* goes a little above that now and
then (`ceiling.py`). And the window is opened by a part of what was accepted at once at a time, so that an API with little
room refuses few.

The scheme is that of gradient limits in the concurrency-limits literature (latency against the unloaded latency, with
room for a queue), started as TCP's slow start is, and judged by throughput as a hill climb.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from runware_provider.engine.exchange.ceiling import Ceiling
from runware_provider.engine.exchange.cohort import Cohort
from runware_provider.engine.exchange.opening import Opening, Verdict
from runware_provider.engine.exchange.steering import LEAP, SLOWER, Move, Steering
from runware_provider.engine.exchange.usual import NEAR, Usual
from runware_provider.engine.memory.learnt_pace import Learnt

if TYPE_CHECKING:
    from collections.abc import Callable

START = 64
"""Inferences under way before anything is known."""
OPENED_AT_LEAST = 8
OPENED_BY = 1.4
"""Times what was accepted at once: more is not sent before that was accepted."""
OPENED_FURTHER_BY = 1.25
"""The same above the start, where the same share is many tasks."""
FAR = 2_000
OPENED_FAR_BY = 1.5
"""The same above so many at once: whoever refused none of these has room for more, as a rule, and each step takes a round trip."""
COUNTED = 2.25
"""Times the usual latency: for more than that no latency counts. Twice, and the time until the next look."""
FIRST_COHORT = 5
"""Answers of the canary, which give the first measure."""
FEWEST = 10
"""Answers of any later cohort: the average of fewer is chance."""
COHORT_SHARE = 0.25
"""Of a window: the cohort that decides on it, unless answers come in waves; then it spans one."""
OTHERS_FASTER = 8
"""Times the first cohort: when so many others are done, it is not waited for any longer."""
SPREAD = 0.5
"""By what share answers differ from their average, as long as nobody knows."""
FULL = 0.9
"""Of the window: when so much is under way, a wider one would have been used."""
SHORT_S = 0.1
"""A latency of which the processor's share is large."""
SHRINKS_BY = 0.1
"""Of the window, when one refusal follows another and nothing was accepted between them; each time as much again."""
LEAST_SHRUNK = 0.6
BETWEEN_PROBES = 0.2
"""Of the usual latency: a probe that was accepted may have got the place of an answer that was not seen yet."""


class Pace:
    """The bound on what is under way.

    Args:
        most: the user's bound, never exceeded.
        learnt: by a process before this one; None where nobody knows anything.
        tell: gets a line for each move, with its rule.
    """

    def __init__(
        self, most: int, learnt: Learnt | None = None, tell: Callable[[str], None] | None = None
    ) -> None:
        self._most = most
        self._tell = tell
        self._window = float(min(most, START if learnt is None else max(1, learnt.window)))
        self._most_accepted = 0
        self._ceiling = Ceiling()
        self._probe_at = math.inf
        """When the next of some probes is due that follow each other."""
        self._steering: Steering | None = None
        """None before the first answers."""
        self._opening: Opening | None = None
        """None before the first answers, and once a limit was met."""
        self._met_a_limit = False
        self._refused_at = 0
        """So many were under way at the last refusal; 0 when something was accepted since."""
        self._shrinks = 1.0
        """By so much the window shrinks at the next refusal, if nothing is accepted before."""
        self.reason = "nothing is known yet"
        if learnt is not None:
            self._go_on_from(learnt)
        self._cohort = self._new_cohort()
        self._second = Cohort()
        """What is accepted while the first answers are waited for; the window is the same for both."""

    def _go_on_from(self, learnt: Learnt) -> None:
        usual = Usual(learnt.latency_s, FEWEST, SPREAD)
        self._steering = Steering(usual, LEAP)
        self._met_a_limit = learnt.met_a_limit
        if not learnt.met_a_limit:
            self._opening = Opening(usual)
        self.reason = "as the last process left it"

    @property
    def window(self) -> int:
        """Inferences that may be under way now; at least one."""
        accepted = self._most_accepted
        if not accepted:
            return max(1, int(self._window))
        further = OPENED_FAR_BY if accepted >= FAR else OPENED_FURTHER_BY
        opened = max(OPENED_AT_LEAST, min(START, OPENED_BY * accepted), further * accepted)
        return max(1, int(min(self._window, opened)))

    @property
    def usual_s(self) -> float:
        """Seconds in which an answer usually comes; 0 before the first answers."""
        return 0.0 if self._steering is None else self._steering.usual.latency_s

    @property
    def answers_alike(self) -> bool:
        """Whether answers are known to take about as long as one another, or so short that it makes no difference."""
        if self._steering is None or self._steering.usual.is_a_guess:
            return False
        usual = self._steering.usual
        return usual.comes_in_waves or usual.latency_s <= SHORT_S

    @property
    def learnt(self) -> Learnt | None:
        """For the next process; None before the first answers."""
        if self._steering is None:
            return None
        # What was opened and not used is no knowledge.
        used = min(self._window, max(START, self._most_accepted))
        return Learnt(int(used), self._steering.usual.latency_s, self._met_a_limit)

    # what happens

    def accepted(self, count: int, under_way: int, now: float, *, more_come: bool = False) -> None:
        """The API took so many; with them so many are under way.

        Args:
            count: of tasks that were accepted.
            under_way: with them.
            now: seconds, from any moment.
            more_come: whether others that were accepted at the same moment follow.
        """
        self._most_accepted = max(self._most_accepted, under_way)
        self._refused_at, self._shrinks = 0, 1.0
        if self._ceiling.accepted(under_way, more_come=more_come):
            # There was room for so many, whatever was refused before.
            self._window = max(self._window, float(min(under_way, self._most)))
            if self._steering is not None:
                self._probe_at = now + BETWEEN_PROBES * self._steering.usual.latency_s
        behind_the_first = self._steering is None and self._cohort.closed
        cohort = self._second if behind_the_first else self._cohort
        if under_way >= FULL * int(self._window):
            cohort.filled_window = True
        # What is above the window was sent before it was narrowed, and says nothing of the new one.
        is_of_before = under_way > 1.05 * self._window + 1
        if not cohort.closed and not is_of_before:
            cohort.take_in(count, now)
            cohort.closed = not behind_the_first and self._is_large_enough(cohort, now)

    def answered(self, latency_s: float, now: float) -> None:
        """An answer came so many seconds after its task was accepted."""
        self._ceiling.answered()
        self._cohort.saw(latency_s, now)
        self._second.saw(latency_s, now)

    def ended_otherwise(self, latency_s: float, now: float) -> None:
        """A task ended without an answer so many seconds after it was accepted: nobody waits for it, and its slot is free."""
        self._cohort.lost(latency_s, now)
        self._second.lost(latency_s, now)
        if self._cohort.closed and self._cohort.size < 1:
            self._cohort = self._new_cohort()

    def refused(self, count: int, under_way: int, *, is_known: bool = True) -> None:
        """The API had no room for so many; so many are under way without them.

        Args:
            count: of tasks that were refused.
            under_way: without them.
            is_known: whether they were sent when the refusal before was known.
        """
        ceiling = self._ceiling.refused(count, under_way)
        # Nothing was accepted since the last refusal, though less was under way: there is less room than there was.
        if is_known and under_way < self._refused_at:
            self._shrinks = max(LEAST_SHRUNK, self._shrinks - SHRINKS_BY)
            ceiling = max(1, int(self._shrinks * ceiling))
            self._ceiling.at = ceiling
        self._refused_at = under_way
        self._met_a_limit, self._opening, self._probe_at = True, None, math.inf
        if ceiling < self._window:
            self._move(Move(ceiling, f"the API had no room for {count}"))
        # The first answers are the measure whatever is refused meanwhile.
        if self._steering is None:
            self._second = Cohort()
        else:
            self._steering.was_refused()
            self._cohort = self._new_cohort()

    def look(self, now: float) -> None:
        """Decide, if enough is known of the cohort; to be called at least once a second."""
        if now >= self._probe_at:
            self._probe()
        if not self._cohort.closed:
            return
        if self._steering is None:
            self._measure_first(now)
        elif self._opening is not None:
            self._open(self._opening, self._steering, now)
        else:
            self._steer(self._steering, now)

    # a cohort

    def _new_cohort(self) -> Cohort:
        return Cohort() if self._steering is None else Cohort(COUNTED * self._steering.usual.latency_s)

    def _is_large_enough(self, cohort: Cohort, now: float) -> bool:
        if self._steering is None:
            return cohort.size >= FIRST_COHORT
        usual = self._steering.usual
        if cohort.size < FEWEST or cohort.first is None:
            return False
        # While the window opens, what fills it is sent at once, and decides on the next step together.
        if self._opening is not None and cohort.filled_window:
            return True
        is_mixed = self._opening is None and not usual.comes_in_waves
        if is_mixed and cohort.size >= COHORT_SHARE * self._window:
            return True
        return now - cohort.first > usual.latency_s

    # the rules

    def _measure_first(self, now: float) -> None:
        """Half of the first ones have to be back: the slowest of these took the usual time, about."""
        first, half_s = self._cohort, self._cohort.half_s
        if half_s is not None:
            usual = Usual(half_s, first.answered, first.spread, is_a_guess=True)
            self._steering = Steering(usual)
            self._opening = None if self._met_a_limit else Opening(usual)
            self._move(Move(self._window, "first answers"))
            self._cohort, self._second = self._second, Cohort()
            self._cohort.most_s = COUNTED * usual.latency_s
            self._cohort.closed = self._is_large_enough(self._cohort, now)
        # They may never be answered. Nothing says yet how long is too long, but many others were faster.
        elif first.delivered >= OTHERS_FASTER * first.taken_in:
            self._cohort = self._new_cohort()

    def _open(self, opening: Opening, steering: Steering, now: float) -> None:
        verdict = opening.judge(self._cohort, now)
        if verdict is Verdict.UNKNOWN:
            return
        steering.usual = opening.usual
        if verdict is Verdict.FULL:
            self._met_a_limit, self._opening = True, None
            self._move(steering.narrow(self._window, self._cohort, now, opening.opened_from))
        elif self._cohort.filled_window and self._window < self._most:
            opening.opened_from = self._window
            self._move(Move(self._window * opening.step, "answers come as fast as before"))
        self._cohort = self._new_cohort()

    def _steer(self, steering: Steering, now: float) -> None:
        mean = self._cohort.mean(now)
        if not mean.is_sure and mean.most_s > NEAR * steering.usual.latency_s:
            return
        self._ceiling.kept()
        at_the_ceiling = self._ceiling.at is not None and self._window >= self._ceiling.at
        may_widen = self._window < self._most and not at_the_ceiling
        move = steering.decide(self._window, self._cohort, now, may_widen=may_widen)
        if move is not None:
            self._move_below_ceiling(move)
        elif at_the_ceiling and self._cohort.filled_window:
            self._probe()
        self._cohort = self._new_cohort()

    def _move_below_ceiling(self, move: Move) -> None:
        before, ceiling = self._window, self._ceiling.at
        if ceiling is None or move.window <= ceiling:
            self._move(move)
            return
        self._move(Move(ceiling, move.reason))
        # It was near already: the step goes on as probes.
        if ceiling <= SLOWER * before:
            self._probe()

    def _probe(self) -> None:
        self._probe_at = math.inf
        tried = self._ceiling.probe()
        if tried is not None and tried > self._window:
            self._move(Move(tried, "a little above what was refused"))
            self._cohort = self._new_cohort()

    def _move(self, move: Move) -> None:
        before, self._window = self._window, min(float(self._most), max(1.0, move.window))
        self.reason = move.reason
        if self._tell is not None:
            self._tell(f"window {before:.0f} -> {self._window:.0f}: {move.reason}")
