"""Before other ledgers of a place go on with its work: what the old ones have in doubt is collected, and told of.

What they answered is then found by whoever asks the same (`reuse`), and nothing that they sent is sent again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from runware_provider.engine.job.collecting import collect
from runware_provider.engine.job.split_record import present_split, set_split, shard_folder
from runware_provider.engine.memory.lease import Lease
from runware_provider.engine.memory.lease_keeping import held
from runware_provider.engine.memory.ledger import Ledger
from runware_provider.engine.memory.ledger_sums import Totals
from runware_provider.engine.memory.shared_answers import below, share
from runware_provider.engine.memory.state_folder import find_job

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable

    from runware_provider.engine.api.client import Transport
    from runware_provider.engine.job.prepare import Prepared
    from runware_provider.engine.spec import Endpoint


@dataclass(frozen=True)
class Old:
    """What one ledger of the place has come to."""

    ever: Totals
    paid: Totals
    """By the run that takes over."""


@dataclass(frozen=True)
class TakingOver:
    """Goes through ledgers of a place.

    Args:
        prepared: the job of the place.
        endpoint: where the API answers; asked only where something is in doubt.
        stop: when set, the taking over ends.
        transport: carries the HTTP requests; None for a real network.
    """

    prepared: Prepared
    endpoint: Endpoint
    stop: asyncio.Event
    transport: Transport | None

    async def place(self, lease: Lease) -> Old:
        """The ledger of the place itself, whose lease is held."""
        return await self._ledger(self.prepared.place_state, lease)

    async def shard(self, number: int) -> Old:
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

    async def _ledger(self, folder: str, lease: Lease) -> Old:
        prepared = self.prepared
        storage, root = prepared.storage, prepared.spec.state_folder
        job = find_job(storage, folder)
        if job is None:
            return Old(Totals(), Totals())
        ledger = Ledger(storage, storage.join(folder, "ledger"), run=prepared.spec.run)
        try:
            await collect(
                prepared, ledger, job.job_id, lease, self.endpoint, stop=self.stop, transport=self.transport
            )
            share(storage, root, below(root, folder), job.job_id, ledger)
            return Old(ledger.totals("all"), ledger.totals("fresh"))
        finally:
            ledger.close()


async def leave_split(taking_over: TakingOver) -> Totals | None:
    """Before a plain run, whose place's lease is held: the shards of the place are not to go on.

    Returns:
        What the ledgers of shards have come to, which may have answers to what the run asks; None where there are none.
    """
    prepared = taking_over.prepared
    storage, place = prepared.storage, prepared.place_state
    split = present_split(storage, place)
    if split is None:
        return None
    if split.state != "left":
        # Shards that are at work see this at the latest with the next renewal of their leases, and stop.
        set_split(storage, place, replace(split, state="preparing"))
        old = [await taking_over.shard(number) for number in range(split.folders)]
        split = replace(split, state="left", ever=summed(each.ever for each in old))
        set_split(storage, place, split)
    return split.ever


def summed(totals: Iterable[Totals]) -> Totals:
    """Sums over several ledgers."""
    return sum(totals, start=Totals())
