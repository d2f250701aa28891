"""The attempts of one call, in the memory of this process alone: what a ledger is to a job, without its durability."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runware_provider.engine.attempt import Kind
from runware_provider.engine.spending.picodollars import sum_of_known

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from runware_provider.engine.attempt import Entry
    from runware_provider.engine.identity import Key


class AttemptsInMemory:
    """Adds up what was paid; everything else is with the questions themselves, and dies with them."""

    def __init__(self) -> None:
        self.paid_usd: float | None = None
        """For all attempts that ended; None where no cost was reported."""
        self.answered = 0

    async def commit(self, entries: Sequence[Entry], *, at_once: bool = False, wait_s: float = 0.0) -> None:  # noqa: ARG002 - there is nothing to wait for
        """Count what ended."""
        self.paid_usd = sum_of_known([self.paid_usd, *(entry.cost for entry in entries)])
        self.answered += sum(entry.kind is Kind.ANSWERED for entry in entries)

    def hurry(self) -> None:
        """Nothing is ever pending."""

    async def told_by_others(self, attempts: Collection[tuple[Key, int]]) -> set[tuple[Key, int]]:  # noqa: ARG002 - nobody else could
        """None: no other process knows the UUIDs of this call."""
        return set()

    def is_of_this_run(self, key: Key, attempt: int) -> bool:  # noqa: ARG002 - the same for all
        """All are."""
        return True
