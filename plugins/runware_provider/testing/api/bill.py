"""What the server did and what it charged: the referee of tests about money.

Money is counted in whole billionths of a USD, so that the totals are exact sums of the parts.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runware_provider.testing.api.tasks import Task

NANO = 1_000_000_000


class Bill:
    """Running totals; reading them costs the same however many tasks there were."""

    def __init__(self) -> None:
        self.requests = 0
        self.http_statuses: Counter[int] = Counter()
        self.refused: Counter[str] = Counter()
        self.executed = 0
        self.distinct = 0
        self.executed_again = 0
        self.charged = 0
        self.cost_nano = 0
        self.prompt_tokens = 0
        self.cached_tokens = 0
        self.completion_tokens = 0
        self.webhooks_sent = 0
        self.webhooks_failed = 0
        self._asked: set[int] = set()
        self.asked_again = 0

    def execute(self, task: Task) -> None:
        """Count one execution of a task, also by UUID and by what was asked."""
        task.executed += 1
        self.executed += 1
        if task.executed == 1:
            self.distinct += 1
        elif task.executed == 2:
            self.executed_again += 1
        if task.fingerprint in self._asked:
            self.asked_again += 1
        else:
            self._asked.add(task.fingerprint)

    def charge(self, task: Task, cost_nano: int) -> None:
        """Charge a task."""
        task.charged += 1
        task.cost_nano += cost_nano
        self.charged += 1
        self.cost_nano += cost_nano

    def summary(self) -> dict[str, Any]:
        """Return the totals.

        ``cost_usd`` is money; ``executed`` counts executions, ``distinct_uuids`` the UUIDs that were
        executed, ``uuids_executed_again`` those that were executed more than once;
        ``requests_executed_again`` counts executions of something that had been asked before in
        the same words, under any UUID: attempts that a client's policy allowed, or a mistake.
        """
        return {
            "requests": self.requests,
            "http_statuses": {str(status): count for status, count in sorted(self.http_statuses.items())},
            "executed": self.executed,
            "distinct_uuids": self.distinct,
            "uuids_executed_again": self.executed_again,
            "distinct_requests": len(self._asked),
            "requests_executed_again": self.asked_again,
            "charged": self.charged,
            "cost_usd": self.cost_nano / NANO,
            "prompt_tokens": self.prompt_tokens,
            "cached_tokens": self.cached_tokens,
            "completion_tokens": self.completion_tokens,
            "refused": dict(sorted(self.refused.items())),
            "webhooks_sent": self.webhooks_sent,
            "webhooks_failed": self.webhooks_failed,
        }

    def itemised(self, tasks: Iterable[Task]) -> dict[str, Any]:
        """Return the totals and, under ``tasks``, one entry per executed task UUID."""
        return {**self.summary(), "tasks": {task.uuid: _entry(task) for task in tasks if task.executed}}


def _entry(task: Task) -> dict[str, Any]:
    return {
        "model": task.model,
        "executed": task.executed,
        "charged": task.charged,
        "cost_usd": task.cost_nano / NANO,
        "accepted_s": task.accepted,
        # Of one that is never done, or whose result is forgotten, there is none.
        "finished_s": task.finish if 0 < task.finish < math.inf else None,
        "request": f"{task.fingerprint & 0xFFFFFFFFFFFFFFFF:016x}",
    }
