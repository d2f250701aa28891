"""How much may be under way: found from what comes back. Pure: time comes as a number, and nothing is waited for.

The vendor has so many slots, perhaps a queue before them, and tells nobody. Too small a window leaves slots idle; too
large a one makes every answer late, and is refused in the end. Nothing of this costs money, only time.

The window is moved when half of a cohort is answered: what was accepted since it was moved last. The first rule that
applies decides, and names itself in `reason`:

1. *First answers*: their latency is the measure for all later ones.
2. *Late*: half of the cohort is not back after twice the usual time: down to what is delivered.
3. *More brought nothing*: the window was widened, and latency climbed instead of throughput: back.
4. *Slow by itself*: it was narrowed twice, and latency stayed: it is the new usual one, and the window is restored.
5. *Slower*: latency is half as much again as usual: down in proportion.
6. *Probe*: at the ceiling that a refusal showed, a little above it now and then.
7. *Good answers*: up; by much while nothing is known of a limit, then in steps, which double while they pay.

Beside these: a *refusal* brings it down to what was accepted, at once. And the window is opened by half of what was
accepted at once at a time, so that an API with little room refuses few.

The scheme is that of gradient limits in the concurrency-limits literature (latency against the unloaded latency, with
room for a queue), started as TCP's slow start is, and judged by throughput as a hill climb: each change has to pay.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from runware_provider.engine.exchange.ceiling import Ceiling
from runware_provider.engine.exchange.cohort import Cohort
from runware_provider.engine.memory.learnt_pace import Learnt

if TYPE_CHECKING:
    from collections.abc import Callable

START = 64
"""Inferences under way before anything is known."""
OPENED_AT_LEAST = 8
OPENED_BY = 1.5
"""Times what was accepted at once: more is not sent before that was accepted."""
OPENING = 16.0
"""How much wider the window becomes after good answers, while nothing is known of a limit."""
STEP = 1.3
LEAP = 2.0
"""After a step that paid."""
SLOWER = 1.5
"""Times the usual latency, from which on the window is too wide."""
USUAL = 1.15
"""Up to here latency says nothing of load."""
NEARLY_USUAL = 1.3
"""Times the usual latency, up to which a slower cohort is taken for a drift of it."""
HEADROOM = 1.2
"""Of a window that was brought down: a queue that keeps the slots busy between two looks at the results."""
FIRST_COHORT = 5
"""Answers of the canary, which give the first measure."""
FEWEST = 20
"""Answers of any later cohort: the median of fewer is chance."""
COHORT_SHARE = 0.25
"""Of a window: the cohort that decides on it."""
PATIENCE = 2.0
"""Times the usual latency, after which half of a cohort should be back."""
OTHERS_FASTER = 8
"""Times the first cohort: when so many others are done, it is not waited for any longer."""
LONGEST_REST = 4
"""Cohorts between two tries to widen a window whose slots may be full."""
MEASURED_AGAIN = 0.3
"""Of the way to a faster median that the usual latency goes at once."""
DRIFT = 0.05
"""The same to a slower one."""
SHORTEST_S = 0.05
"""Latencies below this are noise of the network."""


@dataclass(frozen=True)
class Change:
    """A move of the window that the next cohort has to justify."""

    kind: Literal["widened", "narrowed"]
    window: float
    """Before it."""
    latency_s: float
    """Before it."""
    times: int = 1
    """In a row."""


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
        self._opening = learnt is None
        self._window = float(min(most, START if learnt is None else max(1, learnt.window)))
        self._usual_s: float | None = None if learnt is None else max(SHORTEST_S, learnt.latency_s)
        self._measured_on = FIRST_COHORT if learnt is None else FEWEST
        self._most_accepted = 0
        self._paid_off = learnt is not None
        self._rest = 0
        """Cohorts for which the window is not widened."""
        self._next_rest = 2
        self._change: Change | None = None
        self._ceiling = Ceiling()
        self.reason = "nothing is known yet" if learnt is None else "as the last process left it"
        self._begin_cohort(0.0)

    @property
    def window(self) -> int:
        """Inferences that may be under way now; at least one."""
        if not self._most_accepted:
            return max(1, int(self._window))
        opened = max(OPENED_AT_LEAST, OPENED_BY * self._most_accepted)
        return max(1, int(min(self._window, opened)))

    @property
    def learnt(self) -> Learnt | None:
        """For the next process; None before the first answers."""
        return None if self._usual_s is None else Learnt(int(self._window), self._usual_s)

    def accepted(self, count: int, under_way: int, now: float) -> None:
        """The API took so many; with them so many are under way."""
        self._most_accepted = max(self._most_accepted, under_way)
        if self._ceiling.accepted(under_way):
            self._probe(now)
        if under_way >= 0.9 * int(self._window):
            self._cohort.filled_window = True
        # What is above the window was sent before it was narrowed, and says nothing of the new one.
        if self._cohort.closed or under_way > 1.05 * self._window + 1:
            return
        self._cohort.take_in(count, now)
        self._cohort.closed = self._is_large_enough(self._cohort, now)

    def answered(self, latency_s: float, now: float) -> None:
        """An answer came so many seconds after its task was accepted."""
        self._ceiling.answered()
        self._done += 1
        self._cohort.saw(latency_s, now)
        self.look(now)

    def ended_otherwise(self, latency_s: float, now: float) -> None:
        """A task ended without an answer so many seconds after it was accepted: nobody waits for it, and its slot is free."""
        self._done += 1
        self._cohort.lost(latency_s, now)
        if self._cohort.closed and self._cohort.size < 1:
            self._begin_cohort(now)
        self.look(now)

    def refused(self, count: int, under_way: int, now: float) -> None:
        """The API had no room for so many; so many are under way without them."""
        ceiling = self._ceiling.refused(count, under_way)
        self._opening = self._paid_off = False
        self._change = None
        if ceiling < self._window:
            self._move(ceiling, f"the API had no room for {count}")
        self._begin_cohort(now)

    def look(self, now: float) -> None:
        """Decide, if the cohort is answered, or should be; at least once a second."""
        median_s = self._cohort.median_s(now)
        if median_s is not None:
            self._decide(max(SHORTEST_S, median_s), now)
            return
        last = self._cohort.last
        if last is None or not self._cohort.closed:
            return
        # The first ones may never be answered. Nothing says yet how long is too long, but many others were faster.
        if self._usual_s is None:
            if self._done >= OTHERS_FASTER * self._cohort.taken_in:
                self._begin_cohort(now)
            return
        waited_s = now - last
        if waited_s > PATIENCE * self._tolerance() / SLOWER * self._usual_s:
            self._narrow_for_the_late(self._usual_s, waited_s, now)

    def _is_large_enough(self, cohort: Cohort, now: float) -> bool:
        if self._usual_s is None:
            return cohort.size >= FIRST_COHORT
        if cohort.size < FEWEST:
            return False
        # While the window opens, what fills it is sent at once, and decides on the next step together.
        if self._opening and cohort.filled_window:
            return True
        if not self._opening and cohort.size >= COHORT_SHARE * self._window:
            return True
        lasted_s = now - cohort.first if cohort.first is not None else 0.0
        return lasted_s > self._usual_s

    def _begin_cohort(self, now: float) -> None:
        self._cohort = Cohort()
        self._cohort_began = now
        # Answered, or ended otherwise, since it began.
        self._done = 0

    def _tolerance(self) -> float:
        """How much slower than usual is slow: more, as long as few answers were measured."""
        return SLOWER * (1 + float(self._measured_on**-0.5)) if self._opening else SLOWER

    def _decide(self, median_s: float, now: float) -> None:
        cohort, change = self._cohort, self._change
        self._change = None
        self._begin_cohort(now)
        if self._usual_s is None:
            self._usual_s, self._measured_on = median_s, cohort.size
            self._move(self._window, "first answers")
            return
        usual_s = self._measure(self._usual_s, median_s, cohort.size)
        slower = median_s / usual_s
        if change is not None and change.kind == "widened" and not self._opening:
            if not self._has_paid_off(change, median_s, cohort.noise):
                self._take_back(change, slower)
                return
            self._paid_off = True
            self._next_rest = 2
        if change is not None and change.kind == "narrowed" and self._is_slow_by_itself(change, median_s):
            self._usual_s, self._measured_on = median_s, cohort.size
            self._paid_off = False
            self._move(change.window, "slow whatever is under way")
            return
        allowed = self._tolerance() if self._opening else SLOWER + 1.5 * cohort.noise
        if slower > allowed:
            self._narrow(change, median_s, slower)
        elif cohort.filled_window and self._window < self._most:
            self._widen(median_s, slower, now)

    def _measure(self, usual_s: float, median_s: float, size: int) -> float:
        """The usual latency, with this median: of a larger cohort, a faster one, or hardly a slower one."""
        if self._opening and size > self._measured_on and median_s <= self._tolerance() * usual_s:
            usual_s, self._measured_on = median_s, size
        elif median_s < usual_s:
            usual_s += MEASURED_AGAIN * (median_s - usual_s)
            self._measured_on = max(self._measured_on, size)
        elif median_s < NEARLY_USUAL * usual_s:
            usual_s += DRIFT * (median_s - usual_s)
        self._usual_s = usual_s
        return usual_s

    def _has_paid_off(self, change: Change, median_s: float, noise: float) -> bool:
        """Whether throughput grew by half of what the window did, or more."""
        widened = self._window / change.window
        may_climb = min(SLOWER, 1 + (widened - 1) / 2) + noise / 2
        return median_s / change.latency_s <= may_climb

    def _take_back(self, change: Change, slower: float) -> None:
        self._paid_off = False
        self._rest = self._next_rest
        self._next_rest = min(LONGEST_REST, 2 * self._next_rest)
        fitting = self._window / slower * USUAL + 1
        self._move(min(change.window, fitting), "more under way brought nothing but latency")

    def _is_slow_by_itself(self, change: Change, median_s: float) -> bool:
        return change.times > 1 and self._window < 0.6 * change.window and median_s > 0.75 * change.latency_s

    def _narrow(self, before: Change | None, median_s: float, slower: float) -> None:
        self._opening = self._paid_off = False
        if before is not None and before.kind == "narrowed":
            self._change = Change("narrowed", before.window, before.latency_s, before.times + 1)
        else:
            self._change = Change("narrowed", self._window, median_s)
        fitting = self._window / slower
        self._move(max(HEADROOM * fitting, fitting + 1), f"answers take {slower:.1f} times as long as usual")

    def _narrow_for_the_late(self, usual_s: float, waited_s: float, now: float) -> None:
        delivered = self._done / max(SHORTEST_S, now - self._cohort_began)
        enough = max(HEADROOM * delivered * usual_s + 1, self._window / 3)
        if self._change is not None and self._change.kind == "widened":
            enough = max(enough, self._change.window)
        self._opening = self._paid_off = False
        self._change = None
        self._begin_cohort(now)
        if enough < self._window:
            self._change = Change("narrowed", self._window, waited_s)
            self._move(enough, f"half is not back after {waited_s / usual_s:.1f} times the usual latency")

    def _widen(self, median_s: float, slower: float, now: float) -> None:
        ceiling = self._ceiling.at
        if ceiling is not None and self._window >= ceiling:
            self._probe(now)
            return
        if self._opening:
            factor = OPENING
        elif self._paid_off:
            factor = LEAP
        else:
            factor = STEP
        if slower > USUAL and not self._opening:
            # The slots may be full already: a careful step, now and then.
            if self._rest > 0:
                self._rest -= 1
                return
            self._rest, factor = self._next_rest, STEP
        wider = min(float(self._most), max(self._window * factor, self._window + 1))
        if ceiling is not None:
            wider = min(wider, ceiling)
        self._change = Change("widened", self._window, median_s)
        self._move(wider, "answers come as fast as before")

    def _probe(self, now: float) -> None:
        tried = self._ceiling.probe()
        if tried is not None and tried > self._window:
            self._move(tried, "a little above what was refused")
            self._begin_cohort(now)

    def _move(self, window: float, reason: str) -> None:
        before, self._window = self._window, min(float(self._most), max(1.0, window))
        self.reason = reason
        if self._tell is not None:
            self._tell(f"window {before:.0f} -> {self._window:.0f}: {reason}")
