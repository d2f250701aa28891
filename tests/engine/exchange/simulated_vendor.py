"""A vendor with slots and a queue, and a client that sends as its pace allows, in simulated seconds.

Only what the pace can see is modelled: requests of many tasks, refusals, answers that are seen at the next look. When that
is, says the engine's own `Patience`.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from runware_provider.engine.exchange.at_once import FEW
from runware_provider.engine.exchange.canary import RECORDS as CANARY
from runware_provider.engine.exchange.inference import Inference
from runware_provider.engine.exchange.latencies import Latencies
from runware_provider.engine.exchange.patience import Patience
from runware_provider.engine.exchange.sending import UNDECIDED, worth_sending
from runware_provider.engine.identity import Key
from runware_provider.engine.job.failure_watch import FEWEST
from runware_provider.engine.spec import Limits

if TYPE_CHECKING:
    from collections.abc import Callable

ROUND_TRIP_S = 0.05
LIMITS = Limits()
REQUESTS = FEW
TASKS_A_REQUEST = LIMITS.tasks_per_request
LOOKS_A_REQUEST = LIMITS.polls_per_request
TICK_S = 0.25
NO_KEY = Key(bytes(16), 0, 0)


class Pacing(Protocol):
    @property
    def window(self) -> int: ...

    def accepted(self, count: int, under_way: int, now: float) -> None: ...

    def answered(self, latency_s: float, now: float) -> None: ...

    def refused(self, count: int, under_way: int) -> None: ...

    def look(self, now: float) -> None: ...


@dataclass
class Fixed:
    """A window that somebody chose who knew the vendor."""

    window: int

    def accepted(self, count: int, under_way: int, now: float) -> None:
        pass

    def answered(self, latency_s: float, now: float) -> None:
        pass

    def refused(self, count: int, under_way: int) -> None:
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
    looks: int = 0
    """At a task, in all."""
    windows: list[tuple[float, int]] = field(default_factory=list)
    under_way: list[tuple[float, int]] = field(default_factory=list)
    """At the vendor, after each request."""
    running: list[tuple[float, int]] = field(default_factory=list)
    """In slots, after each change."""

    def per_second(self, since: float, until: float) -> float:
        return sum(since <= at < until for at in self.completed_at) / (until - since)

    def busy(self, since: float, until: float) -> float:
        """Tasks in slots at a time, on average; with a queue, that is what no pace exceeds."""
        worked = 0.0
        for (start, number), (end, _) in itertools.pairwise([*self.running, (until, 0)]):
            worked += number * max(0.0, min(end, until) - max(start, since))
        return worked / (until - since)

    def finished_share_at(self, share: float) -> float:
        """When so many of the tasks were done."""
        return sorted(self.completed_at)[int(share * (len(self.completed_at) - 1))]

    def reached_at(self, under_way: float) -> float:
        """When so much was under way for the first time."""
        return next((at for at, number in self.under_way if number >= under_way), math.inf)

    @property
    def most_under_way(self) -> int:
        return max(number for _, number in self.under_way)


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
        self._network = random.Random(seed)  # noqa: S311 - dice of its own, so that latencies stay the same
        self._events: list[tuple[float, int, str, Any]] = []
        self._order = itertools.count()
        self.now = 0.0
        self._requests = self._requests_made = self._polls = 0
        self._under_way = self._accepted = self._canaries = self._answers = 0
        self._inferences: dict[int, Inference] = {}
        self._patience = Patience(LIMITS, 0.0, Latencies(), lambda: self._under_way)
        self._to_look_at: list[tuple[float, int]] = []
        self._done: set[int] = set()
        self._task = itertools.count()
        self._running: set[int] = set()
        self._waiting: list[int] = []
        self._work: list[tuple[float, int]] = []
        self._work_done = self._worked_at = 0.0
        self._worker = 0
        self.seen = Seen()

    def run(self, until: float = math.inf) -> Seen:
        self._at(0.0, "tick")
        while self._events and self._events[0][0] <= until:
            self.now, _, kind, what = heapq.heappop(self._events)
            getattr(self, f"_{kind}")(what)
        return self.seen

    def _on_the_way(self) -> float:
        """When what is sent now arrives: no two requests at the same time."""
        return self.now + ROUND_TRIP_S / 2 * self._network.uniform(0.8, 1.2)

    def _at(self, when: float, kind: str, what: Any = None) -> None:
        heapq.heappush(self._events, (when, next(self._order), kind, what))

    # The client.

    def _tick(self, _: None) -> None:
        self._start_waiting()
        self._act()
        if self._left or self._under_way:
            self._at(self.now + TICK_S, "tick")

    def _act(self, _: None = None) -> None:
        self._pace.look(self.now)
        self._send()
        self._ask()

    def _send(self) -> None:
        while self._requests < REQUESTS:
            window = self._pace.window
            free = window - self._under_way
            if self._answers < FEWEST:
                free = min(window, UNDECIDED) - self._under_way
            if not self._answers:
                free = min(free, CANARY - self._canaries)
            count = min(free, TASKS_A_REQUEST, self._left)
            if count <= 0 or (self._under_way and free < worth_sending(window, TASKS_A_REQUEST)):
                return
            self._left -= count
            self._canaries += count
            self._under_way += count
            self._requests += 1
            self._at(self._on_the_way(), "arrive", count)

    def _reply(self, told: tuple[list[int], int]) -> None:
        tasks, refused = told
        self._requests -= 1
        self._under_way -= refused
        self._accepted += len(tasks)
        self.seen.refused += refused
        for task in tasks:
            inference = Inference(NO_KEY, (), 0, 1, 0, "", accepted=True)
            inference.since = inference.looked_at = self.now
            self._inferences[task] = inference
            heapq.heappush(self._to_look_at, (self.now + self._patience.first_poll_s(), task))
        if tasks:
            self._pace.accepted(len(tasks), self._accepted, self.now)
        if refused:
            self._pace.refused(refused, self._accepted)
            self._at(self.now + self._patience.before_next_attempt_s(1), "come_back", refused)
        self._act()

    def _come_back(self, refused: int) -> None:
        self._left += refused
        self._act()

    def _ask(self) -> None:
        while self._polls < REQUESTS // 2 and self._to_look_at and self._to_look_at[0][0] <= self.now:
            until, chunk = self.now + self._patience.along_s(), []
            while self._to_look_at and self._to_look_at[0][0] <= until and len(chunk) < LOOKS_A_REQUEST:
                chunk.append(heapq.heappop(self._to_look_at)[1])
            self._polls += 1
            self.seen.looks += len(chunk)
            self._at(self._on_the_way(), "look", chunk)
        if self._to_look_at and self._polls < REQUESTS // 2:
            self._at(self._to_look_at[0][0], "wake")

    def _wake(self, _: None) -> None:
        if self._to_look_at and self._to_look_at[0][0] <= self.now:
            self._act()

    def _look(self, chunk: list[int]) -> None:
        self._at(self._on_the_way(), "looked", (chunk, [task for task in chunk if task in self._done]))

    def _looked(self, told: tuple[list[int], list[int]]) -> None:
        chunk, done = told
        self._polls -= 1
        for task in set(chunk).difference(done):
            inference = self._inferences[task]
            inference.looked_at = self.now
            due = self.now + self._patience.next_poll_s(inference, self.now)
            heapq.heappush(self._to_look_at, (due, task))
        for task in done:
            self._see(task)
        self._act()

    def _see(self, task: int) -> None:
        self._under_way -= 1
        self._accepted -= 1
        self._answers += 1
        self._done.discard(task)
        inference = self._inferences.pop(task)
        latency_s = self.now - inference.since
        self._patience.latencies.saw(latency_s, inference.looked_at - inference.since, self.now)
        self._pace.answered(latency_s, self.now)
        self.seen.windows.append((self.now, self._pace.window))

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
            if free:
                self._start(task)
            else:
                self._waiting.append(task)
        self.seen.under_way.append((self.now, len(self._running) + len(self._waiting)))
        self.seen.running.append((self.now, len(self._running)))
        self._at(self._on_the_way(), "reply", (tasks, count - len(tasks)))

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
        self.seen.running.append((self.now, len(self._running)))
        self._done.add(task)

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
