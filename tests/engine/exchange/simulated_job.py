"""A whole exchange against a vendor with slots and a queue, in virtual time: only the network and the ledger are replaced."""

from __future__ import annotations

import asyncio
import itertools
import json
import math
import random
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from runware_provider.engine.api.client import NotSent
from runware_provider.engine.api.replies import read_poll, read_reply
from runware_provider.engine.exchange.collect import Collector
from runware_provider.engine.exchange.conversation import Exchange
from runware_provider.engine.exchange.fate import Fates
from runware_provider.engine.exchange.flight import Flight
from runware_provider.engine.exchange.inference import Inference
from runware_provider.engine.exchange.pace import Pace
from runware_provider.engine.exchange.polls import Polls
from runware_provider.engine.exchange.submit import Submitter
from runware_provider.engine.identity import Key, task_uuid
from runware_provider.engine.spec import Delivery, Limits
from tests.engine.exchange import virtual_time

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runware_provider.engine.api.replies import Reply
    from runware_provider.engine.attempt import Entry
    from runware_provider.engine.errors import JobStopped

JOB = bytes(range(16))
FSYNC_S = 0.005
LOADED_AT_ONCE = 5_000


@dataclass
class Vendor:
    """Runs so many tasks at once, lets some more wait, and refuses the rest.

    Args:
        slots: at a time.
        latency_s: of the next task.
        queue: tasks that may wait; None without end.
        round_trip_s: of a request.
        most_connections: requests at once; a further one finds no connection.
    """

    slots: Callable[[float], int]
    latency_s: Callable[[], float]
    queue: Callable[[float], int] | None = None
    round_trip_s: float = 0.05
    most_connections: float = math.inf
    requests: list[int] = field(default_factory=list)
    """Tasks of each that was accepted."""
    refused: list[float] = field(default_factory=list)
    """When a task was."""
    running: list[tuple[float, int]] = field(default_factory=list)
    """Slots with work, after each change."""
    under_way: list[tuple[float, int]] = field(default_factory=list)
    on_finish: Callable[[str], None] = lambda _name: None
    """Called with the UUID of each task that is done."""
    asked: list[list[str]] = field(default_factory=list)
    """UUIDs of each getResponse."""
    most_at_once: int = 0
    """Requests."""
    no_connection: int = 0
    _open: int = 0
    _busy: int = 0
    _waiting: deque[tuple[str, asyncio.Future[None]]] = field(default_factory=deque)
    _done: set[str] = field(default_factory=set)
    _tasks: dict[str, asyncio.Future[None]] = field(default_factory=dict)
    _timers: set[asyncio.Task[None]] = field(default_factory=set)

    async def post(self, content: bytes, _timeout_s: float) -> Reply:
        tasks = json.loads(content)
        self._connect()
        try:
            await asyncio.sleep(self.round_trip_s / 2)
            accepted = [task for task in tasks if self._accept(task["taskUUID"])]
            self.requests += [len(accepted)] if accepted else []
            refused = [task for task in tasks if task not in accepted]
            said: dict[str, Any] = {"data": [{"taskUUID": task["taskUUID"]} for task in accepted]}
            if tasks[0]["deliveryMethod"] == "sync":
                await asyncio.gather(*(self._tasks[task["taskUUID"]] for task in accepted))
                said = {"data": [self._answer(task["taskUUID"]) for task in accepted]}
            said["errors"] = [{"code": "rateLimitExceeded", "taskUUID": task["taskUUID"]} for task in refused]
            await asyncio.sleep(self.round_trip_s / 2)
            return read_reply(200 if accepted else 429, json.dumps(said).encode())
        finally:
            self._open -= 1

    async def ask(self, content: bytes, _timeout_s: float) -> Reply:
        names = [task["taskUUID"] for task in json.loads(content)]
        self.asked.append(names)
        self._connect()
        try:
            await asyncio.sleep(self.round_trip_s / 2)
            said = {"data": [self._answer(name) for name in names if name in self._done]}
            await asyncio.sleep(self.round_trip_s / 2)
            return read_poll(200, json.dumps(said).encode())
        finally:
            self._open -= 1

    def _connect(self) -> None:
        if self._open >= self.most_connections:
            self.no_connection += 1
            raise NotSent("no connection")
        self._open += 1
        self.most_at_once = max(self.most_at_once, self._open)

    @staticmethod
    def _answer(name: str) -> dict[str, Any]:
        return {"taskUUID": name, "text": "Hi", "cost": 0.001}

    def _accept(self, name: str) -> bool:
        now = asyncio.get_running_loop().time()
        is_free = self._busy < self.slots(now)
        if not is_free and self.queue is not None and len(self._waiting) >= self.queue(now):
            self.refused.append(now)
            return False
        ended = asyncio.get_running_loop().create_future()
        self._tasks[name] = ended
        if is_free:
            self._start(name, ended)
        else:
            self._waiting.append((name, ended))
        self.under_way.append((now, self._busy + len(self._waiting)))
        return True

    def _start(self, name: str, ended: asyncio.Future[None]) -> None:
        self._busy += 1
        loop = asyncio.get_running_loop()
        self.running.append((loop.time(), self._busy))
        loop.call_later(self.latency_s(), self._finish, name, ended)

    def _finish(self, name: str, ended: asyncio.Future[None]) -> None:
        now = asyncio.get_running_loop().time()
        self._busy -= 1
        self._done.add(name)
        ended.set_result(None)
        self.on_finish(name)
        self.running.append((now, self._busy))
        while self._waiting and self._busy < self.slots(now):
            self._start(*self._waiting.popleft())

    def busy(self, since: float, until: float) -> float:
        """Slots with work, on average."""
        worked = 0.0
        for (start, number), (end, _) in itertools.pairwise([*self.running, (until, 0)]):
            worked += number * max(0.0, min(end, until) - max(start, since))
        return worked / (until - since)

    def reached_at(self, slots: float) -> float:
        """When so many slots had work for the first time."""
        return next((at for at, number in self.running if number >= slots), math.inf)

    @property
    def last_sent_at(self) -> float:
        return self.under_way[-1][0]

    @property
    def most_under_way(self) -> int:
        return max(number for _, number in self.under_way)


class Template:
    """Makes tasks of which only the vendor above reads something."""

    def task(
        self,
        _prompt: str,
        _sample: int,
        name: str,
        delivery: str,
        _follow_up: Any = None,
        *,
        webhook_url: str | None = None,
    ) -> bytes:
        told = {"taskUUID": name, "deliveryMethod": delivery, "webhookURL": webhook_url}
        return json.dumps(told).encode()


class Ledger:
    """Makes durable what it is given, as fast as a disk does."""

    def __init__(self) -> None:
        self.answered = 0

    async def commit(self, _entries: Sequence[Entry], *, at_once: bool = False, wait_s: float = 0.0) -> None:
        await asyncio.sleep(FSYNC_S if at_once else wait_s + FSYNC_S)

    async def told_by_others(self, _attempts: Any) -> set[Any]:
        return set()

    def is_of_this_run(self, *_: Any) -> bool:
        return True

    def hurry(self) -> None:
        pass


@dataclass
class Feed:
    """Brings so many inferences, some at a time."""

    flight: Flight
    left: int
    number: int = 0
    done: int = 0

    def wants(self) -> bool:
        return self.left > 0

    def all_loaded(self) -> bool:
        return not self.left

    def exhausted(self) -> bool:
        return not self.left

    def pending(self) -> set[asyncio.Task[None]]:
        return set()

    async def load(self) -> None:
        for _ in range(min(self.left, LOADED_AT_ONCE)):
            key = Key(self.number.to_bytes(16, "big"), 0, 0)
            self.flight.add(Inference(key, (), 500, 1, 0, task_uuid(JOB, key, 1)), 0.0)
            self.number += 1
            self.left -= 1

    def settle(self, _inference: Inference, _entry: Entry) -> None:
        self.done += 1

    def budget_is_used_up(self) -> None:
        raise AssertionError

    async def end_without_budget(self, _inferences: Sequence[Inference]) -> None:
        raise AssertionError


class NobodyWatches:
    """Is content with everything."""

    proven = False

    def failing(self) -> JobStopped | None:
        return None

    def undecided(self) -> bool:
        return False

    def tick(self, trouble: str | None) -> None:
        pass


class Forever:
    """The right to send."""

    why_lost = None

    def left_s(self) -> float:
        return math.inf


@dataclass
class Seen:
    """What came of a job."""

    answered: int
    ended_at: float
    moves: list[str]
    """Of the window."""


def run(
    vendor: Vendor, tasks: int, *, delivery: Delivery = "sync", until: float = math.inf, **limits: Any
) -> Seen:
    """Run a job to its end, or until it is told to stop."""
    return virtual_time.run(_run(vendor, tasks, delivery, until, Limits(**limits)))


async def _run(vendor: Vendor, tasks: int, delivery: Delivery, until: float, limits: Limits) -> Seen:
    now = asyncio.get_running_loop().time
    flight, ledger, moves = Flight(), cast("Any", Ledger()), list[str]()
    fates = Fates(flight, limits, spread=0.5)
    client = cast("Any", vendor)
    submitter = Submitter(client, ledger, flight, fates, cast("Any", Template()), delivery, 300.0, now)
    exchange = Exchange(
        submitter,
        [Polls(Collector(client, fates, 60.0, now), flight, limits)],
        pace=Pace(limits.max_outstanding, None, lambda move: moves.append(f"{now():.2f} {move}")),
        limits=limits,
        job_id=JOB,
        right=Forever(),
    )
    feed, interrupted = Feed(flight, tasks), asyncio.Event()
    running = asyncio.create_task(exchange.run(feed, NobodyWatches(), interrupted))
    await asyncio.wait({running}, timeout=None if until == math.inf else until)
    if running.done():
        running.result()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return Seen(feed.done, now(), moves)


def log_normal(median_s: float, sigma: float = 0.5, seed: int = 1) -> Callable[[], float]:
    """Latencies."""
    dice = random.Random(seed)  # noqa: S311 - the same job each time
    return lambda: median_s * math.exp(dice.gauss(0, sigma))
