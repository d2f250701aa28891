"""When a task is queued, running and done, on a clock that the caller reads.

Nothing here waits or runs: start and finish of an inference are computed when it is accepted.
A model has ``capacity`` slots; an inference takes the slot that is free first, holds it for its
duration, and its result exists from then on. That makes load visible as the contract says
(section 8): first as latency, then as refusals.
"""

from __future__ import annotations

import heapq
import math
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    import msgspec


class QueueFullError(Exception):
    """No more tasks may wait for a slot."""


class WaitTooLongError(Exception):
    """The wait for a slot would be longer than allowed."""


class Slots:
    """The shared queue of one model: a virtual pool of slots.

    Args:
        capacity: Inferences at once.
        queue: Accepted inferences that may wait; None means any number.
        max_wait: Longest wait for a slot, seconds; None means any.
    """

    def __init__(self, capacity: int, queue: int | None = None, max_wait: float | None = None) -> None:
        self._free_at = [0.0] * capacity
        self._queue = queue
        self._max_wait = max_wait
        self._starts: list[float] = []
        """A heap of when those that wait will begin."""

    def resize(self, now: float, capacity: int, queue: int | None) -> None:
        """Have so many slots and so long a queue from now on.

        What was accepted before is done when it was to be done. Where slots are taken away, the next inference begins when
        fewer than the new number run. What waited in a queue without an end does not count in one that has an end.
        """
        busy_until = sorted(self._free_at)[-capacity:]
        self._free_at = [now] * (capacity - len(busy_until)) + busy_until
        heapq.heapify(self._free_at)
        self._queue = queue

    def waiting(self, now: float) -> int:
        """Count the accepted inferences that have no slot yet."""
        starts = self._starts
        while starts and starts[0] <= now:
            heapq.heappop(starts)
        return len(starts)

    def admit(self, now: float, durations: list[float]) -> list[float]:
        """Accept the inferences of one task, all or none, and return when each finishes.

        Args:
            now: The clock's reading.
            durations: How long each inference holds its slot, seconds; infinite is never done
                but gives its slot back at once, so that a stuck task does not stop the server.

        Raises:
            QueueFullError: The queue is full.
            WaitTooLongError: The wait would be longer than allowed.
        """
        waits = self._free_at[0] > now
        if waits and self._queue is not None and self.waiting(now) + len(durations) > self._queue:
            raise QueueFullError
        if waits and self._max_wait is not None and self._free_at[0] - now > self._max_wait:
            raise WaitTooLongError
        return [self._take(now, duration) for duration in durations]

    def _take(self, now: float, duration: float) -> float:
        start = max(now, self._free_at[0])
        finish = start + duration
        heapq.heapreplace(self._free_at, finish if math.isfinite(finish) else start)
        if self._queue is not None and start > now:
            heapq.heappush(self._starts, start)
        return finish


class Task:
    """A task UUID that the server knows: what was asked, what comes out of it and when.

    Attributes:
        uuid: As the client wrote it.
        accepted: When it was accepted.
        model: The model's id; empty when the task was rejected and its UUID reserved.
        request: The task object as it was sent, until it is forgotten.
        finishes: When each result is done, ascending; infinite is never.
        items: The encoded result items, in the order of ``finishes``.
        failure: The encoded error of a task that ends in one.
        failure_in_data: Whether the error is an item of ``data``.
        failure_status: The HTTP status of a sync reply with that error.
        lost: Whether getResponse knows nothing of the task.
        lost_error: The encoded error that getResponse gives instead of nothing.
        archived: What getTaskDetails gives instead of request and items.
        known_from: When its UUID begins to be known, to polls as to the archive, and to be refused as a duplicate.
        fingerprint: Hash of what was asked, without UUID and delivery.
        executed: How often it ran.
        charged: How often it was charged.
        cost_nano: What was charged in all, in billionths of a USD.
    """

    __slots__ = (
        "accepted",
        "archived",
        "charged",
        "cost_nano",
        "executed",
        "failure",
        "failure_in_data",
        "failure_status",
        "fingerprint",
        "finishes",
        "items",
        "known_from",
        "lost",
        "lost_error",
        "model",
        "request",
        "uuid",
    )

    def __init__(self, uuid: str, model: str, request: msgspec.Raw | None) -> None:
        self.uuid = uuid
        self.accepted = 0.0
        self.model = model
        self.request = request
        self.finishes: tuple[float, ...] = ()
        self.items: tuple[msgspec.Raw, ...] = ()
        self.failure: msgspec.Raw | None = None
        self.failure_in_data = False
        self.failure_status = 200
        self.lost = False
        self.lost_error: msgspec.Raw | None = None
        self.archived: tuple[Any, Any] | None = None
        self.known_from = 0.0
        self.fingerprint = 0
        self.executed = 0
        self.charged = 0
        self.cost_nano = 0

    @property
    def finish(self) -> float:
        """When the last result is done."""
        return self.finishes[-1] if self.finishes else 0.0

    def outcome(self, now: float) -> tuple[list[Any], list[Any]]:
        """Return the items for ``data`` and for ``errors`` that the task has at this moment.

        Replies are cumulative: a finished item is given every time. A task that still has
        something to do adds one ``processing`` item.
        """
        if self.lost and now >= self.finish:
            return [], [] if self.lost_error is None else [self.lost_error]
        if self.failure is not None and now >= self.finish:
            return ([self.failure], []) if self.failure_in_data else ([], [self.failure])
        data: list[Any] = [
            item for finish, item in zip(self.finishes, self.items, strict=False) if now >= finish
        ]
        if now < self.finish:
            data.append({"taskType": "textInference", "taskUUID": self.uuid, "status": "processing"})
        return data, []


class TaskBook:
    """Every task UUID that was ever accepted or reserved; requests and answers of the newest only.

    Args:
        keep: Tasks whose request and answer are kept.
    """

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self._tasks: dict[str, Task] = {}
        self._kept: OrderedDict[str, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._tasks)

    def __iter__(self) -> Iterator[Task]:
        return iter(self._tasks.values())

    def get(self, uuid: str) -> Task | None:
        """Return the task of this UUID, in any spelling, known or not yet."""
        return self._tasks.get(uuid.lower())

    def known(self, uuid: str, now: float) -> Task | None:
        """Return the task of this UUID if it is known by now."""
        task = self.get(uuid)
        return task if task is not None and task.known_from <= now else None

    def add(self, task: Task, now: float) -> None:
        """Remember a task, and forget request and answer of the oldest finished ones over the limit."""
        key = task.uuid.lower()
        if key == task.uuid:
            key = task.uuid  # one string instead of two, a million times
        self._tasks[key] = task
        self._kept[key] = None
        while len(self._kept) > self._keep:
            oldest = next(iter(self._kept))
            if self._tasks[oldest].finish > now:
                break
            del self._kept[oldest]
            _forget(self._tasks[oldest])

    def clear(self) -> None:
        """Forget everything, reserved UUIDs included."""
        self._tasks.clear()
        self._kept.clear()


def _forget(task: Task) -> None:
    task.request = None
    task.finishes = ()
    task.items = ()
    task.failure = None
    task.archived = None
    task.lost = True
