"""What a task's answers come to, as Airflow's own metrics: StatsD, Datadog or OpenTelemetry, whatever `[metrics]` says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, Protocol

from airflow.sdk.observability import stats

from runware_provider.engine.memory.payments import Payments

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow.sdk.types import Logger

    from runware_provider.engine.job.progress import Progress

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
        self._decided: Mapping[str, int] = {}
        self._payments: Mapping[str, Payments] = {}
        self._fails = False

    def saw(self, progress: Progress) -> None:
        """Count what has come since the last time; nothing that fails here fails the task."""
        before, self._decided = self._decided, progress.decided
        paid_before, self._payments = self._payments, progress.payments
        try:
            for outcome, rows in self._decided.items():
                self._add(RECORDS, rows - before.get(outcome, 0), outcome)
            for outcome, paid in self._payments.items():
                self._add_payments(paid - paid_before.get(outcome, Payments()), outcome)
        except Exception as error:  # noqa: BLE001 - whatever it is, the task goes on
            if not self._fails:
                self._log.warning("Metrics cannot be sent: %s. The task goes on.", type(error).__name__)
            self._fails = True

    def _add_payments(self, paid: Payments, outcome: str) -> None:
        for kind, tokens in tokens_by_kind(paid):
            self._add(TOKENS, tokens, outcome, type=kind)
        self._add(USD, round(paid.usd, _DECIMALS), outcome)

    def _add(self, name: str, count: float, outcome: str, **tags: str) -> None:
        if count:
            self._increment(name, count, tags={"model": self._model, "outcome": str(outcome), **tags})


def tokens_by_kind(paid: Payments) -> Iterator[tuple[str, int]]:
    """Tokens that have different prices; together they are all of them."""
    yield "input", paid.prompt_tokens - paid.cached_tokens
    yield "cached_input", paid.cached_tokens
    yield "output", paid.completion_tokens
