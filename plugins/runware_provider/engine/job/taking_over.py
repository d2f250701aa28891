"""Before other ledgers of a place go on with its work: what the old ones have in doubt is collected.

Whoever goes on then copies what they know of its questions (`siblings`), and nothing that they sent is sent again.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from runware_provider.engine.job.collecting import collect
from runware_provider.engine.job.split_record import PLACE, present_split, set_split, shard_folder
from runware_provider.engine.memory.lease import Lease
from runware_provider.engine.memory.lease_keeping import held
from runware_provider.engine.memory.ledger import Ledger
from runware_provider.engine.memory.ledger_sums import LedgerSums, Totals
from runware_provider.engine.memory.state_folder import find_job
from runware_provider.engine.spending.budget import NEXT_TO_NOTHING_USD

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable

    from runware_provider.engine.api.client import Transport
    from runware_provider.engine.endpoint import Endpoint
    from runware_provider.engine.job.inboxes import Inboxes
    from runware_provider.engine.job.prepare import Prepared
    from runware_provider.engine.job.split_record import Split
    from runware_provider.engine.spec import Budget


@dataclass(frozen=True)
class TakingOver:
    """Goes through ledgers of a place.

    Args:
        prepared: the job of the place.
        endpoint: where the API answers; asked only where something is in doubt.
        stop: when set, the taking over ends.
        transport: carries the HTTP requests; None for a real network.
        inboxes: where the vendor brings answers; None where they come otherwise.
    """

    prepared: Prepared
    endpoint: Endpoint
    stop: asyncio.Event
    transport: Transport | None
    inboxes: Inboxes | None = None

    async def place(self, lease: Lease) -> Totals:
        """The ledger of the place itself, whose lease is held."""
        return await self._ledger(self.prepared.place_state, lease)

    async def shard(self, number: int) -> Totals:
        """The ledger of a shard; whoever is at work on it is waited for.

        Raises:
            AtWork: it did not end in time.
        """
        prepared = self.prepared
        folder = shard_folder(prepared.storage, prepared.place_state, number)
        limits = prepared.spec.limits
        lease = Lease(prepared.storage, folder, for_s=limits.lease_s)
        async with held(lease, most_s=limits.lease_wait_s, stop=self.stop):
            return await self._ledger(folder, lease)

    async def _ledger(self, folder: str, lease: Lease) -> Totals:
        prepared = self.prepared
        storage = prepared.storage
        job = find_job(storage, folder)
        if job is None:
            return Totals()
        ledger = Ledger(storage, storage.join(folder, "ledger"))
        try:
            await collect(
                prepared,
                ledger,
                job.job_id,
                lease,
                self.endpoint,
                stop=self.stop,
                transport=self.transport,
                inboxes=self.inboxes,
            )
            return ledger.totals("all")
        finally:
            ledger.close()


async def leave_split(taking_over: TakingOver) -> Split | None:
    """Before a plain run, whose place's lease is held: the shards of the place are not to go on.

    Returns:
        The split as it was left, with what the ledgers of its shards have come to; None where there never was one.
    """
    prepared = taking_over.prepared
    storage, place = prepared.storage, prepared.place_state
    split = present_split(storage, place)
    if split is None or split.state == "left":
        return split
    # Shards that are at work see this at the latest with the next renewal of their leases, and stop.
    set_split(storage, place, replace(split, state="preparing"))
    of_shards = [await taking_over.shard(number) for number in range(split.folders)]
    left = replace(split, state="left", turn=secrets.token_hex(6), of_shards=summed(of_shards))
    set_split(storage, place, left)
    return left


def paid_by_run(prepared: Prepared, numbers: Iterable[int]) -> list[Totals]:
    """What the run has paid so far with each of some ledgers of the place; nothing where it has no name.

    Args:
        prepared: a job of the place.
        numbers: of shards, or `PLACE`.

    Raises:
        StateUnreadable: a ledger cannot be read.
    """
    return [ledger_sums(prepared, number).paid for number in numbers]


def ledger_sums(prepared: Prepared, number: int) -> LedgerSums:
    """What the ledger of one shard, or of the `PLACE`, has come to; errors as of `paid_by_run`."""
    storage, folder = prepared.storage, prepared.place_state
    if number != PLACE:
        folder = shard_folder(storage, prepared.place_state, number)
    if find_job(storage, folder) is None:
        return LedgerSums()
    ledger = Ledger(storage, storage.join(folder, "ledger"), run=prepared.spec.run)
    try:
        return LedgerSums(ledger.totals("fresh"), ledger.totals("all"))
    finally:
        ledger.close()


def rest_of_budget(budget: Budget, paid: Totals) -> Budget:
    """What is left of a budget; next to nothing where nothing is, since a budget bounds something."""
    usd = None if budget.usd is None else max(budget.usd - paid.cost, NEXT_TO_NOTHING_USD)
    tokens = None
    if budget.tokens is not None:
        tokens = max(1, budget.tokens - paid.prompt_tokens - paid.completion_tokens)
    return budget.model_copy(update={"usd": usd, "tokens": tokens})


def summed(totals: Iterable[Totals]) -> Totals:
    """Sums over several ledgers."""
    return sum(totals, start=Totals())
