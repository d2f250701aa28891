"""A vendor with slots and a queue, and a client that sends as its pace allows, in simulated seconds.

Only what the pace can see is modelled: requests of many tasks, refusals, answers that are seen at the next look.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

ROUND_TRIP_S = 0.05
REQUESTS = 4
TASKS_A_REQUEST = 50
CANARY = 5
LOOKS_PER_AGE = 0.2
"""An answer is seen at the first look after it was there; looks become rarer with its age."""
RETRY_S = 0.5


class Pacing(Protocol):
    @property
    def window(self) -> int: ...

    def accepted(self, count: int, under_way: int, now: float) -> None: ...

    def answered(self, latency_s: float, now: float) -> None: ...

    def refused(self, count: int, under_way: int, now: float) -> None: ...

    def look(self, now: float) -> None: ...


@dataclass
class Fixed:
    """A window that somebody chose who knew the vendor."""

    window: int

    def accepted(self, count: int, under_way: int, now: float) -> None:
        pass

    def answered(self, latency_s: float, now: float) -> None:
        pass

    def refused(self, count: int, under_way: int, now: float) -> None:
        pass

    def look(self, now: float) -> None:
        pass


def constant(latency_s: float) -> Callable[[random.Random], float]:
    return lambda _dice: latency_s


def log_normal(median_s: float, sigma: float = 0.5) -> Callable[[random.Random], float]:
    return lambda dice: median_s * math.exp(dice.gauss(0, sigma))


def with_stragglers(
    latency_s: Callable[[random.Random], float], share: float = 0.001
) -> Callable[[random.Random], float]:
    return lambda dice: latency_s(dice) * (100 if dice.random() < share else 1)


@dataclass
class Seen:
    """What came of a job."""

    completed_at: list[float] = field(default_factory=list)
    refused: int = 0
    windows: list[tuple[float, int]] = field(default_factory=list)
    latencies: list[tuple[float, float]] = field(default_factory=list)

    def per_second(self, since: float, until: float) -> float:
        return sum(since <= at < until for at in self.completed_at) / (until - since)

    def finished_share_at(self, share: float) -> float:
        """When so many of the tasks were done."""
        return sorted(self.completed_at)[int(share * (len(self.completed_at) - 1))]


class Simulation:
    """One job against one vendor.

    Args:
        slots: at a time; may change.
        queue: accepted tasks that may wait beside those in the slots, at a time; None without end.
        shares_slots: whether all accepted tasks run at once and slow each other down, in the place of waiting.
        refuses: whether a request at this time is refused as a whole.
    """

    def __init__(
        self,
        pace: Pacing,
        *,
        tasks: int,
        slots: Callable[[float], int],
        queue: Callable[[float], int] | None,
        latency_s: Callable[[random.Random], float],
        shares_slots: bool = False,
        refuses: Callable[[int], bool] = lambda _request: False,
        seed: int = 1,
    ) -> None:
        self._pace, self._left = pace, tasks
        self._slots, self._queue, self._latency_s = slots, queue, latency_s
        self._shares = shares_slots
        self._refuses = refuses
        self._dice = random.Random(seed)  # noqa: S311 - the same job each time
        self._events: list[tuple[float, int, str, Any]] = []
        self._order = itertools.count()
        self.now = 0.0
        self._requests = self._requests_made = 0
        self._under_way = self._accepted = self._canaries = 0
        self._accepted_at: dict[int, float] = {}
        self._task = itertools.count()
        self._running: set[int] = set()
        self._waiting: list[int] = []
        self._work: list[tuple[float, int]] = []
        self._work_done = self._worked_at = 0.0
        self._worker = 0
        self._usual_s = 1.0
        self.seen = Seen()

    def run(self, until: float = math.inf) -> Seen:
        self._at(0.0, "tick")
        while self._events and self._events[0][0] <= until:
            self.now, _, kind, what = heapq.heappop(self._events)
            getattr(self, f"_{kind}")(what)
        return self.seen

    def _at(self, when: float, kind: str, what: Any = None) -> None:
        heapq.heappush(self._events, (when, next(self._order), kind, what))

    # The client.

    def _tick(self, _: None) -> None:
        self._start_waiting()
        self._pace.look(self.now)
        self._send()
        if self._left or self._under_way:
            self._at(self.now + 0.25, "tick")

    def _send(self, _: None = None) -> None:
        while self._requests < REQUESTS:
            window = self._pace.window if self.seen.latencies else CANARY
            free = window - self._under_way
            if not self.seen.latencies:
                free = CANARY - self._canaries
            if free < min(TASKS_A_REQUEST, max(1, window // 10)) and self._under_way:
                return
            count = min(free, TASKS_A_REQUEST, self._left)
            if count <= 0:
                return
            self._left -= count
            self._canaries += count
            self._under_way += count
            self._requests += 1
            self._at(self.now + ROUND_TRIP_S / 2, "arrive", count)

    def _reply(self, told: tuple[list[int], int]) -> None:
        tasks, refused = told
        self._requests -= 1
        self._under_way -= refused
        self._left += refused
        self._accepted += len(tasks)
        self.seen.refused += refused
        for task in tasks:
            done_at = self._accepted_at[task]
            self._accepted_at[task] = self.now
            if done_at > 0:
                self._at(self._next_look(self.now, done_at), "see", task)
        if tasks:
            self._pace.accepted(len(tasks), self._accepted, self.now)
        if refused:
            self._pace.refused(refused, self._accepted, self.now)
            self._at(self.now + RETRY_S, "send")
        else:
            self._send()

    def _next_look(self, accepted_at: float, done_at: float) -> float:
        look_at = accepted_at + 0.3 * self._usual_s
        while look_at < done_at:
            look_at += max(0.05 * self._usual_s, min(60.0, LOOKS_PER_AGE * (look_at - accepted_at)))
        return look_at

    def _see(self, task: int) -> None:
        self._under_way -= 1
        self._accepted -= 1
        latency_s = self.now - self._accepted_at.pop(task)
        self._usual_s += 0.05 * (latency_s - self._usual_s)
        self._pace.answered(latency_s, self.now)
        self.seen.latencies.append((self.now, latency_s))
        self.seen.windows.append((self.now, self._pace.window))
        self._send()

    # The vendor.

    def _arrive(self, count: int) -> None:
        self._requests_made += 1
        tasks = []
        room = 0 if self._refuses(self._requests_made) else count
        for _ in range(room):
            free = self._shares or (len(self._running) < self._slots(self.now) and not self._waiting)
            if not free and self._queue is not None and len(self._waiting) >= self._queue(self.now):
                break
            task = next(self._task)
            tasks.append(task)
            self._accepted_at[task] = -1.0  # until the client knows of it
            if free:
                self._start(task)
            else:
                self._waiting.append(task)
        self._at(self.now + ROUND_TRIP_S / 2, "reply", (tasks, count - len(tasks)))

    def _start(self, task: int) -> None:
        needs_s = self._latency_s(self._dice)
        if not self._shares:
            self._running.add(task)
            self._at(self.now + needs_s, "finish", task)
            return
        self._work_on()
        self._running.add(task)
        heapq.heappush(self._work, (self._work_done + needs_s, task))
        self._plan_work()

    def _start_waiting(self) -> None:
        while self._waiting and len(self._running) < self._slots(self.now):
            self._start(self._waiting.pop(0))

    def _finish(self, task: int) -> None:
        self._running.discard(task)
        self._start_waiting()
        self.seen.completed_at.append(self.now)
        if self._accepted_at[task] < 0:
            self._accepted_at[task] = self.now  # done before the client knows that it was accepted
        else:
            self._at(self._next_look(self._accepted_at[task], self.now), "see", task)

    def _speed(self) -> float:
        return min(1.0, self._slots(self._worked_at) / max(1, len(self._running)))

    def _work_on(self) -> None:
        self._work_done += (self.now - self._worked_at) * self._speed()
        self._worked_at = self.now

    def _plan_work(self) -> None:
        self._worker += 1
        if self._work:
            self._at(
                self.now + (self._work[0][0] - self._work_done) / self._speed(), "work_event", self._worker
            )

    def _work_event(self, worker: int) -> None:
        if worker != self._worker:
            return
        self._work_on()
        _, task = heapq.heappop(self._work)
        self._running.discard(task)
        self._plan_work()
        self._finish(task)
