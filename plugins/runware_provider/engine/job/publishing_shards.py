"""The third verb of a job in shards: publish what all of them have staged as one dataset."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runware_provider.engine.dataset.published_manifest import read_manifest
from runware_provider.engine.errors import BadInput, StateUnreadable, TooManyFailed
from runware_provider.engine.job.current_split import WhyUnwanted, current_split, done_as_wished
from runware_provider.engine.job.failure_advice import advice_on
from runware_provider.engine.job.failure_watch import FailureWatch
from runware_provider.engine.job.manifest import Clock
from runware_provider.engine.job.opening import (
    check_run,
    check_still_the_same,
    timestamp,
)
from runware_provider.engine.job.places import check_published
from runware_provider.engine.job.prepare import failures_state
from runware_provider.engine.job.publishing import Publication, publish_staged
from runware_provider.engine.job.recorded import Ending
from runware_provider.engine.job.recorder import EVERY_S, Recorder, recorded
from runware_provider.engine.job.run_watch import UNRENDERED
from runware_provider.engine.job.split_record import PLACE, Split, shard_folder
from runware_provider.engine.job.staged import Staged
from runware_provider.engine.job.taking_over import ledger_sums, summed
from runware_provider.engine.memory.lease_keeping import held
from runware_provider.engine.outcome.rows import FAILED, Counts, Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runware_provider.engine.endpoint import Endpoint
    from runware_provider.engine.inbox.settings import WebhookSettings
    from runware_provider.engine.job.opening import Place
    from runware_provider.engine.job.prepare import Prepared
    from runware_provider.engine.job.shard_done import Done
    from runware_provider.engine.memory.ledger_sums import Of, Totals
    from runware_provider.engine.spec import Spec
    from runware_provider.engine.storage.stores import Stores


async def publish_shards(  # noqa: PLR0913 - by keyword, each a fact of its own
    spec: Spec,
    endpoint: Endpoint,
    *,
    split: str,
    stop: asyncio.Event | None = None,
    stores: Stores | None = None,
    webhooks: WebhookSettings | None = None,
    recorded_every_s: float = EVERY_S,
) -> dict[str, Any]:
    """Publish what all shards have staged, in the input's order; returns the manifest. Nothing is sent.

    Args:
        spec: as for `split_shards`.
        endpoint: whose answers these are.
        split: the split's id.
        stop: when set while it waits for another run, it ends with Interrupted.
        stores: opens the stores that the paths name.
        webhooks: where the vendor is to bring answers; needed only where the spec wants that.
        recorded_every_s: seconds between two records of how far it is, at most (docs/decisions/0020).

    Raises:
        BadInput: shards are not done, which it names; or the source or the request changed since the split.
        TooManyFailed: more rows failed than `failures.most` allows, over all shards.
        JobStopped: another run is at work on the place, or took over.
        PublishConflict: somebody else published meanwhile.
        StateUnreadable: the state folder cannot be read.
    """
    stop = stop or asyncio.Event()
    began = time.monotonic()
    place = await asyncio.to_thread(check_run, spec, endpoint, preview=None, stores=stores, webhooks=webhooks)
    recorder = Recorder.of(
        place.prepared,
        place.started_at,
        asked=spec,
        lease=place.lease,
        every_s=recorded_every_s,
        goes_on=True,
    )
    async with (
        recorded(recorder),
        held(place.lease, most_s=spec.limits.lease_wait_s, stop=stop) as waited,
    ):
        if waited:
            await asyncio.to_thread(check_still_the_same, place.prepared, place.version)
        manifest = await asyncio.to_thread(_publish, place, split, began)
        recorder.ended(Ending.well(manifest))
        return manifest


def _publish(place: Place, split: str, began: float) -> dict[str, Any]:
    prepared, storage = place.prepared, place.prepared.storage
    current = current_split(prepared, split, 0)
    dones = _all_done(prepared, current)
    counts = Counts()
    for done in dones:
        counts.add(done.counts)
    _check_rows(prepared, counts)
    published = check_published(prepared)
    failures = read_manifest(storage, failures_state(prepared)) if prepared.failures_folder else None
    publication = Publication(
        prepared=prepared,
        lease=place.lease,
        published=published[0] if published else {},
        previous=published[1] if published else None,
        previous_failures=failures[1] if failures else None,
        generation=current.wish.generation,
        accounts=_accounts(prepared, current, dones),
        clock=lambda: Clock(place.started_at, timestamp(), round(time.monotonic() - began, 3)),
        why_unwanted=WhyUnwanted(storage, prepared.state_folder, current),
    )
    batches = [batch for done in dones for batch in done.batches]
    failed = [batch for done in dones for batch in done.failed_batches]
    with publication.says_how_far(counts, publishing=True):
        _check_failed(prepared.spec, counts)
        return publish_staged(publication, Staged(batches, failed, counts))


def _accounts(prepared: Prepared, current: Split, dones: Sequence[Done]) -> _AccountsOfShards:
    sums = [ledger_sums(prepared, number) for number in (PLACE, *range(current.folders))]
    # A run with a name has paid what it paid in every ledger of the place, also for shards that are cut otherwise by now,
    # and nothing of what another run paid. Without a name, only the processes that did the shards know what they paid.
    named = prepared.spec.run is not None
    paid = (each.paid for each in sums) if named else (done.paid for done in dones)
    return _AccountsOfShards(dones, summed(paid), summed(each.ever for each in sums))


def _all_done(prepared: Prepared, current: Split) -> list[Done]:
    storage = prepared.storage
    dones: list[Done] = []
    missing: list[int] = []
    for number in range(len(current.shards)):
        done = done_as_wished(storage, shard_folder(storage, prepared.state_folder, number), current)
        if done is None:
            missing.append(number)
        else:
            dones.append(done)
    if missing:
        named = ", ".join(map(str, missing[:20])) + (" and more" if len(missing) > 20 else "")
        raise BadInput(
            "split",
            f"{len(missing)} of {len(current.shards)} shards are not done: {named}",
            "Infer them first; what is answered is not paid for again",
        )
    return dones


def _check_rows(prepared: Prepared, counts: Counts) -> None:
    """Every record has its outcome: with filters the shards alone know which are chosen."""
    whole = prepared.row_filter is None
    if counts.rows != counts.records * prepared.spec.samples or (
        whole and counts.records != prepared.records
    ):
        raise StateUnreadable(
            f"the shards have {counts.rows:,} rows of {counts.records:,} records, and the source has"
            f" {prepared.records:,}; infer the shards again"
        )


def _check_failed(spec: Spec, counts: Counts) -> None:
    watch = FailureWatch(spec.failures.most, counts.rows)
    for outcome, rows in counts.outcomes.items():
        if outcome == Outcome.SKIPPED:
            unrendered = counts.reasons.get(UNRENDERED, 0)
            watch.could_not_ask(unrendered)
            watch.left_out(rows - unrendered)
        elif rows:
            watch.saw(outcome in FAILED, times=rows)
    reason = watch.beyond_at_the_end()
    if reason is not None:
        raise TooManyFailed(reason, remedy=advice_on(counts.reasons))


@dataclass(frozen=True)
class _AccountsOfShards:
    """What all ledgers of the place come to."""

    dones: Sequence[Done]
    paid: Totals
    """By this run, with all its tries."""
    ever: Totals
    """Of all ledgers of the place, those of shards that it has no more among them."""

    def totals(self, of: Of = "used") -> Totals:
        """Over what the rows show, over what this run paid, or over everything."""
        if of == "used":
            return summed(done.used for done in self.dones)
        return self.paid if of == "fresh" else self.ever

    def unpriced_tasks(self) -> list[str]:
        """The UUIDs of the tasks whose cost nobody knows."""
        return [name for done in self.dones for name in done.unpriced]
