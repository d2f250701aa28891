"""The second verb of a job in shards: give every record of one shard its outcome, and stage its rows."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from runware_provider.engine.dataset.staging import staged_files
from runware_provider.engine.job.asking import ask
from runware_provider.engine.job.current_split import WhyUnwanted, current_split, done_as_wished
from runware_provider.engine.job.leg import WHOLE, Leg
from runware_provider.engine.job.opening import (
    OpenedJob,
    check_run,
    check_service,
)
from runware_provider.engine.job.publishing import LedgerAccounts, Publication
from runware_provider.engine.job.recorded import SHORT, Ending
from runware_provider.engine.job.recorder import EVERY_S, Recorder, recorded
from runware_provider.engine.job.shard_done import Done, done_path, is_done, staged_of, write_done
from runware_provider.engine.job.siblings import is_taken_over
from runware_provider.engine.job.split_record import Split, shard_folder
from runware_provider.engine.job.tidying import tidy
from runware_provider.engine.memory.lease import Lease
from runware_provider.engine.memory.lease_keeping import held
from runware_provider.engine.memory.ledger import Ledger
from runware_provider.engine.memory.state_folder import open_job
from runware_provider.engine.spending.budget import NEXT_TO_NOTHING_USD

if TYPE_CHECKING:
    from collections.abc import Callable

    from runware_provider.engine.api.client import Transport
    from runware_provider.engine.endpoint import Endpoint
    from runware_provider.engine.inbox.settings import WebhookSettings
    from runware_provider.engine.job.opening import Place
    from runware_provider.engine.job.prepare import Prepared
    from runware_provider.engine.job.progress import Progress
    from runware_provider.engine.job.staged import Staged
    from runware_provider.engine.spec import Budget, Spec
    from runware_provider.engine.storage.stores import Storage, Stores

GRACE_S = 600.0
"""For which staged rows stay that a newer `done` has replaced: a publish may be reading them."""


async def infer_shard(  # noqa: PLR0913 - by keyword, each a fact of its own
    spec: Spec,
    endpoint: Endpoint,
    *,
    split: str,
    shard: int,
    report: Callable[[Progress], None] | None = None,
    stop: asyncio.Event | None = None,
    stores: Stores | None = None,
    webhooks: WebhookSettings | None = None,
    transport: Transport | None = None,
    leg: Leg = WHOLE,
    recorded_every_s: float = EVERY_S,
) -> dict[str, Any]:
    """Give every record of a shard its outcome, and stage its rows; what is done already is not asked again.

    Args:
        spec: as for `split_shards`.
        endpoint: where the API answers.
        split: the split's id.
        shard: the shard's number in it.
        report: called about once a second.
        stop: when set, the shard keeps what it has and raises Interrupted.
        stores: opens the stores that the paths name.
        webhooks: where the vendor is to bring answers; needed only where the spec wants that.
        transport: carries the HTTP requests; a real network by default.
        leg: which of several processes this one is; by default the only one.
        recorded_every_s: seconds between two records of how far it is, at most (docs/decisions/0020).

    Returns:
        A small dict of counts and sums, for XCom.

    Raises:
        AllSent: the leg leaves the rest of the answers to the next one, which gets the same spec.
        BadInput: the source or the request changed since the split, or there is no such shard; nothing was sent.
        JobStopped: with a `manifest` attribute that says how far it came.
        StateUnreadable: the state folder cannot be read.
    """
    stop = stop or asyncio.Event()
    place = await asyncio.to_thread(check_run, spec, endpoint, preview=None, stores=stores, webhooks=webhooks)
    prepared, storage = place.prepared, place.prepared.storage
    current = await asyncio.to_thread(current_split, prepared, split, shard)
    folder = shard_folder(storage, prepared.state_folder, shard)
    lease = Lease(storage, folder, for_s=spec.limits.lease_s)
    recorder = Recorder.of(
        _of_the_shard(prepared, current, shard),
        place.started_at,
        asked=spec,
        lease=lease,
        every_s=recorded_every_s,
        goes_on=leg.goes_on,
        report=report,
    )
    async with recorded(recorder):
        done = await asyncio.to_thread(done_as_wished, storage, folder, current)
        if done is not None and _reached(done, current):
            return _done_before(done, recorder)
        why_unwanted = WhyUnwanted(storage, prepared.state_folder, current)
        identity = await asyncio.to_thread(
            open_job, storage, folder, spec.destination, place.started_at, service=endpoint.service
        )
        check_service(identity, endpoint, folder)
        async with held(lease, most_s=spec.limits.lease_wait_s, stop=stop, why_unwanted=why_unwanted):
            # While this one waited, the split may have been replaced, or another process may have done the shard.
            current = await asyncio.to_thread(current_split, prepared, split, shard)
            done = await asyncio.to_thread(done_as_wished, storage, folder, current)
            if done is not None and _reached(done, current):
                return _done_before(done, recorder)
            job = await asyncio.to_thread(_opened, place, current, shard, lease, identity.job_id)
            recorder.knows(job.paid_usd)
            try:
                staged = await ask(
                    job, endpoint, report=recorder.saw, stop=stop, transport=transport, leg=leg
                )
                with Publication.of(job).says_how_far(staged.counts, publishing=False):
                    told = await asyncio.to_thread(_finish, job, staged, current, shard, why_unwanted)
                recorder.ended(Ending("staged", told))
                return told
            finally:
                job.close()


def _done_before(done: Done, recorder: Recorder) -> dict[str, Any]:
    """Tell of a shard of which nothing is to be asked."""
    told = _told(done, asked=False)
    recorder.ended(Ending("staged", told, is_told_before=True))
    return told


def _of_the_shard(whole: Prepared, current: Split, shard: int) -> Prepared:
    """What one shard asks, with its part of the budget, in a state folder of its own."""
    spec = whole.spec
    return replace(
        whole,
        spec=spec.bounded_by(_part_of_budget(spec.budget, current, shard)).model_copy(update={"limit": None}),
        ranges=tuple(current.shards[shard]),
        state_folder=shard_folder(whole.storage, whole.state_folder, shard),
        place=whole.state_folder,
        handed_over=current.to_a_shard(),
    )


def _opened(place: Place, current: Split, shard: int, lease: Lease, job_id: bytes) -> OpenedJob:
    began = time.monotonic()
    prepared = _of_the_shard(place.prepared, current, shard)
    storage, folder = prepared.storage, prepared.state_folder
    return OpenedJob(
        prepared=prepared,
        identity=replace(place.identity, job_id=job_id),
        lease=lease,
        may_resend_at=began + lease.may_resend_after_s,
        generation=current.wish.generation,
        ledger=Ledger(storage, storage.join(folder, "ledger"), run=prepared.spec.run),
        published=place.published[0] if place.published else {},
        previous=None,
        previous_failures=None,
        publishes=True,
        started_at=place.started_at,
        inboxes=place.inboxes,
    )


def _part_of_budget(budget: Budget | None, current: Split, shard: int) -> Budget | None:
    """What the split allows the shard; what it leaves unspent no other shard has."""
    if budget is None or not current.allowances:
        return budget
    allowance = current.allowances[shard]
    usd = None if allowance.usd is None else max(allowance.usd, NEXT_TO_NOTHING_USD)
    tokens = None if allowance.tokens is None else max(allowance.tokens, 1)
    return budget.model_copy(update={"usd": usd, "tokens": tokens})


def _reached(done: Done, current: Split) -> bool:
    """Whether the budget reached for everything; else another run, or another budget, goes on."""
    return done.budget in {"", current.budget}


def _finish(
    job: OpenedJob, staged: Staged, current: Split, shard: int, why_unwanted: WhyUnwanted
) -> dict[str, Any]:
    storage, folder = job.prepared.storage, job.prepared.state_folder
    overtaken = job.lease.why_lost or why_unwanted()
    if overtaken is not None:
        staged.discard(storage)
        raise overtaken
    accounts = LedgerAccounts(job.ledger, job.identity.job_id)
    done = Done(
        split=current.split,
        shard=shard,
        wish=current.wish,
        batches=staged.batches,
        failed_batches=staged.failed_batches,
        counts=staged.counts,
        used=accounts.totals("used"),
        paid=accounts.totals("fresh"),
        budget=current.budget if staged.counts.reasons[SHORT] else "",
        unpriced=accounts.unpriced_tasks(),
    )
    write_done(storage, folder, done)
    _sweep(storage, folder, done)
    tidy(job, expires=_all_took_over(job.prepared, current))
    return _told(done, asked=True)


def _all_took_over(prepared: Prepared, current: Split) -> bool:
    """Whether no shard has still to copy what this one's ledger holds."""
    storage, place = prepared.storage, prepared.place_state
    return all(
        is_taken_over(prepared, shard_folder(storage, place, number), tuple(ranges))
        for number, ranges in enumerate(current.shards)
    )


def _sweep(storage: Storage, folder: str, done: Done) -> None:
    """Remove what earlier wishes, other splits and dead processes left; what fails here, the next one removes."""
    kept = {batch.path for batch in staged_of(done)}
    with contextlib.suppress(OSError):
        for entry in storage.list(folder, recursive=False, links=False):
            if is_done(entry.path) and entry.path != done_path(storage, folder, done.split):
                storage.delete(entry.path)
        for place in (folder, storage.join(folder, "failures")):
            for entry in staged_files(storage, place):
                old = entry.modified is not None and entry.modified < time.time() - GRACE_S
                if old and entry.path not in kept:
                    storage.delete(entry.path)


def _told(done: Done, *, asked: bool) -> dict[str, Any]:
    return {
        "split": done.split,
        "shard": done.shard,
        "rows": done.counts.rows,
        "outcomes": dict(sorted(done.counts.outcomes.items())),
        "paid_inferences": done.paid.answered if asked else 0,
        "paid_usd": done.paid.cost if asked else 0.0,
    }
