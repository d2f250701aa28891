"""Everything the server remembers between requests."""

from __future__ import annotations

import asyncio
import math
import random
from typing import TYPE_CHECKING, Any

from runware_provider.testing.api.bill import NANO, Bill
from runware_provider.testing.api.checks import check_task_uuid
from runware_provider.testing.api.faults import Fault, FaultBook
from runware_provider.testing.api.tasks import Slots, Task, TaskBook
from runware_provider.testing.api.usage import PrefixCache, Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import msgspec

    from runware_provider.testing.api.errors import Refusal
    from runware_provider.testing.api.reply import Reply
    from runware_provider.testing.api.settings import ServerSettings


class State:
    """Tasks, queues, money, faults.

    Args:
        settings: Limits, latency, money, catalogue, faults.
        clock: Returns seconds that never go back.
    """

    def __init__(self, settings: ServerSettings, clock: Callable[[], float]) -> None:
        self.settings = settings
        self.clock = clock
        self.models = {model.id: model for model in settings.models}
        self.faults = FaultBook(settings.faults, seed=settings.seed)
        self.let_go = asyncio.Event()
        self.reset()

    def reset(self) -> None:
        """Forget tasks, bill, balance, caches and requests that are held up; the scripted faults stay."""
        settings = self.settings
        self.let_go.set()
        self.let_go = asyncio.Event()
        """Set when requests that are held up end: the server is reset, or stops."""
        self.bill = Bill()
        self.tasks = TaskBook(settings.keep)
        self.balance_nano = round(settings.balance * NANO)
        self.cache = PrefixCache()
        self.slots = {
            model.id: Slots(settings.capacity, settings.queue, settings.max_wait) for model in settings.models
        }
        self._random = random.Random(settings.seed)  # noqa: S311 - latencies, no secrets

    def resize(self, capacity: int, queue: int | None) -> None:
        """Give each model so many slots and so long a queue from now on, until a reset."""
        for slots in self.slots.values():
            slots.resize(self.clock(), capacity, queue)

    def durations(self, count: int, faults: Mapping[str, Fault]) -> Iterator[float]:
        """Return how long each of a task's inferences takes, seconds; infinite is never done."""
        settings = self.settings
        extra = faults["delay_task"].seconds if "delay_task" in faults else 0.0
        if "never_finish" in faults:
            extra = math.inf
        for _ in range(count):
            spread = (
                math.exp(self._random.gauss(0, settings.latency_sigma)) if settings.latency_sigma else 1.0
            )
            yield settings.latency * spread + extra

    def charge(self, task: Task, cost_nano: int, usage: Usage) -> None:
        """Charge a task."""
        self.bill.charge(task, cost_nano)
        self.balance_nano -= cost_nano
        self.bill.prompt_tokens += usage.prompt
        self.bill.cached_tokens += usage.cached
        self.bill.completion_tokens += usage.completion

    def reject(
        self, reply: Reply, raw: msgspec.Raw, task: Mapping[str, Any], refusals: list[Refusal]
    ) -> None:
        """Refuse one task of an array; the first refusal of the array decides the HTTP status.

        Args:
            reply: Gets the errors.
            raw: The task as it was sent.
            task: The same, decoded; what it lacks is left out of the errors.
            refusals: Every reason, at least one.
        """
        if reply.status == 200:
            reply.status = refusals[0].status
        for refusal in refusals:
            reply.errors.append(refusal.body(task.get("taskType"), task.get("taskUUID")))
            self.bill.refused[refusal.code] += 1
        if task.get("taskType") == "textInference" and check_task_uuid(task.get("taskUUID")) is None:
            self.reserve_rejected(raw, task["taskUUID"])

    def reserve_rejected(self, raw: msgspec.Raw, uuid: str) -> None:
        """Use up the UUID of a rejected task, if the settings or a fault say so."""
        reserve = self.settings.reserve_rejected or self.faults.of_rejection(bytes(raw), uuid)
        if reserve and self.tasks.get(uuid) is None:
            reserved = Task(uuid, "", None)
            reserved.lost = True
            self.tasks.add(reserved, self.clock())
