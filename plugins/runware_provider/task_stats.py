"""What a task's answers come to, as Airflow's own metrics: StatsD, Datadog or OpenTelemetry, whatever `[metrics]` says."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from airflow.sdk.observability import stats

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.sdk.types import Logger

    from runware_provider.engine.job.progress import Progress
    from runware_provider.engine.memory.payments import Payments

RECORDS: Final = "runware.records"
TOKENS: Final = "runware.tokens"
USD: Final = "runware.usd"
_UNTAGGABLE = re.compile(r"[^A-Za-z0-9._:@/-]")
"""What some backend takes for the end of a tag."""
_DECIMALS: Final = 9
"""Of an amount in USD: a token costs some 0.0000001."""


class Increment(Protocol):
    """Airflow's `stats.incr`."""

    def __call__(self, stat: str, count: Any, *, tags: dict[str, Any]) -> None:
        """Add to a counter."""


@dataclass(frozen=True)
class _Counter:
    """One of the sums that a backend keeps for a model."""

    name: str
    outcome: str
    type: str | None = None
    """Of tokens."""

    def tags(self) -> dict[str, str]:
        """Beside the model."""
        tags = {"outcome": str(self.outcome)}
        return tags if self.type is None else {**tags, "type": self.type}


class TaskStats:
    """Counts what this process has learnt, once: the increments of all processes of a job add up to its bill.

    Args:
        model: that is asked.
        log: is told once if the metrics fail.
        increment: adds to a counter.
    """

    def __init__(self, model: str, *, log: Logger, increment: Increment = stats.incr) -> None:
        self._model = _UNTAGGABLE.sub("_", model)
        self._log = log
        self._increment = increment
        self._counted: dict[_Counter, float] = {}
        """What the backend was told of each counter."""
        self._fails = False

    def saw(self, progress: Progress) -> None:
        """Count what has come since the last time; nothing that fails here fails the task.

        What could not be counted is tried again with the next progress.
        """
        for outcome, rows in progress.decided.items():
            self._count_up_to(rows, _Counter(RECORDS, outcome))
        for outcome, paid in progress.payments.items():
            for kind, tokens in tokens_by_kind(paid):
                self._count_up_to(tokens, _Counter(TOKENS, outcome, kind))
            self._count_up_to(paid.usd, _Counter(USD, outcome))

    def _count_up_to(self, total: float, counter: _Counter) -> None:
        counted = self._counted.get(counter, 0)
        more = round(total - counted, _DECIMALS)
        # A counter only grows: Airflow's OpenTelemetry refuses less.
        if more <= 0:
            return
        try:
            self._increment(counter.name, more, tags={"model": self._model, **counter.tags()})
        except Exception as error:  # noqa: BLE001 - whatever it is, the task goes on
            if not self._fails:
                self._log.warning("Metrics cannot be sent: %s. The task goes on.", type(error).__name__)
            self._fails = True
            return
        self._counted[counter] = counted + more


def tokens_by_kind(paid: Payments) -> Iterator[tuple[str, int]]:
    """Tokens that have different prices; together they are all of them."""
    yield "input", paid.prompt_tokens - paid.cached_tokens
    yield "cached_input", paid.cached_tokens
    yield "output", paid.completion_tokens
